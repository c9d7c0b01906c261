"""Warmup: what is learned about step size and mass matrix from the transitions' reports."""
