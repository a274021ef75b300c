"""Builds the definitions with the SageMaker SDK, in an environment of its own: `python -m pipelines.build`."""
