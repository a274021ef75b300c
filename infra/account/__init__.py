"""Once per account and region: what must exist before any environment does."""
