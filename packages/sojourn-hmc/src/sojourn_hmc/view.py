"""What a callback or a stopping rule sees of a run between two chunks."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from sojourn_hmc.run import Run


class RunView:
    """A run in progress, to be looked at between two chunks.

    A callback and a stopping rule are called with it. Arrays that it gives have a leading axis of
    chains, and are views of what the run holds: copy them to keep them.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, NUTS
    >>> seen = set()
    >>> def look(view):
    ...     seen.add(view.phase)
    ...     if view.num_draws > 1:
    ...         view.draws().std()
    >>> mcmc = MCMC(
    ...     NUTS(potential_fn=lambda x: 0.5 * x**2),
    ...     num_warmup=50,
    ...     num_samples=50,
    ...     progress_bar=False,
    ... )
    >>> mcmc.run(jax.random.key(0), init_params=jnp.zeros(()), callback=look)
    >>> sorted(seen)
    ['sample', 'warmup']
    """

    def __init__(self, run: Run):
        self._run = run
        self._began = time.monotonic()

    @property
    def phase(self) -> str:
        """``"warmup"`` or ``"sample"``."""
        return self._run.phase.name

    @property
    def num_chains(self) -> int:
        """Number of chains."""
        return self._run.num_chains

    @property
    def num_transitions(self) -> int:
        """Transitions of each chain that the present phase is made of."""
        return self._run.phase.num_transitions

    @property
    def transitions(self) -> np.ndarray:
        """Transitions of the present phase that each chain has made."""
        done = np.zeros(self.num_chains, int)
        for lane in self._run.lanes:
            done[list(lane.chains)] = lane.done
        return done

    @property
    def num_draws(self) -> int:
        """Draws of the present phase that every chain has made and kept."""
        return self._run.num_draws

    @property
    def seconds(self) -> float:
        """Time since `MCMC.run` or `MCMC.resume` began to draw."""
        return time.monotonic() - self._began

    def states(self) -> Any:
        """The state of each chain, with a leading axis of chains; chains may be at different i."""
        return self._run.states()

    def draws(self) -> Any:
        """The draws as the run holds them, ``(chains, draws, ...)``: nothing is computed.

        These are positions in the unconstrained space; with a store, the samples that it holds.
        """
        return self._run.fields()[0]

    def extra_fields(self) -> dict[str, np.ndarray]:
        """The other collected fields of the draws, by their names."""
        names = self._run.job.fields.names[1:]
        return dict(zip(names, self._run.fields()[1:], strict=True))

    def samples(self) -> Any:
        """The draws in the space that users read; all of them are computed at each call."""
        return self._run.samples()
