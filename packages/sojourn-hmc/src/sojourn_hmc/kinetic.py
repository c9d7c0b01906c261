"""A kinetic energy of the user's own, exact whatever its shape.

The momentum's law, ``exp(-kinetic energy)``, need not be one that can be drawn from. It is moved by
a Hamiltonian transition of its own instead: the kinetic energy takes the part of the potential, the
Gaussian of the mass matrix that of the momenta. A quarter of a period makes the next momentum
nearly independent of the last, and exactly so, up to the step, where the energy is that Gaussian.

Source: Neal 2011, "MCMC using Hamiltonian dynamics", §3.2: whatever leaves the momentum's law
invariant may refresh it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.mass_matrix import Metric

KineticFn = Callable[[Any, Any], jax.Array]
"""``kinetic_fn(inverse_mass_matrix, momentum)``; even in the momentum, structured as a position."""

REFRESH_STEPS = 8
REFRESH_STEP_SIZE = math.pi / (2 * REFRESH_STEPS)


@dataclass(frozen=True)
class CustomKinetic(Metric):
    """A metric whose kinetic energy is a function of the flat momentum.

    Attributes
    ----------
    gaussian : Metric
        Of the mass matrix: the scale of the momenta, from which the first one is drawn.
    energy : Callable
        Maps a momentum ``(D,)`` to a scalar; even.
    """

    gaussian: Metric
    energy: Callable[[jax.Array], jax.Array]

    refreshes_from_last = True

    def momentum(self, key: jax.Array) -> jax.Array:
        return self.gaussian.momentum(key)

    def velocity(self, momentum: jax.Array) -> jax.Array:
        return jax.grad(self.energy)(momentum)

    def mass_times(self, vector: jax.Array) -> jax.Array:
        return self.gaussian.mass_times(vector)

    def kinetic_energy(self, momentum: jax.Array) -> jax.Array:
        return self.energy(momentum)

    def refresh(self, key: jax.Array, last: jax.Array) -> jax.Array:
        """Move the last momentum by a transition that leaves its law as it is."""
        key_speed, key_accept = jax.random.split(key)
        # How fast the momentum changes, scaled by the mass matrix: its law is Gaussian.
        speed = self.gaussian.momentum(key_speed)
        half = 0.5 * REFRESH_STEP_SIZE

        def force(momentum: jax.Array) -> jax.Array:
            return -self.mass_times(self.velocity(momentum))

        def leapfrog(_: Any, point: tuple) -> tuple:
            momentum, speed = point
            speed = speed + half * force(momentum)
            momentum = momentum + REFRESH_STEP_SIZE * speed
            return momentum, speed + half * force(momentum)

        def total(momentum: jax.Array, speed: jax.Array) -> jax.Array:
            return self.energy(momentum) + self.gaussian.kinetic_energy(speed)

        end, end_speed = lax.fori_loop(0, REFRESH_STEPS, leapfrog, (last, speed))
        gain = total(last, speed) - total(end, end_speed)
        # A gain that is not a number is no acceptance.
        accepted = jnp.log(jax.random.uniform(key_accept, dtype=gain.dtype)) < gain
        return jnp.where(accepted, end, last)
