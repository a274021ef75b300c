"""The resources of the endpoints program, one component a file."""
