"""What distributions with a gate at zero share: how the gate is given, and the support with 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike, is_concrete
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.discrete.parameterization import log_probability
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log_complement

__all__ = ["Gated", "GatedByLogits", "GatedByProbs", "OrZero", "choose_gate"]

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class OrZero(Constraint):
    """0, or a value of another set."""

    base_constraint: Constraint

    @property
    def is_discrete(self) -> bool:
        return self.base_constraint.is_discrete

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x == 0) | self.base_constraint._holds(x, xp)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)


def _with_zero(support: Constraint) -> Constraint:
    holds = support(0)
    if is_concrete(holds) and np.all(holds):
        return support
    if isinstance(support, type(constraints.positive)):
        return constraints.nonnegative
    if isinstance(support, type(constraints.positive_integer)):
        return constraints.nonnegative_integer
    return OrZero(support)


class Gated(Distribution):
    """0 where a gate is open, and otherwise what a subclass makes of a base distribution."""

    pytree_data_fields = ("_base_dist",)

    _base_dist: Distribution

    if TYPE_CHECKING:

        @property
        def gate(self) -> Any: ...

    def _log_gates(self) -> tuple[Any, Any]:
        """Log probabilities that the gate is open (value 0) and shut."""
        raise NotImplementedError

    @property
    def base_dist(self) -> Distribution:
        """Distribution behind the gate."""
        return self._base_dist

    def _check_base(self, base_dist: Any, *, discrete: bool) -> None:
        fits = isinstance(base_dist, Distribution) and not base_dist.event_dim
        if not fits or (discrete and not base_dist.is_discrete):
            kind = "integers" if discrete else "numbers"
            raise ValueError(
                f"{type(self).__name__}: base_dist must be a distribution on {kind} with scalar "
                f"events, got {base_dist!r}"
            )

    def _batch_shape(self) -> Shape:
        shapes = [np.shape(parameter) for parameter in self.get_args().values()]
        if "_base_dist" in self.__dict__:  # else the parameters make the base
            shapes.append(self._base_dist.batch_shape)
        return np.broadcast_shapes(*shapes)

    @property
    def support(self) -> Any:
        return _with_zero(self.base_dist.support)

    @property
    def is_discrete(self) -> bool:
        return self.base_dist.is_discrete

    @property
    def has_enumerate_support(self) -> bool:
        return self.base_dist.has_enumerate_support

    def enumerate_support(self, expand: bool = True) -> Any:
        values = np.ravel(self.base_dist.enumerate_support(expand=False))
        if 0 not in values:
            values = np.concatenate([np.zeros(1, values.dtype), values])
        values = values.reshape((-1,) + (1,) * len(self.batch_shape))
        return np.broadcast_to(values, values.shape[:1] + self.batch_shape) if expand else values


class GatedByProbs(Gated):
    """Mixin: the gate by its probability."""

    arg_constraints: ClassVar = {"gate": constraints.unit_interval}

    gate: ArrayLike = None

    def _log_gates(self) -> tuple[Any, Any]:
        return log_probability(self.gate), log_complement(self.gate)


class GatedByLogits(Gated):
    """Mixin: the gate by its log odds."""

    arg_constraints: ClassVar = {"gate_logits": constraints.real}

    gate_logits: ArrayLike

    @property
    def gate(self) -> Any:
        """Probability that the gate is open and the value 0."""
        return jax.nn.sigmoid(self.gate_logits)

    def _log_gates(self) -> tuple[Any, Any]:
        return -jax.nn.softplus(-self.gate_logits), -jax.nn.softplus(self.gate_logits)


def choose_gate(
    by_probs: Callable[..., Distribution],
    by_logits: Callable[..., Distribution],
    base_dist: Distribution,
    gate: ArrayLike | None,
    gate_logits: ArrayLike | None,
    validate_args: bool | None,
) -> Distribution:
    """Build the class for whichever of `gate` and `gate_logits` is given; exactly one must be."""
    given = [n for n, v in (("gate", gate), ("gate_logits", gate_logits)) if v is not None]
    if len(given) != 1:
        raise ValueError(f"Exactly one of ['gate', 'gate_logits'] must be specified; got {given}.")
    if gate is not None:
        return by_probs(base_dist, gate, validate_args=validate_args)
    return by_logits(base_dist, gate_logits, validate_args=validate_args)
