"""Paths of a stochastic differential equation on a grid of times, by the Euler-Maruyama method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous import Normal
from sojourn_distributions.distribution import Distribution, sum_rightmost

__all__ = ["EulerMaruyama"]

Shape = tuple[int, ...]
SDE = Callable[[Any, Any], tuple[Any, Any]]


class EulerMaruyama(Distribution):
    """Paths of ``dx = f(x, t) dt + g(x, t) dW``, each step normal given the value before.

    ``x_(k+1) = x_k + f(x_k, t_k) h + g(x_k, t_k) sqrt(h) e`` with ``h = t_(k+1) - t_k`` and e
    standard normal (Kloeden & Platen 1992, Numerical Solution of Stochastic Differential
    Equations, section 10.2).

    Parameters
    ----------
    t
        Increasing times; shape batch_shape + (num_times,).
    sde_fn
        Function of one value, of the event shape of `init_dist`, and one time that returns drift
        and diffusion (each broadcast to that shape).
    init_dist
        Distribution of the value at the first time; event_shape is ``(num_times,)`` followed by
        its event shape.

    Examples
    --------
    >>> import jax
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> def ornstein_uhlenbeck(x, t):
    ...     return -x, 0.5
    >>> d = dist.EulerMaruyama(np.linspace(0.0, 1.0, 5), ornstein_uhlenbeck, dist.Normal())
    >>> d.sample(jax.random.key(0), (3,)).shape
    (3, 5)
    """

    arg_constraints: ClassVar = {"t": constraints.ordered_vector}
    reparametrized_params = ("t",)
    pytree_data_fields = ("init_dist",)
    pytree_aux_fields = ("sde_fn",)

    t: ArrayLike

    def __init__(
        self,
        t: ArrayLike,
        sde_fn: SDE,
        init_dist: Distribution,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(init_dist, Distribution):
            raise TypeError(
                f"EulerMaruyama: init_dist must be a distribution, got {type(init_dist).__name__}"
            )
        if not callable(sde_fn):
            raise TypeError(
                f"EulerMaruyama: sde_fn must be a function, got {type(sde_fn).__name__}"
            )
        if np.ndim(t) < 1:
            raise ValueError("EulerMaruyama: t must have at least one dimension")
        self.sde_fn = sde_fn
        self.init_dist = init_dist
        self._set_parameters(validate_args, t=t)

    def _batch_shape(self) -> Shape:
        return np.broadcast_shapes(np.shape(self.t)[:-1], self.init_dist.batch_shape)

    def _event_shape(self) -> Shape:
        return np.shape(self.t)[-1:] + self.init_dist.event_shape

    @constraints.dependent_property
    def support(self) -> Any:
        """Any real path."""
        return constraints.independent(constraints.real, self.event_dim)

    @property
    def has_rsample(self) -> bool:
        return self.init_dist.has_rsample

    def _moments(self, value: Any, time: Any, length: Any) -> tuple[Any, Any]:
        """Mean and standard deviation of the next value, for values of shape (N,) + event."""

        def one(value: Any, time: Any, length: Any) -> tuple[Any, Any]:
            drift, diffusion = self.sde_fn(value, time)
            return value + drift * length, jnp.broadcast_to(
                diffusion * jnp.sqrt(length), value.shape
            )

        return jax.vmap(one)(value, time, length)

    def _times(self, batch: Shape) -> tuple[Any, Any]:
        """Times and lengths of the steps, each of shape (num_times - 1, N)."""
        times = jnp.asarray(self.t, self._dtype)
        count = times.shape[-1]
        flat = jnp.broadcast_to(times, (*batch, count)).reshape(-1, count).T
        return flat[:-1], jnp.diff(flat, axis=0)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_start, key_noise = jax.random.split(key)
        batch = tuple(sample_shape) + self.batch_shape
        start = self.init_dist.expand(self.batch_shape).sample(key_start, tuple(sample_shape))
        event = self.init_dist.event_shape
        start = jnp.asarray(start, self._dtype).reshape(-1, *event)
        times, lengths = self._times(batch)
        noise = jax.random.normal(key_noise, (len(times), *start.shape), self._dtype)

        def step(value: Any, inputs: Any) -> tuple[Any, Any]:
            time, length, noise = inputs
            mean, spread = self._moments(value, time, length)
            value = (mean + spread * noise).astype(value.dtype)
            return value, value

        path = jax.lax.scan(step, start, (times, lengths, noise))[1]
        path = jnp.moveaxis(jnp.concatenate([start[None], path]), 0, 1)
        return path.reshape(*batch, *path.shape[1:])

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        value = jnp.asarray(value)
        event_dim, event = self.event_dim, self.init_dist.event_shape
        batch = np.broadcast_shapes(value.shape[: value.ndim - event_dim], self.batch_shape)
        path = jnp.broadcast_to(value, batch + self.event_shape)
        path = jnp.moveaxis(path.reshape(-1, *self.event_shape), 1, 0)
        times, lengths = self._times(batch)
        mean, spread = jax.vmap(self._moments)(path[:-1], times, lengths)
        steps = sum_rightmost(
            Normal(mean, spread, validate_args=False).log_prob(path[1:]), len(event)
        )
        start = self.init_dist.log_prob(path[0].reshape(*batch, *event))
        return start + jnp.sum(steps, axis=0).reshape(batch)
