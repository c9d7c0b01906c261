"""One row of the table of distributions under test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import sojourn_distributions as dist


@dataclass(frozen=True)
class Case:
    constructor: Callable[..., dist.Distribution]
    parameters: dict[str, Any]
    reference: Callable[..., Any] | None = None
    label: str = ""
    # Moments that do not exist, or have no formula, or converge too slowly to be compared.
    moments: bool = True

    def make(self) -> Any:
        return self.constructor(**self.parameters)

    def scipy(self) -> Any:
        if self.reference is None:
            pytest.skip("no reference in scipy.stats")
        return self.reference(**self.parameters)

    def points(self) -> np.ndarray:
        """Some values of the support, from the reference."""
        reference = self.scipy()
        if self.make().event_shape:
            return np.asarray(reference.rvs(size=5, random_state=7))
        return reference.ppf(np.array([0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999]))

    def __str__(self) -> str:
        return self.constructor.__name__ + (f"-{self.label}" if self.label else "")
