"""Import paths of what NumPyro keeps under contrib; import the modules by name."""
