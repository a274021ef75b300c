"""One folder a model: everything that the model is, and nothing of AWS."""
