"""Values in place of those that a latent site has for each value of a discrete site.

A latent site without a value whose distribution depends on a discrete site is drawn once for each
of its values. Where discrete sites are to be drawn from their posterior, and nothing that is known
depends on that latent site, its value is of no consequence, and a constant serves the rest of the
run. The latent site itself is drawn later, given the discrete ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from sojourn_infer.enumeration.factors import Variable
from sojourn_primitives import Message


class StandIns:
    """The latent sites of one run that got a constant.

    Parameters
    ----------
    markers : dict
        Numbers by site name from which the constants are made to depend, to trace where they go.

    Attributes
    ----------
    names : set of str
        The sites.
    known_steps : dict
        For sites of a scan of which the first steps have values, how many.
    """

    def __init__(self, markers: Mapping[str, Any] | None = None) -> None:
        self.names: set[str] = set()
        self.known_steps: dict[str, int] = {}
        self._markers = markers or {}

    def put(self, msg: Message, dims: Mapping[int, Variable]) -> None:
        """Put a constant in place, if the site was drawn for each value of a discrete site."""
        fn: Any = msg["fn"]
        value = msg["value"]
        batch = jnp.shape(value)[: jnp.ndim(value) - len(fn.event_shape)]
        drawn_for_each = any(-dim <= len(batch) and batch[dim] != 1 for dim in dims)
        if drawn_for_each or msg["name"] in self.names:
            self.names.add(str(msg["name"]))
            msg["value"] = self._constant(msg, dims, jnp.result_type(value))

    def for_last_steps(
        self, msg: Message, dims: Mapping[int, Variable]
    ) -> Callable[[int, Any], Any]:
        """Return what gives a scanned site its value at steps after those that are known."""
        return functools.partial(self._from_step, msg, dims)

    def _from_step(self, msg: Message, dims: Mapping[int, Variable], known: int, dtype: Any) -> Any:
        self.known_steps[str(msg["name"])] = known
        return self._constant(msg, dims, dtype)

    def _constant(self, msg: Message, dims: Mapping[int, Variable], dtype: Any) -> Any:
        fn: Any = msg["fn"]
        batch = list(fn.batch_shape)
        for dim in dims:
            if -dim <= len(batch):
                batch[dim] = 1
        value = fn.support.feasible_like(jnp.zeros((*batch, *fn.event_shape), dtype))
        marker = self._markers.get(str(msg["name"]))
        return value if marker is None else jnp.where(marker == 0, value, value)
