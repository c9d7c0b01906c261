"""Functions of parameters, evaluated at once where these are known: numbers, no part of a program.

The parameters of a prior mostly are. Left to a program, the log of a constant is traced, lowered,
compiled and differentiated in every model.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from sojourn_distributions import gamma_functions
from sojourn_distributions.arrays import ArrayLike, float_dtype

__all__ = ["is_any_number", "is_number", "log", "log_beta", "log_dirichlet_normalizer", "log_gamma"]

_MOST = 1000
"""Arrays of more entries are left to the program."""

_LARGEST = 100.0
"""Differences of log gamma functions of larger numbers are left to formulas that do not cancel."""


def is_any_number(x: ArrayLike) -> bool:
    """Whether a parameter is a number of Python, which has no shape and no precision."""
    return type(x) in (int, float)


def is_number(x: ArrayLike, number: float) -> bool:
    """Whether a parameter is this number of Python."""
    return is_any_number(x) and x == number


def log(x: ArrayLike) -> Any:
    """Logarithm of a positive parameter."""
    return _evaluate(np.log, x) if _is_known(x) else jnp.log(x)


def log_gamma(x: ArrayLike) -> Any:
    """Log of the gamma function of a positive parameter."""
    return _evaluate(_log_gamma, x) if _is_known(x) else gammaln(x)


def log_beta(a: ArrayLike, b: ArrayLike) -> Any:
    """Log of the beta function of two positive parameters."""
    if not (_is_known(a, _LARGEST) and _is_known(b, _LARGEST)):
        return gamma_functions.log_beta(a, b)
    return _evaluate(lambda a, b: _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b), a, b)


def log_dirichlet_normalizer(concentration: ArrayLike) -> Any:
    """Log of the integral of ``prod(x ** (concentration - 1))`` over the simplex."""
    if not _is_known(concentration):
        log_each = jnp.sum(gammaln(concentration), axis=-1)
        return log_each - gammaln(jnp.sum(concentration, axis=-1))
    return _evaluate(lambda a: _log_gamma(a).sum(-1) - _log_gamma(a.sum(-1)), concentration)


_log_gamma = np.vectorize(math.lgamma, otypes=[float])


def _is_known(x: ArrayLike, largest: float = math.inf) -> bool:
    """Whether these are positive, finite numbers that NumPy can read."""
    if not isinstance(x, int | float | np.ndarray | np.generic) or np.size(x) > _MOST:
        return False
    return bool(np.all((np.asarray(x) > 0) & (np.asarray(x) < np.inf) & (np.asarray(x) <= largest)))


def _evaluate(function: Any, *args: ArrayLike) -> Any:
    """Evaluate in double precision; Python's numbers stay such, which take any precision."""
    result = function(*(np.asarray(x, float) for x in args))
    if all(isinstance(x, int | float) and not isinstance(x, np.generic) for x in args):
        return float(result)
    return np.asarray(result, float_dtype(*args))
