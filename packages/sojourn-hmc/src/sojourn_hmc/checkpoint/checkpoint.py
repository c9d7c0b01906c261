"""A checkpoint directory: the states of all chains, and the draws so far in segments.

``header.json`` names what counts; it is replaced last, at once. Other files are written once under
new names. So a process that is killed at any instant leaves the checkpoint before or the one after.
A checkpoint costs the states and the draws since the one before, however many came earlier.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from sojourn_hmc import files
from sojourn_hmc._version import __version__
from sojourn_hmc.checkpoint.fingerprint import compare
from sojourn_hmc.checkpoint.states import Leaf, decode, encode
from sojourn_hmc.chunk import NO_EFFORT, Effort
from sojourn_hmc.files import CheckpointError
from sojourn_hmc.lane import Reached, join, part
from sojourn_hmc.run import Run

FORMAT, VERSION = "sojourn checkpoint", 1
HEADER = "header.json"
PART = "process-"


def exists(path: Any) -> bool:
    """Whether there is a run to go on with; raise a CheckpointError if there cannot be one."""
    here = directory_of(path)
    for place in (here, *here.parents):
        if place.exists() and not place.is_dir():
            raise CheckpointError(
                f"checkpoint={str(path)!r} cannot be made, because {str(place)!r} is a file: give "
                "a directory"
            )
    began, present = _processes_that_began(Path(path)), jax.process_count()
    # With more processes than then, each compares the chains in its own directory with its own.
    if began > present or (began == 1 < present):
        these = "this is one process" if present == 1 else f"these are {present} processes"
        then = "one process" if began == 1 else f"{began} processes"
        raise CheckpointError(
            f"the checkpoint {path} is of a run in {then}, and {these}: start {then} to go on, or "
            "give another path"
        )
    return (here / HEADER).exists()


def _processes_that_began(path: Path) -> int:
    """How many processes have a part of a checkpoint, so far as this machine can see; 0 if none."""
    if (path / HEADER).exists():
        return 1
    parts = [header.parent.name for header in path.glob(f"{PART}*/{HEADER}")]
    # A part is made by one of several, who may not all have got that far.
    return max((max(2, int(part.removeprefix(PART)) + 1) for part in parts), default=0)


def directory_of(path: Any) -> Path:
    """Where this process keeps its chains: each of several has a directory of its own."""
    several = jax.process_count() > 1
    return Path(path) / f"{PART}{jax.process_index()}" if several else Path(path)


class Saved(NamedTuple):
    """What the header on disk counts.

    Attributes
    ----------
    number : int
        Of the checkpoint.
    phase : int
        The phase that the run is in.
    kept : tuple of int
        Draws of each lane in its segments; empty before the first checkpoint.
    num_segments : int
        Segments of the draws of this phase.
    digest : str
        Of them all.
    """

    number: int = 0
    phase: int = 0
    kept: tuple[int, ...] = ()
    num_segments: int = 0
    digest: str = ""


class Checkpoint:
    """Keeps a run on disk.

    Parameters
    ----------
    path : path
        A directory; made if it is missing.
    every : float
        Seconds between two checkpoints; 0 makes one after each chunk.
    fingerprint : dict
        What makes the run this one.
    """

    def __init__(self, path: Any, every: float, fingerprint: dict[str, Any]):
        self.path = directory_of(path)
        self._every = every
        self._fingerprint = fingerprint
        self._last_time = time.monotonic()
        self._saved = Saved()
        self._in_doubt = False

    def save_if_due(self, run: Run) -> None:
        """Save, if that is long enough ago."""
        if time.monotonic() - self._last_time >= self._every:
            self.save(run)

    def save(self, run: Run) -> None:
        """Write where the run is; an error of the disk leaves the checkpoint before."""
        self.path.mkdir(parents=True, exist_ok=True)
        if self._in_doubt:
            # Something ended the last attempt, before or after its header was in place. A file
            # that a header counts must never be written again.
            self._saved = self._header_on_disk()
        self._in_doubt = True
        # Other lanes go on meanwhile: each is saved where it is now.
        reached = [lane.reached for lane in run.lanes]
        before = self._saved
        if run.phase_number != before.phase or not before.kept:
            before = Saved(before.number, run.phase_number, (0,) * len(reached))
        kept = tuple(lane.kept for lane in reached)
        stored = None
        now = before._replace(number=before.number + 1, kept=kept)
        if run.is_streaming and run.stream is not None:
            stored = run.stream.commit(durable=True)
        elif kept != before.kept:
            digest = self._write_segment(run, before, kept)
            now = now._replace(
                num_segments=before.num_segments + 1, digest=_fold(before.digest, digest)
            )
        header = {
            "format": FORMAT,
            "version": VERSION,
            "sojourn_hmc": __version__,
            "fingerprint": self._fingerprint,
            "number": now.number,
            "phase": now.phase,
            "done": [lane.done for lane in reached],
            "kept": kept,
            "effort": run.effort_up_to(reached),
            "state": self._write_states(run, reached, now.number),
            "draws": {
                "segments": now.num_segments,
                "sha256": now.digest,
                "store": None if run.stream is None else repr(run.stream.store),
                "stored": stored,
            },
        }
        files.write(self.path / HEADER, files.seal(header))
        # From here on the new checkpoint is the one that counts.
        self._saved, self._in_doubt = now, False
        self._remove_unnamed()
        self._last_time = time.monotonic()

    def _header_on_disk(self) -> Saved:
        path = self.path / HEADER
        return _counted(files.unseal(files.read(path), path)) if path.exists() else Saved()

    def save_after(self, error: BaseException, run: Run) -> None:
        """Save what there is when a run breaks off; a failure is noted with what broke it off."""
        try:
            self.save(run)
        except OSError as failure:
            error.add_note(f"the checkpoint {self.path} is older than this: {failure}")

    def _write_states(self, run: Run, reached: Sequence[Reached], number: int) -> dict[str, Any]:
        """Write the states; give what the header says of them."""
        states = join([lane.state for lane in reached], run.job.placement.batched, run.num_chains)
        arrays, leaves = encode(states)
        path = self.path / f"state-{number:06d}.npz"
        digest = files.write(path, files.pack(arrays))
        return {"file": path.name, "sha256": digest, "leaves": leaves}

    def _write_segment(self, run: Run, before: Saved, kept: Sequence[int]) -> str:
        """Write the draws that no segment has; give the digest."""
        arrays: dict[str, Any] = {}
        for n, lane in enumerate(run.lanes):
            rows = run.memory.between(lane.chains, before.kept[n], kept[n])
            arrays |= {f"{n}.{m}": leaf for m, leaf in enumerate(rows)}
        return files.write(self._segment(before.phase, before.num_segments), files.pack(arrays))

    def _segment(self, phase: int, number: int) -> Path:
        return self.path / f"draws-{phase}-{number:06d}.npz"

    def _remove_unnamed(self) -> None:
        """Remove files of earlier checkpoints."""
        for file in self.path.glob("state-*.npz"):
            if file.name != f"state-{self._saved.number:06d}.npz":
                file.unlink()
        for file in self.path.glob("draws-*.npz"):
            if not file.name.startswith(f"draws-{self._saved.phase}-"):
                file.unlink()

    def restore(self, run: Run) -> None:
        """Take a run to where the checkpoint is.

        Raises
        ------
        CheckpointError
            If the checkpoint is of another run or format, or if a file of it is damaged. The run
            must not be used then.
        """
        path = self.path / HEADER
        header = files.unseal(files.read(path), path)
        if header.get("format") != FORMAT or header.get("version") != VERSION:
            raise CheckpointError(
                f"{path} has format {header.get('format')!r}, version {header.get('version')!r}; "
                f"this version of sojourn_hmc reads {FORMAT!r}, version {VERSION}"
            )
        compare(header["fingerprint"], self._fingerprint, self.path)
        self._saved = _counted(header)
        self._check_store(header["draws"], run)
        phase = run.phases[header["phase"]]
        if max(header["done"]) > phase.num_transitions:
            raise CheckpointError(
                f"the checkpoint {self.path} has made {max(header['done'])} transitions of the "
                f"{phase.num_transitions} that the run is to have: give num_samples that is not "
                "smaller, or another path"
            )
        states = self._read_states(header["state"], run)
        reached = [
            Reached(*entry) for entry in zip(states, header["done"], header["kept"], strict=True)
        ]
        run.stand_at(header["phase"], reached)
        run.effort_before = Effort(*header.get("effort", NO_EFFORT))
        self._read_draws(run)
        if run.is_streaming and run.stream is not None:
            try:
                run.stream.go_on_from(header["kept"], header["draws"]["stored"])
            except ValueError as error:
                raise CheckpointError(
                    f"the checkpoint {self.path} does not fit: {error}"
                ) from error

    def _check_store(self, saved: dict[str, Any], run: Run) -> None:
        """Raise if the draws are where the run does not look for them."""
        if (saved["store"] is None) != (run.stream is None):
            where = "in the checkpoint itself" if saved["store"] is None else f"in {saved['store']}"
            raise CheckpointError(
                f"the draws of the checkpoint {self.path} are {where}: call run() with the "
                "store= that it was called with"
            )

    def _read_states(self, saved: dict[str, Any], run: Run) -> list[Any]:
        path = self.path / saved["file"]
        arrays = files.unpack(files.read(path, saved["sha256"]), path)
        leaves = [Leaf(*leaf) for leaf in saved["leaves"]]
        states = decode(arrays, leaves, run.chain_shape, run.num_chains, path)
        return part(states, run.job.placement._replace(first_chain=0))  # chains of this process

    def _read_draws(self, run: Run) -> None:
        saved = self._saved
        paths = [self._segment(saved.phase, number) for number in range(saved.num_segments)]
        total = ""
        for path in paths:
            total = _fold(total, files.digest(files.read(path)))
        if total != saved.digest:
            raise CheckpointError(
                f"the draws in the checkpoint {self.path} are damaged: their content is not what "
                "was written. Restore the directory from a copy, or remove it to start anew"
            )
        first = [0] * len(run.lanes)
        for path in paths:
            arrays = files.unpack(files.read(path), path)
            for n, lane in enumerate(run.lanes):
                leaves = [arrays[f"{n}.{m}"] for m in range(run.memory.num_leaves)]
                run.memory.put(lane.chains, first[n], leaves)
                first[n] += leaves[0].shape[1] if leaves else 0


def _counted(header: dict[str, Any]) -> Saved:
    draws = header["draws"]
    kept = tuple(header["kept"])
    return Saved(header["number"], header["phase"], kept, draws["segments"], draws["sha256"])


def _fold(total: str, digest: str) -> str:
    """Digest of segments, one more than ``total`` is of."""
    return files.digest(total.encode(), digest.encode())
