"""What a target may tell of its variables, for output with labels: names of axes, and the data.

Nothing of it is needed to sample. Who converts draws asks for it, and does without where there is
none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable


class Variables(NamedTuple):
    """What is known of a target's variables.

    Attributes
    ----------
    dims : mapping of str to tuple
        By variable the names of its axes, from the left; None for an axis without a name.
    observed : mapping of str to Array
        The data, by the names of the variables that they are values of.
    log_likelihood : Callable or None
        ``log_likelihood(samples)`` gives, of samples ``(chains, draws, ...)`` by name, the log
        density of every observation, ``(chains, draws, ...)`` by name.
    """

    dims: Mapping[str, tuple[str | None, ...]] = {}
    observed: Mapping[str, Any] = {}
    log_likelihood: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None


@runtime_checkable
class Described(Protocol):
    """A target, or a kernel, that describes the variables it draws."""

    def describe(self, model_args: tuple, model_kwargs: dict) -> Variables:
        """Describe the variables, given what the user gave to ``run``."""
        ...


def describe(kernel: Any, model_args: tuple, model_kwargs: dict) -> Variables:
    """Ask a kernel, its target, or the kernel inside it; an empty description if none knows.

    Examples
    --------
    >>> from sojourn_hmc import NUTS
    >>> describe(NUTS(potential_fn=lambda z: 0.5 * z**2), (), {})
    Variables(dims={}, observed={}, log_likelihood=None)
    """
    for knows in (kernel, getattr(kernel, "target", None)):
        if isinstance(knows, Described):
            return knows.describe(model_args, model_kwargs)
    inner = getattr(kernel, "inner_kernel", None)
    return Variables() if inner is None else describe(inner, model_args, model_kwargs)
