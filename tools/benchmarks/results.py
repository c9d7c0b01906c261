"""What was measured: kept for each job and repetition, saved and read as lines of JSON."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from jobs import Job


class Spread(NamedTuple):
    """A quantity over the repetitions."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Summarise values."""
        values = list(values)
        return cls(median(values), min(values), max(values))


class Results:
    """Results by job, in the order of the repetitions.

    Attributes
    ----------
    header : dict
        The command and the machine.
    """

    def __init__(self, header: dict[str, Any]):
        self.header = header
        self._records: dict[Job, list[dict[str, Any]]] = {}

    def add(self, job: Job, result: dict[str, Any]) -> None:
        """Keep the result of one more repetition of a job."""
        self._records.setdefault(job, []).append(result)

    def __contains__(self, job: Job) -> bool:
        return job in self._records

    def values(self, job: Job, quantity: str) -> list[float]:
        """Values of a quantity, one for each repetition."""
        return [result[quantity] for result in self._records[job]]

    def spread(self, job: Job, quantity: str) -> Spread:
        """Summary of a quantity."""
        return Spread.of(self.values(job, quantity))

    def ratio(self, over: Job, under: Job, quantity: str, by: str | None = None) -> Spread:
        """Summary of the ratio of two jobs in one quantity, or of ``quantity`` to ``by``.

        The pairs are of the same repetition, measured shortly one after the other.
        """
        pairs = zip(self.values(over, quantity), self.values(under, by or quantity), strict=True)
        return Spread.of(a / b for a, b in pairs)

    def versions(self) -> dict[str, str]:
        """Versions of the libraries that the measuring processes saw."""
        versions: dict[str, str] = {}
        for results in self._records.values():
            for result in results:
                versions |= result["versions"]
        return versions

    def save(self, path: Path) -> None:
        """Write everything to a file."""
        path.write_text("".join(line + "\n" for line in self._lines()), encoding="utf-8")

    def _lines(self) -> Iterator[str]:
        yield json.dumps(self.header)
        for job, results in self._records.items():
            for result in results:
                yield json.dumps({"job": job.to_json(), "result": result})

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Read what `save` wrote."""
        header, *records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        results = cls(header)
        for record in records:
            results.add(Job.from_json(record["job"]), record["result"])
        return results
