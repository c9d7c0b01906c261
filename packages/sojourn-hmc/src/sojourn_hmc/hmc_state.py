"""The state of a chain of HMC or NUTS, as users see it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from sojourn_hmc.adaptation.warmup import HMCAdaptState


class HMCState(NamedTuple):
    """State of an HMC or NUTS chain.

    Attributes
    ----------
    i : Array
        Number of transitions made, warmup included.
    z : pytree
        Unconstrained position, a dict of sites for a model.
    z_grad : pytree
        Gradient of the potential energy, structured as ``z``.
    potential_energy : Array
        Negative log density at ``z`` (unconstrained).
    energy : Array
        Potential plus kinetic energy of the accepted leaf.
    r : pytree or None
        Momentum for the next transition; None draws a fresh one.
    trajectory_length : Array or None
        Length of a trajectory in units of time; None for NUTS or a fixed number of steps.
    num_steps : Array
        Leapfrog steps of the last transition.
    accept_prob : Array
        Acceptance probability of the last transition (for NUTS the mean over the leaves).
    mean_accept_prob : Array
        Mean of ``accept_prob``, begun anew after warmup.
    diverging : Array
        Whether the last transition diverged.
    adapt_state : HMCAdaptState
        Step size, mass matrix, and what their adaptation needs.
    rng_key : Array
        The chain's key; transition ``i`` derives its own from it.
    """

    i: jax.Array
    z: Any
    z_grad: Any
    potential_energy: jax.Array
    energy: jax.Array
    r: Any
    trajectory_length: jax.Array | None
    num_steps: jax.Array
    accept_prob: jax.Array
    mean_accept_prob: jax.Array
    diverging: jax.Array
    adapt_state: HMCAdaptState
    rng_key: jax.Array
