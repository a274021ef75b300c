"""Releases: the desired state of each endpoint as a file in git, and how it may change."""
