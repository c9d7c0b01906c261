"""The base class of distributions, and the three wrappers that change their shape or weight.

Shapes follow one vocabulary: a sample has shape ``sample_shape + batch_shape + event_shape``;
the event is what the distribution draws jointly, the batch counts independent draws that may
have different parameters, and `log_prob` has one number per element of sample and batch.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete, namespace
from sojourn_distributions.broadcasting import sum_over
from sojourn_distributions.numerics import log1mexp
from sojourn_distributions.parameters import Parametrized, complaint
from sojourn_distributions.validation import first_violation

__all__ = [
    "Distribution",
    "ExpandedDistribution",
    "Independent",
    "MaskedDistribution",
    "sum_rightmost",
]

Shape = tuple[int, ...]


def sum_rightmost(x: Any, ndims: int) -> Any:
    """Sum over the last `ndims` dimensions."""
    return sum_over(x, range(-ndims, 0)) if ndims else x


class Distribution(Parametrized):
    """A probability distribution over arrays.

    A subclass states `arg_constraints`, `support` and `reparametrized_params`, takes its
    parameters in `__init__` through `_set_parameters`, and writes `sample` and `log_prob`; every
    other method has a default or says that it is not available. The batch shape follows from the
    shapes of the parameters; one whose event is not a scalar also writes `_event_shape`.

    Parameters
    ----------
    batch_shape, event_shape
        Shapes, for a subclass that computes them itself.
    validate_args
        Check concrete parameters against `arg_constraints`: True always, False never, None as
        `enable_validation` says (on unless turned off). Traced parameters are not checked.

    Raises
    ------
    ValueError
        If a concrete parameter violates its constraint, or the parameters do not broadcast.
    """

    @property
    def support(self) -> Any:
        """Constraint that every value with positive probability satisfies."""
        raise NotImplementedError(f"{type(self).__name__} does not state its support")

    @property
    def is_discrete(self) -> bool:
        """Whether the support is countable."""
        return self.support.is_discrete

    @property
    def has_rsample(self) -> bool:
        """Whether samples are differentiable in every parameter."""
        return set(self.arg_constraints) <= set(self.reparametrized_params)

    @property
    def has_enumerate_support(self) -> bool:
        """Whether `enumerate_support` lists the values of a finite support."""
        return False

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        """Draw, with a key of `jax.random`; shape ``sample_shape + batch_shape + event_shape``."""
        raise NotImplementedError(f"{type(self).__name__} cannot be sampled")

    def sample_with_intermediates(self, key: Array, sample_shape: Shape = ()) -> tuple[Any, Any]:
        """Draw, and return with the draw what spares `log_prob` an inversion (or nothing)."""
        return self.sample(key, sample_shape), []

    def rsample(self, key: Array, sample_shape: Shape = ()) -> Any:
        """Draw as a differentiable function of the parameters."""
        if self.has_rsample:
            return self.sample(key, sample_shape)
        raise NotImplementedError(
            f"samples of {type(self).__name__} are not differentiable in all of its parameters"
        )

    def __call__(
        self, rng_key: Array, sample_shape: Shape = (), sample_intermediates: bool = False
    ) -> Any:
        """Draw, as the `sample` statement of a model does."""
        if sample_intermediates:
            return self.sample_with_intermediates(rng_key, sample_shape)
        return self.sample(rng_key, sample_shape)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        """Log density or mass of values; shape ``sample_shape + batch_shape``."""
        raise self._unavailable("log_prob")

    @property
    def mean(self) -> Any:
        """Mean, of shape ``batch_shape + event_shape``."""
        raise self._unavailable("mean")

    @property
    def variance(self) -> Any:
        """Variance of each element, of shape ``batch_shape + event_shape``."""
        raise self._unavailable("variance")

    @property
    def mode(self) -> Any:
        """A point of highest density, of shape ``batch_shape + event_shape``."""
        raise self._unavailable("mode")

    def entropy(self) -> Any:
        """Differential or Shannon entropy in nats, of shape ``batch_shape``."""
        raise self._unavailable("entropy")

    def cdf(self, value: ArrayLike) -> Any:
        """Probability of at most `value`."""
        raise self._unavailable("cdf")

    def log_cdf(self, value: ArrayLike) -> Any:
        """Log of `cdf`; exact in the far lower tail where a distribution overrides it."""
        q = self.cdf(value)
        possible = q > 0  # the logarithm never sees a 0, so that the gradient stays finite
        return jnp.where(possible, jnp.log(jnp.where(possible, q, 1.0)), -jnp.inf)

    def log_survival(self, value: ArrayLike) -> Any:
        """Log probability of more than `value`; exact in the far upper tail where overridden."""
        log_q = self.log_cdf(value)
        possible = log_q < 0
        return jnp.where(possible, log1mexp(jnp.where(possible, log_q, -1.0)), -jnp.inf)

    def icdf(self, q: ArrayLike) -> Any:
        """Value with probability `q` below it."""
        raise self._unavailable("icdf")

    def icdf_from_log(self, log_q: ArrayLike) -> Any:
        """`icdf` of ``exp(log_q)``; exact in the far lower tail where overridden."""
        return self.icdf(jnp.exp(log_q))

    def enumerate_support(self, expand: bool = True) -> Any:
        """Values of a finite support along a new leading dimension.

        Shape ``(size,) + batch_shape + event_shape``; with ``expand=False`` the batch
        dimensions are 1.
        """
        raise self._unavailable("enumerate_support")

    def _unavailable(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no {what}")

    # --- wrappers ------------------------------------------------------------------------

    def expand(self, batch_shape: Shape) -> Distribution:
        """Same distribution with a larger batch of independent draws.

        The parameters are not copied. Raises ValueError if `batch_shape` is not one that the
        present batch shape broadcasts to.
        """
        batch_shape = tuple(batch_shape)
        if batch_shape == self.batch_shape:
            return self
        return ExpandedDistribution(self, batch_shape)

    def expand_by(self, sample_shape: Shape) -> Distribution:
        """Expand with `sample_shape` to the left of the batch shape."""
        return self.expand(tuple(sample_shape) + self.batch_shape)

    def to_event(self, reinterpreted_batch_ndims: int | None = None) -> Distribution:
        """Make the last batch dimensions (all, if None) part of the event."""
        if reinterpreted_batch_ndims is None:
            reinterpreted_batch_ndims = len(self.batch_shape)
        if reinterpreted_batch_ndims == 0:
            return self
        return Independent(self, reinterpreted_batch_ndims)

    def mask(self, mask: ArrayLike) -> Distribution:
        """Count the log density only where `mask` (a bool or boolean array) is True."""
        return self if mask is True else MaskedDistribution(self, mask)

    def validate_sample(self, value: ArrayLike, mask: ArrayLike = True) -> None:
        """Raise ValueError if a concrete value, not masked out, lies outside the support.

        A traced value or mask, or a support with traced bounds, cannot be checked and passes.

        Parameters
        ----------
        value
            Shape ``sample_shape + batch_shape + event_shape``, or one that broadcasts to it.
        mask
            Over the batch: elements that are False are not judged.
        """
        if not (is_concrete(value) and is_concrete(mask)):
            return
        support = self.support
        if np.ndim(value) < support.event_dim:
            raise ValueError(
                f"{type(self).__name__}: a value needs at least {support.event_dim} dimension(s) "
                f"(event shape {self.event_shape}), got shape {np.shape(value)}"
            )
        found = first_violation(value, support, mask)
        if found is not None:
            raise ValueError(
                f"{type(self).__name__} distribution got a value outside its support: "
                + complaint("value", found, support, np.shape(value))
            )

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} with batch shape {self.batch_shape} "
            f"and event shape {self.event_shape}>"
        )


class _Wrapper(Distribution):
    """A distribution that differs from the one it holds only in what a subclass says."""

    pytree_data_fields = ("base_dist",)

    base_dist: Distribution

    def around(self, base_dist: Distribution) -> Distribution:
        """Do to another distribution what this wrapper does to its own."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        return self.base_dist.support

    @property
    def has_rsample(self) -> bool:
        return self.base_dist.has_rsample

    @property
    def has_enumerate_support(self) -> bool:
        return self.base_dist.has_enumerate_support

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self.base_dist.sample(key, sample_shape)

    def sample_with_intermediates(self, key: Array, sample_shape: Shape = ()) -> tuple[Any, Any]:
        return self.base_dist.sample_with_intermediates(key, sample_shape)

    @property
    def mean(self) -> Any:
        return self.base_dist.mean

    @property
    def variance(self) -> Any:
        return self.base_dist.variance

    @property
    def mode(self) -> Any:
        return self.base_dist.mode

    def _event_shape(self) -> Shape:
        return self.base_dist.event_shape


