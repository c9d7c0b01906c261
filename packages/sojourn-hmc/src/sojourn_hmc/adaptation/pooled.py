"""One step size and one mass matrix for all chains of a batch, learned from all of them.

Chains meet after set numbers of transitions. There the acceptance probabilities of all chains since
the last meeting make one error for dual averaging, and their sums are added up as those of one
sample (Chan, Golub and LeVeque 1983). In between nothing changes, so that chains need not be at the
same transition. With hundreds of chains a mean of few transitions is exact enough, and a short
warmup does.

On the way in the mean of the chains is a harmonic one. An arithmetic mean is satisfied by a
majority that has arrived, with steps by which a chain far out, where curvature is high, never moves
again. Later it would be wrong: in a funnel some chain is always rejected, and would shrink the
steps of all.

Source: Hoffman, Radul and Sountsov 2021, "An adaptive-MCMC scheme for setting trajectory lengths in
Hamiltonian Monte Carlo" (statistics of many chains in place of one chain's history; the harmonic
mean of their acceptance probabilities).

Invariant: all that is shared is fixed from the end of the warmup on; given it, chains are
independent, and each leaves the target as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sojourn_hmc.adaptation import dual_averaging
from sojourn_hmc.adaptation.shared import EVERY, Poolable, SharedWarmup, beside
from sojourn_hmc.adaptation.warmup import HMCAdaptState, Observation, SearchStepSize, Warmup
from sojourn_hmc.blocks import Blocks
from sojourn_hmc.start import StartPoint

EAGER_MEETINGS = 20
"""After every transition at first, and after a new mass matrix: dual averaging swings till then.

