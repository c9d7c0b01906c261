"""Estimates of a sum over all data from a subsample, and how uncertain they are.

Sources: Quiroz, Kohn, Villani and Tran 2019, "Speeding up MCMC by efficient data subsampling" (the
difference estimator); Dang, Quiroz, Kohn, Tran and Villani 2019, "Hamiltonian Monte Carlo with
energy conserving subsampling".

With control variates ``q_i`` close to the terms ``l_i`` and a subsample ``u`` drawn with
replacement, ``l`` is estimated without bias by ``sum_i q_i + n mean_u(l_i - q_i)``, and the
variance of the estimate by ``n^2 / m`` times that of the differences. If the estimate is normal,
then ``exp(estimate - variance / 2)`` is an unbiased estimate of the likelihood. That variance is an
estimate itself, which perturbs the posterior a little: the less, the smaller it is.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Estimate(NamedTuple):
    """An estimate of a sum over all data, and an estimate of its variance; scalars."""

    value: jax.Array
    variance: jax.Array


def estimate_sum(terms: jax.Array, size: int) -> Estimate:
    """Estimate a sum over ``size`` data from terms of a subsample with replacement.

    Parameters
    ----------
    terms : Array
        ``(m,)``.
    size : int
        Number ``n`` of data.

    Examples
    --------
    >>> estimate = estimate_sum(jnp.array([1.0, 2.0, 3.0]), 30)
    >>> float(estimate.value), round(float(estimate.variance), 3)
    (60.0, 200.0)
    """
    return Estimate(size * jnp.mean(terms), size**2 / terms.shape[0] * jnp.var(terms))


def corrected(estimate: Estimate) -> jax.Array:
    """Return the logarithm of what estimates the exponential of the sum without bias, if normal.

    Examples
    --------
    >>> float(corrected(Estimate(jnp.float32(60), jnp.float32(200))))
    -40.0
    """
    return estimate.value - estimate.variance / 2