class _SameEvent(_Wrapper):
    """A wrapper that leaves each event as it is."""

    def cdf(self, value: ArrayLike) -> Any:
        return self.base_dist.cdf(value)

    def log_cdf(self, value: ArrayLike) -> Any:
        return self.base_dist.log_cdf(value)

    def log_survival(self, value: ArrayLike) -> Any:
        return self.base_dist.log_survival(value)

    def icdf(self, q: ArrayLike) -> Any:
        return self.base_dist.icdf(q)


class ExpandedDistribution(_SameEvent):
    """A distribution repeated independently to a larger batch shape.

    Parameters
    ----------
    base_dist
        The distribution to repeat; left as it is.
    batch_shape
        A shape that ``base_dist.batch_shape`` broadcasts to.
    """

    def __init__(self, base_dist: Distribution, batch_shape: Shape = ()) -> None:
        batch_shape = tuple(batch_shape)
        if isinstance(base_dist, ExpandedDistribution):
            _check_broadcast(base_dist.batch_shape, batch_shape)
            base_dist = base_dist.base_dist
        _check_broadcast(base_dist.batch_shape, batch_shape)
        self.base_dist = base_dist
        super().__init__(batch_shape, base_dist.event_shape, validate_args=False)

    def _aux_fields(self) -> tuple[str, ...]:
        # The event shape follows the base, which vmap may change.
        return tuple(name for name in super()._aux_fields() if name != "_stored_event_shape")

    def around(self, base_dist: Distribution) -> Distribution:
        return base_dist.expand(self.batch_shape)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self.sample_with_intermediates(key, sample_shape)[0]

    def sample_with_intermediates(self, key: Array, sample_shape: Shape = ()) -> tuple[Any, Any]:
        sample_shape = tuple(sample_shape)
        new, old = self.batch_shape, self.base_dist.batch_shape
        old = (1,) * (len(new) - len(old)) + old
        # Dimensions to repeat are drawn as sample dimensions and then moved into their place.
        repeated = [dim for dim in range(len(new)) if old[dim] == 1 and new[dim] != 1]
        kept = [dim for dim in range(len(new)) if dim not in repeated]
        drawn = self.base_dist.sample_with_intermediates(
            key, sample_shape + tuple(new[dim] for dim in repeated)
        )
        first = len(sample_shape)
        order = tuple(first + (repeated + kept).index(dim) for dim in range(len(new)))
        batch_now = tuple(new[dim] for dim in repeated + kept)
        lead = first + len(repeated) + len(self.base_dist.batch_shape)

        def place(x: Any) -> Any:
            event = tuple(range(first + len(new), first + len(new) + x.ndim - lead))
            x = x.reshape(x.shape[:first] + batch_now + x.shape[lead:])
            return x.transpose(tuple(range(first)) + order + event)

        return jax.tree.map(place, drawn)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        log_prob = self.base_dist.log_prob(value, intermediates)
        shape = np.shape(value)
        batch = shape[: len(shape) - self.event_dim]
        return jnp.broadcast_to(log_prob, np.broadcast_shapes(batch, self.batch_shape))

    def validate_sample(self, value: ArrayLike, mask: ArrayLike = True) -> None:
        self.base_dist.validate_sample(value, mask)

    def _broadcast(self, statistic: Any) -> Any:
        return jnp.broadcast_to(statistic, self.batch_shape + self.event_shape)

    @property
    def mean(self) -> Any:
        return self._broadcast(self.base_dist.mean)

    @property
    def variance(self) -> Any:
        return self._broadcast(self.base_dist.variance)

    @property
    def mode(self) -> Any:
        return self._broadcast(self.base_dist.mode)

    def entropy(self) -> Any:
        return jnp.broadcast_to(self.base_dist.entropy(), self.batch_shape)

    def enumerate_support(self, expand: bool = True) -> Any:
        values = self.base_dist.enumerate_support(expand=False)
        event_shape = self.event_shape
        values = values.reshape(values.shape[:1] + (1,) * len(self.batch_shape) + event_shape)
        if expand:
            xp = namespace(values)
            values = xp.broadcast_to(values, values.shape[:1] + self.batch_shape + event_shape)
        return values


