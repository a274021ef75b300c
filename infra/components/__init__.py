"""One component a file: its arguments, the component, its outputs."""
