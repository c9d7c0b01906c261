"""Mixtures, of distributions of one family or of any."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions.arrays import Array, ArrayLike, namespace
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.discrete.categorical import CategoricalBase
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support
from sojourn_distributions.special import logsumexp

__all__ = ["Mixture", "MixtureGeneral", "MixtureSameFamily"]

Shape = tuple[int, ...]

_HULL = {"lower_bound": "minimum", "upper_bound": "maximum"}
_REDUCE = {"lower_bound": "min", "upper_bound": "max"}


def _hull(supports: Sequence[Constraint]) -> Constraint | None:
    """Smallest set of the given ones' kind that holds them all; None if they are of many kinds."""
    first = supports[0]
    if all(support == first for support in supports[1:]):
        return first
    names = first._data_fields()
    if any(type(support) is not type(first) for support in supports) or not set(names) <= set(
        _HULL
    ):
        return None
    bounds = {}
    for name in names:
        values = [getattr(support, name) for support in supports]
        bounds[name] = functools.reduce(getattr(namespace(*values), _HULL[name]), values)
    return dataclasses.replace(first, **bounds)


def _log_sum(terms: Any) -> Any:
    """`logsumexp` over the last dimension, with finite gradients where all are minus infinity."""
    possible = jnp.any(terms > -jnp.inf, axis=-1)
    total = logsumexp(jnp.where(possible[..., None], terms, 0.0), axis=-1)
    return jnp.where(possible, total, -jnp.inf)


class _Mixture(Distribution):
    """A draw of one of several components, which a categorical distribution chooses.

    A subclass keeps the components and answers for each of them; wherever components are stacked
    they lie along the dimension to the left of the event's.
    """

    pytree_data_fields: ClassVar[tuple[str, ...]] = ("mixing_distribution",)

    mixing_distribution: CategoricalBase

    def _check_mixing(self, mixing_distribution: Any) -> int:
        """Take the mixing distribution; return its number of components."""
        if not isinstance(mixing_distribution, CategoricalBase):
            raise ValueError(
                f"{type(self).__name__}: mixing_distribution must be a Categorical, "
                f"got {type(mixing_distribution).__name__}"
            )
        self.mixing_distribution = mixing_distribution
        return mixing_distribution.support.upper_bound + 1

    @property
    def mixture_size(self) -> int:
        """Number of components."""
        return self.mixing_distribution.support.upper_bound + 1

    @property
    def mixture_dim(self) -> int:
        """Dimension of a stacked sample along which the components lie."""
        return -self.event_dim - 1

    @property
    def is_discrete(self) -> bool:
        return self.support.is_discrete

    @property
    def has_rsample(self) -> bool:
        """False: the choice of a component is not differentiable in the weights."""
        return False

    def component_sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        """Draw from every component; stacked."""
        raise NotImplementedError

    def _component_log_prob(self, value: Any) -> Any:
        """Log density of each component; components last."""
        raise NotImplementedError

    def component_cdf(self, value: ArrayLike) -> Any:
        """Probability of at most `value` in each component; components last."""
        raise NotImplementedError

    @property
    def component_mean(self) -> Any:
        """Means of the components; stacked."""
        raise NotImplementedError

    @property
    def component_variance(self) -> Any:
        """Variances of the components; stacked."""
        raise NotImplementedError

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self.sample_with_intermediates(key, sample_shape)[0]

    def sample_with_intermediates(self, key: Array, sample_shape: Shape = ()) -> tuple[Any, Any]:
        """Draw; the intermediate is the index of the component."""
        key_index, key_component = jax.random.split(key)
        index = self.mixing_distribution.expand(self.batch_shape).sample(key_index, sample_shape)
        draws = self.component_sample(key_component, sample_shape)
        chosen = jnp.expand_dims(index, tuple(range(self.mixture_dim, 0)))
        value = jnp.take_along_axis(draws, chosen, axis=self.mixture_dim)
        return jnp.squeeze(value, self.mixture_dim), [index]

    def component_log_probs(self, value: ArrayLike) -> Any:
        """Log density of each component times its weight; components last."""
        log_weights = jax.nn.log_softmax(self.mixing_distribution.logits, axis=-1)
        return log_weights + self._component_log_prob(value)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        return _log_sum(self.component_log_probs(value))

    def cdf(self, value: ArrayLike) -> Any:
        return jnp.sum(self.component_cdf(value) * self.mixing_distribution.probs, axis=-1)

    def _average(self, statistic: Any) -> Any:
        probs = self.mixing_distribution.probs
        weights = jnp.reshape(probs, np.shape(probs) + (1,) * self.event_dim)
        # A component that is never chosen may lack the moment.
        return jnp.sum(jnp.where(weights > 0, weights * statistic, 0.0), axis=self.mixture_dim)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self._average(self.component_mean), self.shape())

    @property
    def variance(self) -> Any:
        within = self._average(self.component_variance)
        center = jnp.expand_dims(self._average(self.component_mean), self.mixture_dim)
        between = self._average(jnp.square(self.component_mean - center))
        return jnp.broadcast_to(within + between, self.shape())

    def _spread(self, values: Any, expand: bool) -> Any:
        """Values of the support, along a first dimension, with the dimensions of the batch."""
        event_shape = self.event_shape
        values = values.reshape((-1,) + (1,) * len(self.batch_shape) + event_shape)
        if expand:
            shape = values.shape[:1] + self.batch_shape + event_shape
            values = namespace(values).broadcast_to(values, shape)
        return values


