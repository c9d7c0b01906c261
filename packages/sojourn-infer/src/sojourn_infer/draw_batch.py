"""Draws of several sites that share their leading dims, checked and joined to one."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np


class DrawBatch(NamedTuple):
    """Draws of some sites.

    Attributes
    ----------
    values : pytree
        Arrays ``(number of draws, ...)``, by site in `draw_batch`'s: NumPy's, or tracers inside of
        a transformation.
    batch_shape : tuple of int
        The shape that the leading dim stands for.
    """

    values: Any
    batch_shape: tuple[int, ...]

    @property
    def num_draws(self) -> int:
        """Number of draws."""
        return math.prod(self.batch_shape)


def draw_batch(
    who: str,
    posterior_samples: Mapping[str, Any] | None,
    batch_ndims: int,
    num_samples: int | None = None,
    what: str = "posterior_samples",
) -> DrawBatch:
    """Check draws and join their leading dims.

    Parameters
    ----------
    who : str
        Who asks, for error messages.
    posterior_samples : dict or None
        Arrays with ``batch_ndims`` leading dims of draws, by site.
    batch_ndims : int
        How many there are.
    num_samples : int or None
        Number of draws where there are no arrays, with dims of size 1 in front if ``batch_ndims``
        is above 1; with arrays theirs decides.
    what : str
        The name of the argument that holds the arrays, for error messages.

    Raises
    ------
    TypeError
        ``posterior_samples`` is no dict, or a number is no integer.
    ValueError
        The leading dims differ or are missing, or there is nothing that tells the number of draws.

    Examples
    --------
    >>> import numpy as np
    >>> draws = draw_batch("Predictive", {"x": np.zeros((4, 100, 3)), "s": np.ones((4, 100))}, 2)
    >>> draws.values["x"].shape, draws.batch_shape
    ((400, 3), (4, 100))
    """
    if posterior_samples is not None and not isinstance(posterior_samples, Mapping):
        raise TypeError(
            f"{who}: {what} must be a dict from site names to arrays of draws, as "
            f"mcmc.get_samples() gives it, got {type(posterior_samples).__name__}"
        )
    numbers = {"batch_ndims": batch_ndims}
    if num_samples is not None:
        numbers["num_samples"] = num_samples
    for name, number in numbers.items():
        if not isinstance(number, (int, np.integer)):
            raise TypeError(f"{who}: {name} must be an integer, got {number!r}")
    if batch_ndims < 0:
        raise ValueError(f"{who}: batch_ndims cannot be negative, got {batch_ndims}")
    if num_samples is not None and num_samples < 1:
        raise ValueError(f"{who}: num_samples must be positive, got {num_samples}")
    if not posterior_samples:
        if num_samples is None:
            raise ValueError(f"{who}: {what} is empty, and nothing else tells the number of draws")
        return DrawBatch({}, (1,) * (batch_ndims - 1) + (int(num_samples),))
    batch_shape = _common_shape(who, what, posterior_samples, batch_ndims)
    count = math.prod(batch_shape)
    if num_samples is not None and num_samples != count:
        warnings.warn(
            f"{who}: num_samples={num_samples}, but posterior_samples holds {count} draws; these "
            "are used",
            stacklevel=3,
        )
    flat = {
        name: _host(value).reshape((count, *np.shape(value)[batch_ndims:]))
        for name, value in posterior_samples.items()
    }
    return DrawBatch(flat, batch_shape)


def _host(value: Any) -> Any:
    return value if isinstance(value, jax.core.Tracer) else np.asarray(value)


def _common_shape(
    who: str, what: str, samples: Mapping[str, Any], batch_ndims: int
) -> tuple[int, ...]:
    first: str | None = None
    for name, value in samples.items():
        shape = np.shape(value)
        if len(shape) < batch_ndims:
            raise ValueError(
                f"{who}: {what}[{name!r}] has shape {shape}, which lacks the {batch_ndims} leading "
                f"dims of draws that batch_ndims={batch_ndims} says"
            )
        if first is None:
            first, batch_shape = name, shape[:batch_ndims]
        elif shape[:batch_ndims] != batch_shape:
            raise ValueError(
                f"{who}: the arrays of {what} must have the same leading dims, but {name!r} has "
                f"{shape[:batch_ndims]} (shape {shape}) and {first!r} has {batch_shape}. Take "
                "all from the same draws; batch_ndims=2 is for draws grouped by chain"
            )
    return batch_shape
