"""Traces of models without numbers: nothing is computed and nothing compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from sojourn_primitives.handlers.seed import seed
from sojourn_primitives.handlers.trace import trace
from sojourn_primitives.message import Trace

Model = Callable[..., Any]


def abstract_trace(model: Model, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Trace:
    """Run a model on its arguments with values that have a shape and a dtype, but no numbers."""
    recorded: Trace = {}

    def run(key: Any) -> None:
        recorded.update(trace(seed(model, rng_seed=key)).get_trace(*args, **kwargs))

    jax.eval_shape(run, jax.eval_shape(jax.random.key, 0))
    return recorded


def distribution_name(fn: Any) -> str:
    """Return the name of a distribution's class, of what is wrapped where it is a wrapper."""
    wrapped = getattr(fn, "base_dist", None)
    # Wrappers that change shape or weight only; a transformed distribution is one of its own.
    if wrapped is not None and type(fn).__name__ in _WRAPPERS:
        return distribution_name(wrapped)
    return str(getattr(fn, "kind", type(fn).__name__))


_WRAPPERS = frozenset({"ExpandedDistribution", "Independent", "MaskedDistribution"})
