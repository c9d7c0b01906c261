"""Symplectic integration of Hamilton's equations, one step at a time.

Invariant: a step is volume preserving and reversed exactly by the step of opposite sign, which is
what makes an energy-based accept rule correct (Neal 2011, "MCMC using Hamiltonian dynamics", §5.2).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from sojourn_hmc.differentiate import Gradient
from sojourn_hmc.mass_matrix import MassMatrix


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


Integrator = Callable[[Gradient, MassMatrix, PhasePoint, jax.Array], PhasePoint]


def velocity_verlet(
    gradient: Gradient, mass_matrix: MassMatrix, point: PhasePoint, step_size: jax.Array
) -> PhasePoint:
    """One kick-drift-kick step of second order; one gradient, as the opening kick reuses the last.

    Parameters
    ----------
    gradient : Callable
        From `value_and_gradient`.
    mass_matrix : MassMatrix
        The metric.
    point : PhasePoint
        Where the step starts.
    step_size : Array
        Scalar; negative integrates backwards in time.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from sojourn_hmc.differentiate import value_and_gradient
    >>> gradient = value_and_gradient(lambda q: 0.5 * jnp.sum(q**2))
    >>> mass_matrix = MassMatrix.from_inverse(jnp.ones(1))
    >>> start = PhasePoint(jnp.ones(1), jnp.zeros(1), *gradient(jnp.ones(1)))
    >>> there = velocity_verlet(gradient, mass_matrix, start, 0.1)
    >>> back = velocity_verlet(gradient, mass_matrix, there, -0.1)
    >>> bool(jnp.allclose(back.position, start.position))
    True
    """
    momentum = point.momentum - 0.5 * step_size * point.potential_gradient
    position = point.position + step_size * mass_matrix.velocity(momentum)
    potential_energy, potential_gradient = gradient(position)
    momentum = momentum - 0.5 * step_size * potential_gradient
    return PhasePoint(position, momentum, potential_energy, potential_gradient)
