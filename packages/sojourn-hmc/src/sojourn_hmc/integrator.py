"""Symplectic integration of Hamilton's equations, one step at a time.

Invariant: a step is volume preserving and reversed exactly by the step of opposite sign, which is
what makes an energy-based accept rule correct (Neal 2011, "MCMC using Hamiltonian dynamics", §5.2).
Every step is a palindrome of kicks (of the momentum) and drifts (of the position), kicks at both
ends; the closing kick's gradient serves the next step, so a step of ``s`` drifts costs ``s``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_hmc.differentiate import Gradient
from sojourn_hmc.mass_matrix import Metric
from sojourn_hmc.phase_space import PhasePoint


@dataclass(frozen=True)
class Splitting:
    """A palindromic integrator ``kick, drift, kick, ..., drift, kick``; called, it takes a step.

    Parameters
    ----------
    kicks, drifts : tuple of float
        Fractions of the step, ``s + 1`` kicks and ``s`` drifts; each sums to 1 and reads the same
        backwards.

    Raises
    ------
    ValueError
        If the coefficients are not of that form.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from sojourn_hmc.differentiate import value_and_gradient
    >>> from sojourn_hmc.mass_matrix import MassMatrix
    >>> gradient = value_and_gradient(lambda q: 0.5 * jnp.sum(q**2))
    >>> metric = MassMatrix.from_inverse(jnp.ones(1))
    >>> start = PhasePoint(jnp.ones(1), jnp.zeros(1), *gradient(jnp.ones(1)))
    >>> there = velocity_verlet(gradient, metric, start, 0.1)
    >>> back = velocity_verlet(gradient, metric, there, -0.1)
    >>> bool(jnp.allclose(back.position, start.position))
    True
    """

    kicks: tuple[float, ...]
    drifts: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.kicks) != len(self.drifts) + 1 or not self.drifts:
            raise ValueError(
                f"a splitting has one kick more than drifts, got {len(self.kicks)} kicks and "
                f"{len(self.drifts)} drifts"
            )
        for name, coefficients in (("kicks", self.kicks), ("drifts", self.drifts)):
            if not np.allclose(coefficients, coefficients[::-1], rtol=0, atol=1e-12):
                raise ValueError(
                    f"{name} {coefficients} do not read the same backwards, so the step could not "
                    "be reversed"
                )
            if abs(math.fsum(coefficients) - 1) > 1e-9:
                raise ValueError(f"{name} must sum to 1, got {math.fsum(coefficients)}")

    @property
    def num_gradients(self) -> int:
        """Gradients that one step costs."""
        return len(self.drifts)

    def __call__(
        self, gradient: Gradient, metric: Metric, point: PhasePoint, step_size: jax.Array
    ) -> PhasePoint:
        """Take one step.

        Parameters
        ----------
        gradient : Callable
            From `value_and_gradient`.
        metric : Metric
            Gives the velocity.
        point : PhasePoint
            Where the step starts.
        step_size : Array
            Scalar; negative integrates backwards in time.
        """

        def stage(point: PhasePoint, drift: Any, kick: Any) -> PhasePoint:
            position = point.position + drift * step_size * metric.velocity(point.momentum)
            potential_energy, potential_gradient = gradient(position)
            momentum = point.momentum - kick * step_size * potential_gradient
            return PhasePoint(position, momentum, potential_energy, potential_gradient)

        momentum = point.momentum - self.kicks[0] * step_size * point.potential_gradient
        point = point._replace(momentum=momentum)
        if self.num_gradients == 1:
            return stage(point, self.drifts[0], self.kicks[1])
        dtype = point.position.dtype
        coefficients = (jnp.asarray(self.drifts, dtype), jnp.asarray(self.kicks[1:], dtype))
        # A loop, so that the gradient stands in the program once.
        return lax.scan(lambda point, now: (stage(point, *now), None), point, coefficients)[0]


velocity_verlet = Splitting((0.5, 0.5), (1.0,))
"""The leapfrog: kick, drift, kick, of second order, one gradient a step."""


def _two_stage(b: float) -> Splitting:
    return Splitting((b, 1 - 2 * b, b), (0.5, 0.5))


def _three_stage(b: float, a: float) -> Splitting:
    return Splitting((b, 0.5 - b, 0.5 - b, b), (a, 1 - 2 * a, a))


_C = (36 + 2 * math.sqrt(326)) ** (1 / 3)

two_stage = _two_stage(0.21178098)
"""Two gradients a step; least energy error on a Gaussian at long steps (Blanes, Casas, Sanz-Serna
2014, "Numerical integrators for the Hybrid Monte Carlo method")."""

two_stage_minimum_error = _two_stage(0.5 - _C / 12 + 1 / (6 * _C))
"""Two gradients a step; least error as the step goes to 0 (McLachlan 1995, "On the numerical
integration of ordinary differential equations by symmetric composition methods")."""

three_stage = _three_stage(0.11888010966548, 0.29619504261126)
"""Three gradients a step; least energy error on a Gaussian at long steps (Blanes et al. 2014)."""

three_stage_minimum_error = _three_stage(0.108991425403425322, 0.290485609075128726)
"""Three gradients a step; least error as the step goes to 0 (Predescu et al. 2012,
"Computationally efficient molecular dynamics integrators with improved sampling accuracy")."""
