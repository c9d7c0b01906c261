"""The direction of a normal vector."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.special import logsumexp, ndtr

__all__ = ["ProjectedNormal"]

Shape = tuple[int, ...]

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class ProjectedNormal(Distribution):
    """Distribution of ``z / |z|`` for a normal vector z of mean `concentration`, covariance I.

    Parameters
    ----------
    concentration
        Real vector; shape batch_shape + (d,). Its direction is that of highest density, its length
        says how concentrated the directions are (0: uniform).

    Notes
    -----
    With t the component of the mean along the value x, the density is
    ``(2 pi)**((1 - d) / 2) exp((t**2 - |mean|**2) / 2) J(t)``, where
    ``J(t) = int_0^inf r**(d - 1) phi(r - t) dr`` (Presnell, Morrison & Littell 1998;
    Hernandez-Stumpfhauser, Breidt & van der Woerd 2017), in closed form on the circle and the
    sphere and by quadrature in higher dimensions. `mean` is the mean direction.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.ProjectedNormal(np.array([3.0, 4.0]))
    >>> d.mean.round(3)
    Array([0.6, 0.8], dtype=float32)
    """

    arg_constraints: ClassVar = {"concentration": constraints.real_vector}
    support = constraints.sphere
    reparametrized_params = ("concentration",)

    concentration: ArrayLike

    def __init__(self, concentration: ArrayLike, *, validate_args: bool | None = None) -> None:
        if np.ndim(concentration) < 1 or np.shape(concentration)[-1] < 2:
            raise ValueError(
                "ProjectedNormal: concentration must be a vector of at least 2 elements, got "
                f"shape {np.shape(concentration)}"
            )
        self._set_parameters(validate_args, concentration=concentration)

    def _event_shape(self) -> Shape:
        return np.shape(self.concentration)[-1:]

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.normal(key, self.shape(sample_shape), self._dtype)
        return _direction(self.concentration + noise)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        size = self.event_shape[-1]
        mean = jnp.asarray(self.concentration, self._dtype)
        along = jnp.sum(value * mean, axis=-1)
        # |mean|^2 - t^2 is the squared length of what of the mean is across the value.
        across = mean - along[..., None] * value
        log_scale = 0.5 * jnp.sum(across * across, axis=-1) + (size - 1) * _HALF_LOG_2PI
        log_radial = _closed_log_radial if size <= 3 else _quadrature_log_radial
        return log_radial(along, size) - log_scale

    @property
    def mean(self) -> Any:
        return _direction(jnp.asarray(self.concentration, self._dtype))

    @property
    def mode(self) -> Any:
        return self.mean


def _direction(x: Any) -> Any:
    """Vectors divided by their length; a zero vector becomes the one of equal elements."""
    largest = jnp.max(jnp.abs(x), axis=-1, keepdims=True)
    zero = largest == 0
    x = jnp.where(zero, 1.0, x / jnp.where(zero, 1.0, largest))
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


# Where the closed form cancels as much as the series is truncated, and terms of it, by precision.
_TAIL = {np.dtype(np.float32): (-5.5, 12), np.dtype(np.float64): (-8.0, 20)}


def _closed_log_radial(t: Any, size: int) -> Any:
    """``log J(t)`` for vectors of 2 or 3 elements.

    Far on the negative side, where the closed form is a difference of nearly equal numbers, by
    Watson's lemma: ``phi(t) sum_k (-1)^k (d + 2k - 1)! / (k! 2^k) |t|^-(d + 2k)``.
    """
    tail, terms = _TAIL.get(t.dtype, (-5.5, 12))
    far = t < tail
    near = jnp.where(far, 0.0, t)
    density = jnp.exp(-0.5 * near * near - _HALF_LOG_2PI)
    if size == 2:
        closed = density + near * ndtr(near)
    else:
        closed = (1 + near * near) * ndtr(near) + near * density
    distance = -jnp.where(far, t, tail)
    inverse_square = 1 / (distance * distance)
    series = jnp.zeros_like(distance)
    for k in reversed(range(terms)):  # ratio of term k + 1 to term k
        ratio = -(size + 2 * k) * (size + 2 * k + 1) / (2 * (k + 1))
        series = 1 + ratio * inverse_square * series
    log_far = (
        jnp.log(series)
        + math.lgamma(size)
        - size * jnp.log(distance)
        - 0.5 * distance * distance
        - _HALF_LOG_2PI
    )
    return jnp.where(far, log_far, jnp.log(jnp.where(far, 1.0, closed)))


_NODES = np.arange(-26.0, 9.01, 0.3)


def _quadrature_log_radial(t: Any, size: int) -> Any:
    """``log J(t)`` by the trapezoidal rule in ``log r``, whose nodes follow the integrand's peak.

    The integrand falls off exponentially to the left and faster than that to the right, and is
    analytic in a strip, so that the rule converges exponentially (Trefethen & Weideman 2014).
    """
    root = jnp.sqrt(t * t + 4.0 * size)
    # The peak solves r (r - t) = d; written so that it does not cancel for t < 0.
    peak = jnp.where(t < 0, 2.0 * size / (root - jnp.minimum(t, 0.0)), 0.5 * (t + root))
    width = 1 / jnp.sqrt(peak * root)
    log_r = jnp.log(peak)[..., None] + width[..., None] * _NODES.astype(t.dtype)
    r = jnp.exp(log_r)
    terms = size * log_r - 0.5 * (r - t[..., None]) ** 2
    step = float(_NODES[1] - _NODES[0])
    return logsumexp(terms, axis=-1) + jnp.log(step * width) - _HALF_LOG_2PI
