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

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class ControlVariates(NamedTuple):
    """What stands for the log likelihood terms at a position.

    Attributes
    ----------
    total : Array
        The sum of the control variates of all data of all plates, a scalar; up to a constant of the
        position, which changes no density.
    terms : dict
        The control variate of each index of each plate's subsample, ``(m,)``.
    """

    total: jax.Array
    terms: dict[str, jax.Array]


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


def difference_estimate(
    terms: Mapping[str, jax.Array],
    variates: ControlVariates,
    plate_sizes: Mapping[str, tuple[int, int]],
) -> Estimate:
    """Estimate the log likelihood of all plates: estimates and variances of plates add.

    Parameters
    ----------
    terms : dict
        Log likelihood terms of each plate's subsample, ``(m,)``.
    variates : ControlVariates
        What stands for them.
    plate_sizes : dict
        Size and subsample size of each plate.

    Examples
    --------
    >>> terms = {"N": jnp.array([-1.0, -2.0])}
    >>> variates = ControlVariates(jnp.float32(-9.0), {"N": jnp.array([-1.5, -2.0])})
    >>> estimate = difference_estimate(terms, variates, {"N": (6, 2)})
    >>> float(estimate.value), float(estimate.variance)
    (-7.5, 1.125)
    """
    parts = [
        estimate_sum(terms[name] - variates.terms[name], size)
        for name, (size, _) in plate_sizes.items()
    ]
    return Estimate(
        sum((part.value for part in parts), start=variates.total),
        sum((part.variance for part in parts), start=jnp.zeros_like(variates.total)),
    )


def perturbed_method(
    subsample_plate_sizes: Mapping[str, tuple[int, int]],
    proxy_fn: Callable[[Any, Any], tuple[jax.Array, dict[str, jax.Array]]],
) -> Callable[[Mapping[str, jax.Array], Any, Any], jax.Array]:
    """Make the estimator of a log likelihood from a proxy: `difference_estimate`, `corrected`.

    Parameters
    ----------
    subsample_plate_sizes : dict
        Size and subsample size of each plate.
    proxy_fn : Callable
        ``proxy_fn(params, gibbs_state)`` gives the sum of the control variates of all data, and
        those of the subsample, as in `ControlVariates`.

    Returns
    -------
    Callable
        ``estimator(likelihoods, params, gibbs_state)``, of the terms of each plate's subsample, a
        scalar.

    Examples
    --------
    >>> proxy = lambda params, gibbs_state: (-9.0 * params, {"N": jnp.array([-1.5, -2.0])})
    >>> estimator = perturbed_method({"N": (6, 2)}, proxy)
    >>> float(estimator({"N": jnp.array([-1.0, -2.0])}, jnp.float32(1), ()))
    -8.0625
    """

    def estimator(likelihoods: Mapping[str, jax.Array], params: Any, gibbs_state: Any) -> jax.Array:
        variates = ControlVariates(*proxy_fn(params, gibbs_state))
        return corrected(difference_estimate(likelihoods, variates, subsample_plate_sizes))

    return estimator