Then after every `EVERY`.
"""
FEWEST_INWARD, MOST_INWARD = 20, 75
"""Bounds of the transitions, 15% of the warmup, in which the slowest chain counts most."""


@dataclass(frozen=True)
class Pooled:
    """Ask for a warmup that all chains of a batch share: ``NUTS(model, warmup=Pooled("fisher"))``.

    It works where chains run as a batch (``chain_method="vectorized"``, or several chains on each
    device); chains of one device share it.

    Parameters
    ----------
    warmup : str or type of Warmup
        Which one: ``"stan"``, ``"fisher"``, ``"low_rank"``, or a class of one's own that is
        `Poolable`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, NUTS, Pooled
    >>> scale = jnp.array([0.1, 1.0, 10.0])
    >>> kernel = NUTS(
    ...     potential_fn=lambda z: 0.5 * jnp.sum((z / scale) ** 2), warmup=Pooled("fisher")
    ... )
    >>> mcmc = MCMC(
    ...     kernel,
    ...     num_warmup=50,
    ...     num_samples=10,
    ...     num_chains=16,
    ...     chain_method="vectorized",
    ...     progress_bar=False,
    ... )
    >>> mcmc.run(jax.random.key(0), init_params=jnp.ones((16, 3)))
    >>> step_size = mcmc.last_state.adapt_state.step_size
    >>> bool((step_size == step_size[0]).all())
    True
    """

    warmup: str | type[Warmup] = "stan"


class PooledState(NamedTuple):
    """What the mass matrix is estimated from.

    Attributes
    ----------
    common : pytree
        What the warmup keeps of all chains up to the last meeting.
    sums : pytree
        What a chain has found since.
    sum_accept_prob, num_transitions : Array
        Likewise.
    """

    common: Any
    sums: Any
    sum_accept_prob: jax.Array
    num_transitions: jax.Array


class PooledWarmup(SharedWarmup):
    """Share a warmup among chains.

    Parameters
    ----------
    warmup : Warmup
        What is shared; it has to be `Poolable`.

    Raises
    ------
    ValueError
        If it is not.
    """

    def __init__(self, warmup: Warmup):
        if not isinstance(warmup, Poolable):
            raise ValueError(
                f"Pooled cannot share {type(warmup).__name__} among chains, because it does not "
                "learn from sums: choose Pooled('stan'), Pooled('fisher') or Pooled('low_rank'), "
                "or a class that is Poolable"
            )
        super().__init__(warmup.settings)
        self.warmup = warmup

    def init(
        self,
        start: StartPoint,
        step_size: jax.Array,
        inverse_mass_matrix: Any,
        is_given: bool,
        num_warmup: jax.Array,
    ) -> HMCAdaptState:
        state = self.warmup.init(start, step_size, inverse_mass_matrix, is_given, num_warmup)
        return state._replace(mm_state=self._nothing_new(state, state.mm_state))

    def learn(
        self,
        state: HMCAdaptState,
        step: jax.Array,
        observation: Observation,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        known = state.mm_state
        sums = known.sums
        if self.settings.adapt_mass_matrix:
            sums = self.warmup.take_in(sums, state.schedule, step, observation, blocks)
        found = PooledState(
            known.common,
            sums,
            known.sum_accept_prob + observation.accept_prob,
            known.num_transitions + 1,
        )
        return state._replace(mm_state=found)

    def is_due(self, state: HMCAdaptState, num_made: jax.Array) -> jax.Array:
        num_warmup = state.schedule.num_warmup
        now = (state.ss_state.num_updates < EAGER_MEETINGS) | (num_made % EVERY == 0)
        now |= self.warmup.concludes(state.schedule, num_made - 1) | (num_made == num_warmup)
        return now & (num_made <= num_warmup)

    def hold(
        self,
        states: HMCAdaptState,
        counts: jax.Array,
        num_made: jax.Array,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        settings, found = self.settings, states.mm_state
        state = _agree(states, counts)
        if settings.adapt_step_size:
            number = found.num_transitions.astype(state.step_size.dtype)
            accept_prob = found.sum_accept_prob / number
            mean = jnp.where(
                _on_the_way_in(state, num_made),
                1 / jnp.mean(1 / accept_prob, where=counts),
                jnp.mean(accept_prob, where=counts),
            )
            last = num_made == state.schedule.num_warmup
            error = settings.target_accept_prob - mean
            state = dual_averaging.adapt_step_size(state, error, last)
        state = state._replace(mm_state=jax.tree.map(lambda leaf: leaf[0], found.common))
        if settings.adapt_mass_matrix:
            together = self.warmup.pool(found.sums, counts)
            num_chains = jnp.sum(counts, dtype=jnp.int32)
            state = self.warmup.conclude(state, num_made - 1, together, num_chains, blocks, search)
        return state._replace(mm_state=self._nothing_new(state, state.mm_state))

    def _nothing_new(self, state: HMCAdaptState, common: Any) -> PooledState:
        sums = None
        if self.settings.adapt_mass_matrix:
            sums = self.warmup.no_sums(state)
        zero = jnp.zeros_like(state.step_size)
        return PooledState(common, sums, zero, jnp.zeros((), jnp.int32))


def _on_the_way_in(state: HMCAdaptState, num_made: jax.Array) -> jax.Array:
    share = (15 * state.schedule.num_warmup) // 100
    return num_made <= jnp.clip(share, FEWEST_INWARD, MOST_INWARD)


def _agree(states: HMCAdaptState, counts: jax.Array) -> HMCAdaptState:
    """One state of those of all chains that count: they differ only before the first meeting."""
    one: HMCAdaptState = jax.tree.map(lambda leaf: leaf[0], states)

    def mean_of(values: jax.Array, found: jax.Array) -> jax.Array:
        # What is equal already must not change by rounding.
        same = jnp.all((values == values[:1]) | ~beside(counts, values))
        return jnp.where(same, values[0], found)

    def geometric_mean(values: jax.Array) -> jax.Array:
        logs = jnp.log(values)
        return mean_of(values, jnp.exp(jnp.mean(logs, 0, where=beside(counts, logs))))

    def together(block: jax.Array) -> jax.Array:
        # A vector has the axis of chains before its own; a matrix is given, not guessed.
        return geometric_mean(block) if block.ndim == 2 else block[0]

    points = states.ss_state.shrinkage_point
    point = mean_of(points, jnp.mean(points, where=counts))
    averaging = one.ss_state._replace(shrinkage_point=point)
    return one._replace(
        step_size=geometric_mean(states.step_size), ss_state=averaging
    ).with_inverse_mass_matrix(jax.tree.map(together, states.inverse_mass_matrix))