def _check_broadcast(old: Shape, new: Shape) -> None:
    try:
        fits = np.broadcast_shapes(old, new) == new
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"cannot expand a distribution of batch shape {old} to {new}")


class Independent(_Wrapper):
    """A distribution whose last batch dimensions count as part of the event.

    Parameters
    ----------
    base_dist
        The distribution.
    reinterpreted_batch_ndims
        How many batch dimensions move to the event; at most ``len(base_dist.batch_shape)``.
    """

    pytree_aux_fields = ("reinterpreted_batch_ndims",)

    def __init__(
        self,
        base_dist: Distribution,
        reinterpreted_batch_ndims: int,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if not 0 <= reinterpreted_batch_ndims <= len(base_dist.batch_shape):
            raise ValueError(
                f"cannot move {reinterpreted_batch_ndims} batch dimension(s) to the event of a "
                f"{type(base_dist).__name__} with batch shape {base_dist.batch_shape}"
            )
        self.base_dist = base_dist
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self._set_parameters(validate_args)

    def around(self, base_dist: Distribution) -> Distribution:
        return base_dist.to_event(self.reinterpreted_batch_ndims)

    def _batch_shape(self) -> Shape:
        shape = self.base_dist.batch_shape
        return shape[: len(shape) - self.reinterpreted_batch_ndims]

    def _event_shape(self) -> Shape:
        shape = self.base_dist.batch_shape
        return shape[len(shape) - self.reinterpreted_batch_ndims :] + self.base_dist.event_shape

    @property
    def support(self) -> Any:
        return constraints.independent(self.base_dist.support, self.reinterpreted_batch_ndims)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        log_prob = self.base_dist.log_prob(value, intermediates)
        return sum_rightmost(log_prob, self.reinterpreted_batch_ndims)

    def validate_sample(self, value: ArrayLike, mask: ArrayLike = True) -> None:
        if is_concrete(mask):
            each = np.reshape(mask, np.shape(mask) + (1,) * self.reinterpreted_batch_ndims)
            self.base_dist.validate_sample(value, each)

    def entropy(self) -> Any:
        return sum_rightmost(
            jnp.broadcast_to(self.base_dist.entropy(), self.base_dist.batch_shape),
            self.reinterpreted_batch_ndims,
        )

    def enumerate_support(self, expand: bool = True) -> Any:
        if self.reinterpreted_batch_ndims:
            raise NotImplementedError(
                f"the support of a batch of {type(self.base_dist).__name__} taken as one event "
                "is a product that grows exponentially and is not enumerated; "
                "keep the dimensions in the batch (a plate) instead of to_event"
            )
        return self.base_dist.enumerate_support(expand)


class MaskedDistribution(_SameEvent):
    """A distribution whose log density counts only where a mask is True.

    Values that are masked out may be anything, NaN included: neither the log density nor its
    gradient sees them.

    Parameters
    ----------
    base_dist
        The distribution.
    mask
        A bool or boolean array that broadcasts with the batch shape.
    """

    pytree_data_fields = ("_mask",)
    pytree_aux_fields = ("_static_mask",)

    def __init__(self, base_dist: Distribution, mask: ArrayLike) -> None:
        # A plain bool is part of the structure: with False the density is never computed.
        if isinstance(mask, bool | np.bool_):
            self._static_mask = bool(mask)
        else:
            if jnp.result_type(mask) != np.bool_:
                raise ValueError(f"a mask must be boolean, got {jnp.result_type(mask)}")
            self._mask = mask
            base_dist = base_dist.expand(np.broadcast_shapes(np.shape(mask), base_dist.batch_shape))
        self.base_dist = base_dist
        self._set_parameters(False)

    def around(self, base_dist: Distribution) -> Distribution:
        return base_dist.mask(self.mask_value)

    @property
    def mask_value(self) -> Any:
        """The mask: a bool, or a boolean array that broadcasts with the batch shape."""
        return self.__dict__.get("_static_mask", self.__dict__.get("_mask"))

    def _batch_shape(self) -> Shape:
        return self.base_dist.batch_shape

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        mask = self.mask_value
        if mask is True:
            return self.base_dist.log_prob(value, intermediates)
        shape = np.shape(value)
        batch = np.broadcast_shapes(shape[: len(shape) - self.event_dim], self.batch_shape)
        if mask is False:
            return jnp.zeros(batch, self._dtype)
        # Masked-out values are replaced before the density sees them, so that a NaN among them
        # reaches neither the result nor, through 0 * NaN, the gradient.
        over_event = mask.reshape(np.shape(mask) + (1,) * self.event_dim)
        value = jnp.where(over_event, value, self.support.feasible_like(value))
        return jnp.where(mask, self.base_dist.log_prob(value), 0.0)

    def validate_sample(self, value: ArrayLike, mask: ArrayLike = True) -> None:
        own = self.mask_value
        if is_concrete(mask) and is_concrete(own):
            self.base_dist.validate_sample(value, np.logical_and(mask, own))

    def enumerate_support(self, expand: bool = True) -> Any:
        return self.base_dist.enumerate_support(expand)
