"""Gibbs and Metropolis updates of the discrete sites of a model, as a kernel.

Sources and invariant: see `sojourn_gibbs.discrete_proposals` and `sojourn_gibbs.discrete_update`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_gibbs.discrete_proposals import choose_proposal
from sojourn_gibbs.discrete_update import num_elements, update_all
from sojourn_gibbs.joint import checked_joint, joint_of, require_model
from sojourn_gibbs.starting_values import check_given, starting_values
from sojourn_hmc import Target, TargetKernel
from sojourn_infer.initialization import init_to_uniform
from sojourn_infer.kernels import choose_target
from sojourn_infer.sites import Model

START = np.uint32(0xFFFFFFFF)  # transitions derive their keys from the counters 0 upwards


class DiscreteGibbsState(NamedTuple):
    """State of a chain of discrete updates.

    Attributes
    ----------
    i : Array
        Number of transitions made.
    z : dict
        Values of the discrete sites.
    potential_energy : Array
        Negative log density there, of all the model.
    accept_prob : Array
        Share of the elements that took what was proposed to them in the last transition.
    rng_key : Array
        The chain's key; transition ``i`` derives its own from it.
    """

    i: jax.Array
    z: dict[str, jax.Array]
    potential_energy: jax.Array
    accept_prob: jax.Array
    rng_key: jax.Array


class DiscreteGibbs(TargetKernel):
    """Moves the discrete sites of a model: alone, or as a block of `Gibbs`.

    Every element of every discrete site is offered a move in each transition. The elements of a
    site that are independent given everything else, such as the assignments of a mixture, move
    together at the cost of one evaluation of the model for each value; this is read off the model's
    program. All others move one at a time, in a random order. Sites marked
    ``infer={"enumerate": "parallel"}`` are summed out.

    A site whose support cannot be listed (Poisson, negative binomial, geometric) is offered the
    values of a random window of 16 integers around the present one, whose stride grows with the
    standard deviation of its prior.

    Parameters
    ----------
    model : Callable or Target
        A model function whose latent sites are all discrete, once those are fixed that other blocks
        move.
    random_walk : bool
        Propose all values alike, in place of the conditional law.
    modified : bool
        Never propose the present value (Liu 1996).

    Examples
    --------
    >>> import jax
    >>> import sojourn_distributions as dist
    >>> from sojourn_gibbs import DiscreteGibbs
    >>> from sojourn_infer import MCMC
    >>> from sojourn_primitives import sample
    >>> def model():
    ...     k = sample("k", dist.DiscreteUniform(3, 6))
    ...     sample("y", dist.Normal(k, 1.0), obs=5.2)
    >>> mcmc = MCMC(DiscreteGibbs(model), num_warmup=10, num_samples=500, progress_bar=False)
    >>> mcmc.run(jax.random.key(0))
    >>> sorted(set(mcmc.get_samples()["k"].tolist()))
    [3, 4, 5, 6]
    """

    def __init__(self, model: Model | Target, *, random_walk: bool = False, modified: bool = False):
        super().__init__(choose_target(model, init_to_uniform), None)
        require_model("DiscreteGibbs", self.target)
        self.random_walk = bool(random_walk)
        self.modified = bool(modified)

    @property
    def sample_field(self) -> str:
        """Values of the sites, in their own space."""
        return "z"

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Raise unless the latent sites are discrete; see `MCMCKernel.check`."""
        latents = checked_joint(self.target, model_args, model_kwargs).latents
        continuous = [site.name for site in latents.sites.values() if not site.is_discrete]
        if continuous:
            raise ValueError(
                f"DiscreteGibbs moves discrete sites, but {continuous} are continuous: give them "
                "to a gradient kernel, as in DiscreteHMCGibbs(NUTS(model)) or "
                "Gibbs([(DiscreteGibbs(model), discrete_latent_sites), (NUTS(model), None)])"
            )
        if not latents.discrete:
            raise ValueError(
                "DiscreteGibbs: the model has no discrete latent site to move; use HMC or NUTS"
            )
        if init_params is not None:
            check_given(init_params, latents, {})

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
    ) -> DiscreteGibbsState:
        """Draw the sites from their prior until the density is finite; see `MCMCKernel.init`."""
        joint = joint_of(self.target, model_args, model_kwargs or {})
        key = jax.random.fold_in(rng_key, START)
        values = starting_values(joint, key, init_params or {}, frozenset())
        energy = -joint.log_density(values)
        return DiscreteGibbsState(
            jnp.zeros((), jnp.int32), values, energy, jnp.zeros_like(energy), rng_key
        )

    def sample(
        self,
        state: DiscreteGibbsState,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
    ) -> DiscreteGibbsState:
        """Offer every element a move; see `MCMCKernel.sample`."""
        joint = joint_of(self.target, model_args, model_kwargs or {})
        outcome = update_all(
            joint,
            state.z,
            jax.random.fold_in(state.rng_key, state.i),
            choose_proposal(self.random_walk, self.modified),
        )
        energy = -joint.log_density(outcome.values)
        share = outcome.accepted / max(1, num_elements(joint.latents))
        return DiscreteGibbsState(
            state.i + 1, outcome.values, energy, share.astype(energy.dtype), state.rng_key
        )

    def refresh(
        self, state: DiscreteGibbsState, model_args: tuple, model_kwargs: dict
    ) -> DiscreteGibbsState:
        """Compute the potential energy anew; see `MCMCKernel.refresh`."""
        joint = joint_of(self.target, model_args, model_kwargs)
        return state._replace(potential_energy=-joint.log_density(state.z))

    def check_start(self, state: DiscreteGibbsState, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if the density is zero at the start."""
        if not np.isfinite(np.asarray(state.potential_energy)):
            joint = joint_of(self.target, model_args, model_kwargs)
            raise ValueError(joint.describe_bad_start(state.z))

    def postprocess_fn(self, model_args: tuple, model_kwargs: dict) -> Callable[[Any], Any]:
        """Return the map that adds the deterministic sites."""
        joint = joint_of(self.target, model_args, model_kwargs)
        return lambda z: joint.reported(z, frozenset())

    def get_diagnostics_str(self, state: DiscreteGibbsState) -> str:
        """Share of the elements that moved."""
        return f"moves taken={float(state.accept_prob):.2f}"
