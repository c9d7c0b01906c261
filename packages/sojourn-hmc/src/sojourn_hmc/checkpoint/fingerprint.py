"""What makes a run this run: everything that its draws depend on, as digests to compare."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from sojourn_hmc.driver import Phase
from sojourn_hmc.engine import Engine, Job, Start
from sojourn_hmc.files import CheckpointError, digest
from sojourn_hmc.lane import is_typed_key

WORDS = {
    "kernel": "the kernel's class",
    "program": "the model, a setting of the kernel, or the shape of the data",
    "start": "how chains start: init_params, an initial setting of the kernel, or the states",
    "data": "the model's arguments",
    "rng_key": "rng_key",
    "chains": "the number of chains or of processes, or how chains are laid out",
    "fields": "the collected fields",
    "phases": "num_warmup or thinning",
    "jax": "the version of JAX",
}
"""What to say of each entry."""


def fingerprint(
    job: Job,
    engine: Engine,
    keys: jax.Array,
    start: Start | None,
    states: Any,
    phases: tuple[Phase, ...],
) -> dict[str, Any]:
    """Describe a run so that another process can tell whether it would make the same draws.

    Programs enter with the text that is compiled: it holds the model with its constants, the
    kernel's settings, and all shapes. The length of sampling is left out, so that a run can be made
    longer.

    Parameters
    ----------
    job : Job
        What is run.
    engine : Engine
        What advances its lanes.
    keys : Array
        The key or keys of the run.
    start : Start or None
        What makes its first states, if they are not given.
    states : pytree or None
        Those that are given.
    phases : tuple of Phase
        What it does.
    """
    *before, last = phases
    # A run can be made longer; a warmup of another length is another warmup.
    whole = [[*phase] for phase in (phases if last.name == "warmup" else before)]
    kernel = type(job.kernel)
    if start is None:
        begin = {"states": digest_of(states)}
    else:
        begin = {"program": digest(start.program.text().encode())}
        begin["values"] = digest_of([call[2] for call in start.calls])
    return {
        "kernel": f"{kernel.__module__}.{kernel.__qualname__}",
        "program": digest(engine.advance.text().encode()),
        "start": begin,
        "data": digest_of(job.arguments.data),
        "rng_key": digest_of(keys),
        "chains": [job.placement.first_chain, *map(len, job.placement.lanes)],
        "fields": [*job.fields.names],
        "phases": [*whole, [last.name, last.first_kept, last.thinning]],
        "jax": jax.__version__,
    }


def digest_of(tree: Any) -> str:
    """Digest of the arrays of a pytree, with their types and places."""
    parts: list[bytes] = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(jax.random.key_data(leaf) if is_typed_key(leaf) else leaf)
        words = f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}"
        parts += [words.encode(), np.ascontiguousarray(array).tobytes()]
    return digest(*parts)


def compare(saved: dict[str, Any], present: dict[str, Any], path: Any) -> None:
    """Raise a CheckpointError that says what differs between two fingerprints."""
    different = [WORDS[name] for name in WORDS if saved.get(name) != present.get(name)]
    if different:
        versions = ""
        if saved.get("jax") != present["jax"]:
            versions = f" (JAX was {saved.get('jax')} and is {present['jax']})"
        raise CheckpointError(
            f"the checkpoint {path} is of another run, which differs in {'; '.join(different)}"
            f"{versions}. Call run() as it was called then to go on with that run, or give another "
            "path for this one"
        )
