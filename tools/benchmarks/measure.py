"""Measure one job in this process and print the result as one line of JSON.

Called by the driver, once for each measurement: ``python measure.py JOB REPETITION SCALE``.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from arviz_stats.base import array_stats
from jobs import Job
from leapfrog import nuts_seconds, verlet_seconds
from libraries import load
from models import BENCHMARKS

NUM_WARMUP = 1000
NUM_SAMPLES = 1000
COMPILATION = "/jax/core/compile/backend_compile_duration"


class Timing(NamedTuple):
    """What one call took."""

    seconds: float
    compilations: int
    compile_seconds: float


class Clock:
    """Times calls and counts the programs that XLA compiles in them."""

    def __init__(self) -> None:
        self._durations: list[float] = []
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == COMPILATION:
            self._durations.append(duration_secs)

    def time(self, call: Callable[[], Any]) -> Timing:
        """Call, and wait for all arrays that come back."""
        self._durations.clear()
        begin = time.perf_counter()
        jax.block_until_ready(call())
        seconds = time.perf_counter() - begin
        return Timing(seconds, len(self._durations), sum(self._durations))


class Measurement:
    """The parts of a job; each method is one and returns named numbers.

    Parameters
    ----------
    job : Job
        What to measure.
    repetition : int
        Chooses the seeds, the same for both libraries.
    scale : float
        Shortens all runs, for a trial of the benchmark itself.
    """

    def __init__(self, job: Job, repetition: int, scale: float):
        self.job = job
        self.library = load(job.library)
        if job.devices:
            self.library.ppl.set_host_device_count(job.devices)
        # NumPyro validates its first draw from the prior, and refuses to run where the volatility
        # of that draw overflows; without validation both libraries just draw another start.
        self.library.ppl.enable_validation(False)
        self.benchmark = BENCHMARKS[job.model]
        self.num_chains = job.num_chains or self.benchmark.num_chains
        self.model = self.benchmark.build(self.library.ppl, self.library.dist)
        self.data = self.benchmark.data()
        self.keys = [jax.random.PRNGKey(10 * repetition + n) for n in range(4)]
        self.clock = Clock()
        self.scale = scale

    def length(self, draws: int) -> int:
        """Shorten a run by the scale."""
        return max(100, int(draws * self.scale))

    def mcmc(self, kernel: Any, num_samples: int, num_chains: int, **changes: Any) -> Any:
        """Make an `MCMC` as the job wants it, or with changes."""
        settings = {
            "num_warmup": self.length(NUM_WARMUP),
            "chain_method": self.job.chain_method,
            "progress_bar": self.job.progress,
        }
        return self.library.MCMC(
            kernel, num_samples=num_samples, num_chains=num_chains, **(settings | changes)
        )

    def run(self, mcmc: Any, key: Any, extra_fields: tuple[str, ...] = ()) -> Any:
        """Run and hand over the draws."""
        mcmc.run(key, extra_fields=extra_fields, **self.data)
        return mcmc.get_samples()

    def runs(self) -> dict[str, float]:
        """Time a first run, from the kernel on, and a second one with another key."""
        holder = []

        def first_run() -> Any:
            kernel = self.library.NUTS(self.model)
            mcmc = self.mcmc(kernel, self.length(NUM_SAMPLES), self.num_chains)
            holder.append(mcmc)
            return self.run(mcmc, self.keys[0])

        first = self.clock.time(first_run)
        (mcmc,) = holder
        self.finished = mcmc
        second = self.clock.time(lambda: self.run(mcmc, self.keys[1]))
        ess = self.min_ess(mcmc)
        return {
            "first_seconds": first.seconds,
            "first_compilations": first.compilations,
            "first_compile_seconds": first.compile_seconds,
            "second_seconds": second.seconds,
            "second_compilations": second.compilations,
            "second_compile_seconds": second.compile_seconds,
            "ess_per_second": ess / second.seconds,
        }

    def gradients(self) -> dict[str, float]:
        """Count the gradients of a run, warmup included, and its effective draws, after `runs`.

        The progress bar is on, whatever the job says: it does not change the draws, and NumPyro
        compiles less with it.
        """
        mcmc = self.mcmc(
            self.finished.sampler,
            self.length(NUM_SAMPLES),
            self.num_chains,
            progress_bar=True,
        )
        mcmc.warmup(self.keys[2], collect_warmup=True, extra_fields=("num_steps",), **self.data)
        warmup = int(mcmc.get_extra_fields()["num_steps"].sum())
        self.run(mcmc, self.keys[3], ("num_steps",))
        sampling = int(mcmc.get_extra_fields()["num_steps"].sum())
        return {
            "warmup_gradients": warmup,
            "sampling_gradients": sampling,
            "ess_per_1000_gradients": 1000 * self.min_ess(mcmc) / (warmup + sampling),
        }

    def leapfrog(self) -> dict[str, float]:
        """Time a leapfrog step of one chain inside NUTS, after `runs`."""
        state = self.finished.last_state
        if self.num_chains > 1:
            state = jax.tree.map(lambda leaf: leaf[0], state)
        return {
            "leapfrog_microseconds": 1e6 * nuts_seconds(self.finished.sampler, state, self.data)
        }

    def floor(self) -> dict[str, float]:
        """Time a leapfrog step alone in a loop."""
        from sojourn_infer import ModelTarget

        return {"floor_microseconds": 1e6 * verlet_seconds(ModelTarget(self.model), self.data)}

    def chains(self) -> dict[str, float]:
        """Time four chains of the usual length, and long ones, once the programs are compiled."""
        kernel = self.library.NUTS(self.model)
        self.run(self.mcmc(kernel, 10, 4, num_warmup=10), self.keys[0])
        seconds = {}
        for name, draws in (("usual", NUM_SAMPLES), ("long", self.benchmark.long_draws)):
            if draws is None:
                continue
            mcmc = self.mcmc(kernel, self.length(draws), 4)
            timing = self.clock.time(partial(self.run, mcmc, self.keys[1]))
            if timing.compilations:
                raise RuntimeError(f"{timing.compilations} programs compiled in a timed run")
            seconds[f"{name}_seconds"] = timing.seconds
        return seconds

    def min_ess(self, mcmc: Any) -> float:
        """Smallest bulk effective sample size over all components of the sampled sites."""
        draws = mcmc.get_samples(group_by_chain=True)
        sizes = [
            array_stats.ess(
                np.asarray(draws[site], float), chain_axis=0, draw_axis=1, method="bulk"
            )
            for site in self.benchmark.sites
        ]
        return min(float(np.min(size)) for size in sizes)


def main(job: Job, repetition: int, scale: float) -> None:
    """Measure all parts of a job and print them."""
    if job.one_core:
        # Before JAX starts its backend, so that the threads of XLA stay on this core too.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    measurement = Measurement(job, repetition, scale)
    result: dict[str, Any] = {
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "versions": {
            "jax": jax.__version__,
            job.library: measurement.library.ppl.__version__,
        },
    }
    for part in job.parts:
        result |= getattr(measurement, part)()
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(Job.from_json(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
