"""What runs inside the jobs, on the /opt/ml contract: `python -m pipelines.steps.<name>`."""
