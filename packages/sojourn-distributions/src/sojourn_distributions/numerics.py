"""Functions of densities that stay exact, with finite gradients, at the edges of their domains."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

__all__ = ["log_power"]


def log_power(value: Any, exponent: Any) -> Any:
    """``log(value ** exponent)`` for a density on the nonnegative numbers.

    Its limit at 0 (0 where the exponent is 0, else plus or minus infinity), and minus infinity
    below. Gradients are those of the formula above 0 and 0 elsewhere, never NaN: the logarithm
    only ever sees positive numbers.
    """
    positive = jnp.greater(value, 0)
    log_value = jnp.log(jnp.where(positive, value, 1.0))
    at_zero = jnp.where(
        jnp.equal(exponent, 0), 0.0, jnp.where(jnp.greater(exponent, 0), -jnp.inf, jnp.inf)
    )
    below = jnp.where(jnp.equal(value, 0), at_zero, -jnp.inf)
    return jnp.where(positive, exponent * log_value, below)
