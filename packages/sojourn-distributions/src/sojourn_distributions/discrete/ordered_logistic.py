"""The ordered logistic distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.discrete.categorical import CategoricalBase, pick
from sojourn_distributions.numerics import log1mexp

__all__ = ["OrderedLogistic"]


class OrderedLogistic(CategoricalBase):
    """The category of a logistic variable among intervals that cutpoints separate.

    ``P(value >= j) = sigmoid(predictor - cutpoints[j - 1])`` for j = 1, ..., K - 1
    (McCullagh 1980, "Regression models for ordinal data", the proportional odds model).

    Parameters
    ----------
    predictor
        Location of the logistic variable, a real number.
    cutpoints
        Strictly increasing; shape batch_shape + (K - 1,) for K categories.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> np.asarray(dist.OrderedLogistic(0.0, np.array([-1.0, 1.0])).probs).round(2)
    array([0.27, 0.46, 0.27], dtype=float32)
    """

    arg_constraints: ClassVar = {
        "predictor": constraints.real,
        "cutpoints": constraints.ordered_vector,
    }

    predictor: ArrayLike
    cutpoints: ArrayLike

    def __init__(
        self, predictor: ArrayLike, cutpoints: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        if np.ndim(cutpoints) < 1:
            raise ValueError(
                "OrderedLogistic: cutpoints needs a dimension of categories, "
                f"got the number {cutpoints}"
            )
        self._set_parameters(validate_args, predictor=predictor, cutpoints=cutpoints)

    @property
    def _size(self) -> int:
        return np.shape(self.cutpoints)[-1] + 1

    @property
    def logits(self) -> Any:
        """Log probabilities of the categories."""
        # sigmoid(u) - sigmoid(v) = sigmoid(u) sigmoid(-v) (1 - exp(v - u)): no cancellation, and
        # the predictor drops out of the last factor.
        cutpoints = jnp.asarray(self.cutpoints)
        below = cutpoints - jnp.expand_dims(self.predictor, -1)
        certain = jnp.zeros_like(below[..., :1])
        gaps = log1mexp(cutpoints[..., :-1] - cutpoints[..., 1:])
        gaps = jnp.broadcast_to(gaps, below[..., 1:].shape)
        return (
            jnp.concatenate([jax.nn.log_sigmoid(below), certain], axis=-1)
            + jnp.concatenate([certain, jax.nn.log_sigmoid(-below)], axis=-1)
            + jnp.concatenate([certain, gaps, certain], axis=-1)
        )

    @property
    def probs(self) -> Any:
        """Probabilities of the categories."""
        return jnp.exp(self.logits)

    def _log_mass(self, index: Any) -> Any:
        return pick(self.logits, index)
