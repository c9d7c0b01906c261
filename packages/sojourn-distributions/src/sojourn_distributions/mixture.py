"""Mixtures of distributions of one family."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.discrete.categorical import CategoricalLogits, CategoricalProbs
from sojourn_distributions.distribution import Distribution

__all__ = ["MixtureSameFamily"]

Shape = tuple[int, ...]


class MixtureSameFamily(Distribution):
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

    pytree_data_fields = ("mixing_distribution", "component_distribution")

    def __init__(
        self,
        mixing_distribution: Distribution,
        component_distribution: Distribution,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixing_distribution, CategoricalProbs | CategoricalLogits):
            raise ValueError(
                "MixtureSameFamily: mixing_distribution must be a Categorical, "
                f"got {type(mixing_distribution).__name__}"
            )
        size = mixing_distribution.support.upper_bound + 1
        batch = component_distribution.batch_shape
        if not batch or batch[-1] != size:
            raise ValueError(
                f"MixtureSameFamily: {size} weights, but the component distribution has batch "
                f"shape {batch}, whose last dimension should be {size}"
            )
        self.mixing_distribution = mixing_distribution
        self.component_distribution = component_distribution
        self._set_parameters(validate_args)

    def _batch_shape(self) -> Shape:
        return np.broadcast_shapes(
            self.mixing_distribution.batch_shape, self.component_distribution.batch_shape[:-1]
        )

    def _event_shape(self) -> Shape:
        return self.component_distribution.event_shape

    @property
    def mixture_size(self) -> int:
        """Number of components."""
        return self.component_distribution.batch_shape[-1]

    @property
    def mixture_dim(self) -> int:
        """Dimension of a stacked sample along which the components lie."""
        return -self.event_dim - 1

    @property
    def support(self) -> Any:
        return self.component_distribution.support

    @property
    def is_discrete(self) -> bool:
        return self.component_distribution.is_discrete

    @property
    def has_rsample(self) -> bool:
        """False: the choice of a component is not differentiable in the weights."""
        return False

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self.sample_with_intermediates(key, sample_shape)[0]

    def sample_with_intermediates(self, key: Array, sample_shape: Shape = ()) -> tuple[Any, Any]:
        """Draw; the intermediate is the index of the component."""
        key_index, key_component = jax.random.split(key)
        mixing = self.mixing_distribution.expand(self.batch_shape)
        components = self.component_distribution.expand((*self.batch_shape, self.mixture_size))
        index = mixing.sample(key_index, sample_shape)
        draws = components.sample(key_component, sample_shape)
        chosen = jnp.expand_dims(index, tuple(range(self.mixture_dim, 0)))
        value = jnp.take_along_axis(draws, chosen, axis=self.mixture_dim)
        return jnp.squeeze(value, self.mixture_dim), [index]

    @property
    def _log_weights(self) -> Any:
        return jax.nn.log_softmax(self.mixing_distribution.logits, axis=-1)

    def component_log_probs(self, value: ArrayLike) -> Any:
        """Log density of each component times its weight; components last."""
        value = jnp.expand_dims(value, self.mixture_dim)
        return self._log_weights + self.component_distribution.log_prob(value)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        return logsumexp(self.component_log_probs(value), axis=-1)

    def cdf(self, value: ArrayLike) -> Any:
        below = self.component_distribution.cdf(jnp.expand_dims(value, self.mixture_dim))
        return jnp.sum(below * self.mixing_distribution.probs, axis=-1)

    def _average(self, statistic: Any) -> Any:
        probs = self.mixing_distribution.probs
        weights = jnp.reshape(probs, np.shape(probs) + (1,) * self.event_dim)
        return jnp.sum(weights * statistic, axis=self.mixture_dim)

    @property
    def component_mean(self) -> Any:
        """Means of the components."""
        return self.component_distribution.mean

    @property
    def component_variance(self) -> Any:
        """Variances of the components."""
        return self.component_distribution.variance

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self._average(self.component_mean), self.shape())

    @property
    def variance(self) -> Any:
        within = self._average(self.component_variance)
        center = jnp.expand_dims(self._average(self.component_mean), self.mixture_dim)
        between = self._average(jnp.square(self.component_mean - center))
        return jnp.broadcast_to(within + between, self.shape())