class MixtureSameFamily(_Mixture):
    """Mixture whose components are the last batch dimension of one distribution.

    Parameters
    ----------
    mixing_distribution
        Categorical over the components; its batch shape is that of the mixture.
    component_distribution
        Batch shape of the mixture plus ``(number of components,)``.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> weights = dist.Categorical(np.array([0.3, 0.7]))
    >>> mixture = dist.MixtureSameFamily(weights, dist.Normal(np.array([-1.0, 2.0]), 1.0))
    >>> mixture.batch_shape, round(float(mixture.mean), 4)
    ((), 1.1)
    """

    pytree_data_fields = ("component_distribution",)

    def __init__(
        self,
        mixing_distribution: Distribution,
        component_distribution: Distribution,
        *,
        validate_args: bool | None = None,
    ) -> None:
        size = self._check_mixing(mixing_distribution)
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                "MixtureSameFamily: component_distribution must be a distribution, got "
                f"{type(component_distribution).__name__}; a list of distributions makes a "
                "MixtureGeneral"
            )
        batch = component_distribution.batch_shape
        if not batch or batch[-1] != size:
            raise ValueError(
                f"MixtureSameFamily: {size} weights, but the component distribution has batch "
                f"shape {batch}, whose last dimension should be {size}"
            )
        self.component_distribution = component_distribution
        self._set_parameters(validate_args)

    def _batch_shape(self) -> Shape:
        return np.broadcast_shapes(
            self.mixing_distribution.batch_shape, self.component_distribution.batch_shape[:-1]
        )

    def _event_shape(self) -> Shape:
        return self.component_distribution.event_shape

    @property
    def support(self) -> Any:
        support = self.component_distribution.support
        if not any(np.ndim(bound) for bound in jax.tree.leaves(support)):
            return support
        # Bounds that differ between the components: a value may be any component's.
        if support.event_dim or not set(support._data_fields()) <= set(_HULL):
            raise NotImplementedError(
                f"MixtureSameFamily: the supports of the components differ ({support!r}); "
                "use MixtureGeneral with support=..."
            )
        bounds = {}
        for name in support._data_fields():
            bound = getattr(support, name)
            if np.ndim(bound):
                bound = getattr(namespace(bound), _REDUCE[name])(bound, axis=-1)
            bounds[name] = bound
        return dataclasses.replace(support, **bounds)

    @property
    def is_discrete(self) -> bool:
        return self.component_distribution.is_discrete

    @property
    def has_enumerate_support(self) -> bool:
        return self.component_distribution.has_enumerate_support

    def enumerate_support(self, expand: bool = True) -> Any:
        return self._spread(self.component_distribution.enumerate_support(expand=False), expand)

    def component_sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        components = self.component_distribution.expand((*self.batch_shape, self.mixture_size))
        return components.sample(key, sample_shape)

    def _component_log_prob(self, value: Any) -> Any:
        return self.component_distribution.log_prob(jnp.expand_dims(value, self.mixture_dim))

    def component_cdf(self, value: ArrayLike) -> Any:
        return self.component_distribution.cdf(jnp.expand_dims(value, self.mixture_dim))

    @property
    def component_mean(self) -> Any:
        return self.component_distribution.mean

    @property
    def component_variance(self) -> Any:
        return self.component_distribution.variance


