"""The commands of `sluice` that belong to no other folder: one module each, with `register(app)`."""
