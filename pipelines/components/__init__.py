"""The resources of the pipelines program, one component a file."""
