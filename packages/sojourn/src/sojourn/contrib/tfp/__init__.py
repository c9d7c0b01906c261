"""Wrapped parts of TensorFlow Probability; import `sojourn.contrib.tfp.mcmc` by name."""