class MixtureGeneral(_Mixture):
    """Mixture of distributions of any families, with events of one shape.

    Parameters
    ----------
    mixing_distribution
        Categorical over the components.
    component_distributions
        As many distributions as there are categories; their batch shapes broadcast together.
    support
        Set of the values of the mixture, where the components do not agree on theirs: a
        component counts only for values of its own support.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> weights = dist.Categorical(np.array([0.25, 0.75]))
    >>> parts = [dist.Normal(0.0, 1.0), dist.HalfNormal(2.0)]
    >>> mixture = dist.MixtureGeneral(weights, parts, support=dist.constraints.real)
    >>> round(float(mixture.log_prob(-1.0)), 4)
    -2.8052
    """

    pytree_data_fields = ("component_distributions", "_support")

    def __init__(
        self,
        mixing_distribution: Distribution,
        component_distributions: Sequence[Distribution],
        *,
        support: Constraint | None = None,
        validate_args: bool | None = None,
    ) -> None:
        size = self._check_mixing(mixing_distribution)
        if not isinstance(component_distributions, list | tuple):
            raise ValueError(
                "MixtureGeneral: component_distributions must be a list of distributions, "
                f"got {type(component_distributions).__name__}"
            )
        parts = list(component_distributions)
        for i, part in enumerate(parts):
            if not isinstance(part, Distribution):
                raise ValueError(
                    f"MixtureGeneral: component_distributions[{i}] must be a distribution, "
                    f"got {type(part).__name__}"
                )
        if len(parts) != size:
            raise ValueError(f"MixtureGeneral: {size} weights, but {len(parts)} components")
        shapes = [part.event_shape for part in parts]
        if len(set(shapes)) > 1:
            raise ValueError(f"MixtureGeneral: components with different event shapes {shapes}")
        if support is not None:
            if not isinstance(support, Constraint):
                raise ValueError(f"MixtureGeneral: support must be a constraint, got {support!r}")
            self._support = support
        elif _hull([part.support for part in parts]) is None:
            raise ValueError(
                "MixtureGeneral: the components have different supports, "
                f"{[part.support for part in parts]}; say with support=... which values the "
                "mixture has"
            )
        self.component_distributions = parts
        self._set_parameters(validate_args)

    def _batch_shape(self) -> Shape:
        parts = [part.batch_shape for part in self.component_distributions]
        return np.broadcast_shapes(self.mixing_distribution.batch_shape, *parts)

    def _event_shape(self) -> Shape:
        return self.component_distributions[0].event_shape

    @property
    def support(self) -> Any:
        given = self.__dict__.get("_support")
        if given is not None:
            return given
        return _hull([part.support for part in self.component_distributions])

    @property
    def has_enumerate_support(self) -> bool:
        return not self.event_dim and all(
            part.has_enumerate_support for part in self.component_distributions
        )

    def enumerate_support(self, expand: bool = True) -> Any:
        if not self.has_enumerate_support:
            raise self._unavailable("enumerate_support")
        each = [part.enumerate_support(expand=False) for part in self.component_distributions]
        return self._spread(
            np.unique(np.concatenate([np.ravel(values) for values in each])), expand
        )

    def component_sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        keys = jax.random.split(key, self.mixture_size)
        draws = [
            part.expand(self.batch_shape).sample(key, sample_shape)
            for part, key in zip(self.component_distributions, keys, strict=True)
        ]
        return jnp.stack(draws, axis=self.mixture_dim)

    def _component_log_prob(self, value: Any) -> Any:
        whole = self.support
        log_probs = [
            self._one_log_prob(part, value, whole) for part in self.component_distributions
        ]
        return jnp.stack(jnp.broadcast_arrays(*log_probs), axis=-1)

    def _one_log_prob(self, part: Distribution, value: Any, whole: Constraint) -> Any:
        support = part.support
        if support == whole:
            return part.log_prob(value)
        inside = support(value)
        over_event = jnp.expand_dims(inside, tuple(range(-self.event_dim, 0)))
        log_prob = part.log_prob(jnp.where(over_event, value, support.feasible_like(value)))
        return on_support(inside, log_prob)

    def component_cdf(self, value: ArrayLike) -> Any:
        parts = [part.cdf(value) for part in self.component_distributions]
        return jnp.stack(jnp.broadcast_arrays(*parts), axis=-1)

    def _stack(self, statistics: list[Any]) -> Any:
        shape = self.shape()
        return jnp.stack([jnp.broadcast_to(s, shape) for s in statistics], axis=self.mixture_dim)

    @property
    def component_mean(self) -> Any:
        return self._stack([part.mean for part in self.component_distributions])

    @property
    def component_variance(self) -> Any:
        return self._stack([part.variance for part in self.component_distributions])


def Mixture(
    mixing_distribution: Distribution,
    component_distributions: Distribution | Sequence[Distribution],
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """Mixture of the components in a list, or in the last batch dimension of one distribution."""
    if isinstance(component_distributions, Distribution):
        return MixtureSameFamily(
            mixing_distribution, component_distributions, validate_args=validate_args
        )
    return MixtureGeneral(mixing_distribution, component_distributions, validate_args=validate_args)
