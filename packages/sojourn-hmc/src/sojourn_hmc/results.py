"""What a run leaves behind for its user: samples, extra fields, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from sojourn_hmc.fields import Fields
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.lane import map_on_host
from sojourn_hmc.problems import undefined_values
from sojourn_hmc.processes import gather, gather_chains
from sojourn_hmc.report import report
from sojourn_hmc.run import Run


class Results(NamedTuple):
    """What a user can ask for; every array is shaped ``(chains, draws, ...)``.

    Attributes
    ----------
    samples : pytree
        Draws in the space that users read; None if no draw was kept.
    extra_fields : dict of str to array
        Other collected fields.
    sites : tuple of str or None
        Names of the samples that were drawn, which the others follow from; None if unknown.
    hidden_fields : dict of str to array
        Fields that were collected for the report only.
    """

    samples: Any = None
    extra_fields: dict[str, Any] = {}
    sites: tuple[str, ...] | None = None
    hidden_fields: dict[str, Any] = {}

    def sampled(self) -> Any:
        """The samples without what follows from others, where that is known and not all."""
        samples = self.samples
        if self.sites is None or not isinstance(samples, dict):
            return samples
        return {site: samples[site] for site in samples if site in self.sites} or samples

    def computed(self) -> dict[str, np.ndarray]:
        """The samples in memory that follow from others, where that is known."""
        if self.sites is None or not isinstance(self.samples, dict):
            return {}
        return {
            site: draws
            for site, draws in self.samples.items()
            if site not in self.sites and isinstance(draws, np.ndarray)
        }


def results(fields: Fields, positions: Any, samples: Any, others: Sequence[Any]) -> Results:
    """Sort out what is shown.

    Parameters
    ----------
    fields : Fields
        What was collected.
    positions : pytree
        The kernel's sample field, or its shapes: it tells what is sampled.
    samples : pytree
        What users read of it.
    others : sequence
        The other fields.
    """
    # Sites are told from what is deterministic by their names, unless these change on the way
    # to what a user reads.
    keeps_names = (
        isinstance(positions, dict)
        and isinstance(samples, dict)
        and positions.keys() - set(fields.excluded) <= samples.keys()
    )
    sites = tuple(positions) if keeps_names else None
    if isinstance(samples, dict):
        samples = {site: samples[site] for site in samples if site not in fields.excluded}
    shown = dict(zip(fields.names[1:], others, strict=False))
    hidden = {name: shown.pop(name) for name in fields.hidden}
    return Results(samples, shown, sites, hidden)


class Collected(NamedTuple):
    """What a run has drawn up to some point.

    Attributes
    ----------
    fields : tuple
        The collected fields ``(chains, draws, ...)``, positions first; empty without a draw.
    results : Results
        What a user finds of them.
    last_state : pytree
        The states of the chains of all processes, if there are several.
    """

    fields: tuple
    results: Results
    last_state: Any


def collect(run: Run, everywhere: bool) -> Collected:
    """Collect the draws that every chain has made.

    Parameters
    ----------
    run : Run
        The run.
    everywhere : bool
        Whether they are those of all processes, unless they go to a store. A run that is broken off
        keeps its own: the other processes may still be drawing.
    """
    last_state = None
    several = everywhere and jax.process_count() > 1
    num_draws = run.num_draws
    if several:
        last_state = jax.device_put(map_on_host(gather_chains, run.states()))
        num_draws = min(gather(np.array(num_draws)))
    if num_draws == 0:
        return Collected((), Results(), last_state)
    collected, samples = run.fields(), run.samples()
    if several and not run.is_streaming:
        collected, samples = gather_chains((collected, samples))
    positions = run.engine.sample_shape[0]
    found = results(run.job.fields, positions, samples, collected[1:])
    return Collected(collected, found, last_state)


def problems(kernel: MCMCKernel, fields: Fields, collected: Sequence[Any], results: Results) -> str:
    """Describe what the kernel and the draws show to be wrong; an empty text if nothing is."""
    by_name = dict(zip(fields.names, collected, strict=True))
    found = kernel.find_problems({name: by_name[name] for name in kernel.watched_fields})
    found = [*found, *undefined_values(results.computed())]
    # Deterministic sites may be constant or discrete for good reasons.
    return report(results.sampled(), by_name[fields.names[0]], found)
