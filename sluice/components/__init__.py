"""Pulumi components that several programs use."""
