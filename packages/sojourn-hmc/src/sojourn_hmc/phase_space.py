"""Points of phase space, and the Hamiltonian that moves them: potential, metric, integrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from sojourn_hmc.differentiate import Gradient
from sojourn_hmc.mass_matrix import Metric


class PhasePoint(NamedTuple):
    """A point of phase space with what is known of the potential there; it travels whole.

    Attributes
    ----------
    position, momentum : Array
        Shape ``(D,)``, unconstrained.
    potential_energy : Array
        Scalar, the negative log density at ``position``.
    potential_gradient : Array
        Shape ``(D,)``, its gradient.
    """

    position: jax.Array
    momentum: jax.Array
    potential_energy: jax.Array
    potential_gradient: jax.Array


class Proposal(NamedTuple):
    """The leaf that becomes the next state: a position, what is known there, and its energy.

    Attributes
    ----------
    position, potential_energy, potential_gradient, energy : Array
        ``(D,)``, ``()``, ``(D,)``, ``()``.
    momentum : Array or None
        Kept only where the next momentum depends on it (`Metric.refreshes_from_last`).
    """

    position: jax.Array
    potential_energy: jax.Array
    potential_gradient: jax.Array
    energy: jax.Array
    momentum: Any


Integrator = Callable[[Gradient, Metric, PhasePoint, jax.Array], PhasePoint]


class Hamiltonian(NamedTuple):
    """What a trajectory needs to know of the system.

    Attributes
    ----------
    gradient : Callable
        From `value_and_gradient`: potential energy and its gradient at a flat position.
    metric : Metric
        Kinetic energy.
    integrator : Integrator
        Moves a phase point by one step.
    """

    gradient: Gradient
    metric: Metric
    integrator: Integrator

    def step(self, point: PhasePoint, step_size: jax.Array) -> PhasePoint:
        """Move by one step; a negative step size goes back in time."""
        return self.integrator(self.gradient, self.metric, point, step_size)

    def energy(self, point: PhasePoint) -> jax.Array:
        """Potential plus kinetic energy."""
        return point.potential_energy + self.metric.kinetic_energy(point.momentum)

    def proposal(self, point: PhasePoint, energy: jax.Array) -> Proposal:
        """What of a phase point is kept, should it be chosen."""
        momentum = point.momentum if self.metric.refreshes_from_last else None
        return Proposal(
            point.position, point.potential_energy, point.potential_gradient, energy, momentum
        )
