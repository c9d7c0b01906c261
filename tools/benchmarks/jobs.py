"""What is measured: one job is one library on one model in one fresh process."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from models import BENCHMARKS

LIBRARIES = ("sojourn", "numpyro")
SETTINGS = ("native", "plain", "shipped")
"""Native loops on both sides, on neither, or as each library is when imported."""


@dataclass(frozen=True)
class Job:
    """One measurement; what a job leaves out is as the library has it by default.

    Attributes
    ----------
    library, model : str
        Names from `LIBRARIES` and `models.BENCHMARKS`.
    native_loops : bool
        Whether XLA is asked to compile small loops natively.
    parts : tuple of str
        What the process measures: names of methods of `measure.Measurement`.
    chain_method : str
        For `MCMC`.
    devices : int
        CPU devices that the program asks for; 0 asks for nothing.
    progress : bool
        Whether the progress bar is on, with a terminal to draw on.
    one_core : bool
        Whether the process is bound to a single core.
    num_chains : int
        Chains of the timed runs; 0 takes the model's.
    """

    library: str
    model: str
    native_loops: bool
    parts: tuple[str, ...]
    chain_method: str = "parallel"
    devices: int = 0
    progress: bool = False
    one_core: bool = False
    num_chains: int = 0

    def to_json(self) -> str:
        """Write the job as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Job":
        """Read what `to_json` wrote."""
        fields = json.loads(line)
        return cls(**{**fields, "parts": tuple(fields["parts"])})

    def describe(self) -> str:
        """Name the job in a few words."""
        words = [self.library, self.model, "native" if self.native_loops else "plain"]
        words += [self.chain_method] * (self.chain_method != "parallel")
        words += [f"{self.devices} devices"] * (self.devices > 0)
        words += ["progress"] * self.progress
        words += ["one core"] * self.one_core
        words += [f"{self.num_chains} chains"] * (self.num_chains > 0)
        return " ".join(words)


def main_job(library: str, model: str, native_loops: bool) -> Job:
    """The job behind the main rows.

    Gradients are counted with native loops only: their number does not depend on how they are
    computed.
    """
    parts = ["runs", *["gradients"] * native_loops, "leapfrog", *["floor"] * (library == "sojourn")]
    return Job(library, model, native_loops, tuple(parts))


def cores_job(model: str, one_core: bool) -> Job:
    """The job behind the use of cores."""
    return Job("sojourn", model, True, ("chains",), one_core=one_core)


def variant_jobs(model: str) -> dict[str, Job]:
    """Other ways for NumPyro to run several chains, by name; as shipped otherwise."""
    chains = BENCHMARKS[model].num_chains
    if chains == 1:
        return {}
    return {
        f"set_host_device_count({chains})": Job("numpyro", model, False, ("runs",), devices=chains),
        'chain_method="vectorized"': Job(
            "numpyro", model, False, ("runs",), chain_method="vectorized"
        ),
    }


def progress_job(library: str, model: str) -> Job:
    """The job behind the cost of a progress bar; as shipped otherwise."""
    return Job(library, model, library == "sojourn", ("runs",), progress=True)


def uses_native_loops(library: str, setting: str) -> bool:
    """Whether a library computes with native loops in a setting."""
    return setting == "native" or (setting == "shipped" and library == "sojourn")


def plan(models: Iterable[str], settings: Iterable[str], extras: bool, pin: bool) -> Iterator[Job]:
    """All jobs of one repetition, the libraries in turns.

    "shipped" needs no job of its own when the other two settings are there: Sojourn asks for native
    loops by itself, NumPyro does not.

    Parameters
    ----------
    models, settings : iterable of str
        What to measure.
    extras : bool
        Whether to measure the use of cores, the variants and the progress bar as well.
    pin : bool
        Whether this machine can bind a process to a core.
    """
    settings = list(settings)
    for model in models:
        loops = {
            library: {uses_native_loops(library, setting) for setting in settings}
            for library in LIBRARIES
        }
        for native_loops in (True, False):
            for library in LIBRARIES:
                if native_loops in loops[library]:
                    yield main_job(library, model, native_loops)
        if extras:
            if pin:
                yield cores_job(model, True)
                yield cores_job(model, False)
            yield from variant_jobs(model).values()
            yield from (progress_job(library, model) for library in LIBRARIES)
