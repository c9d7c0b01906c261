"""Values of `param` sites: one set that all draws share, or several, each with draws of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_primitives import Message


def checked_params(who: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Refuse what is no dict of values by name.

    Examples
    --------
    >>> checked_params("Predictive", None)
    {}
    """
    if params is not None and not isinstance(params, Mapping):
        raise TypeError(
            f"{who}: params must be a dict from names of param sites to their values, got "
            f"{type(params).__name__}"
        )
    return dict(params or {})


def count_sets(who: str, params: Mapping[str, Any], batch_ndims: int) -> int | None:
    """Return the size of the leading dim of all arrays, the number of sets; None for a single set.

    Parameters
    ----------
    who : str
        Who asks, for error messages.
    params : dict
        Arrays, or trees of arrays, by name.
    batch_ndims : int
        Number of leading dims that count sets: 0 or 1.

    Raises
    ------
    ValueError
        An array lacks the leading dim or has another size there, there are no sets, or
        ``batch_ndims`` is above 1.

    Examples
    --------
    >>> import numpy as np
    >>> params = {"loc": np.zeros((3, 2)), "scale": np.ones(3)}
    >>> count_sets("Predictive", params, 1), count_sets("Predictive", params, 0)
    (3, None)
    """
    shapes = {
        "params" + jax.tree_util.keystr(path): jnp.shape(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(dict(params))
    }
    if batch_ndims == 0 or not shapes:
        return None
    first, shape = next(iter(shapes.items()))
    if batch_ndims > 1:
        raise ValueError(
            f"{who}: batch_ndims={batch_ndims}, but with a guide the arrays of params have one "
            f"batch dim at most; {first} has shape {shape}. Join the batch dims to one, give "
            "batch_ndims=1, and reshape the results"
        )
    for name, other in shapes.items():
        if not other or other[:1] != shape[:1]:
            beside = "" if name == first else f" and {first} has shape {shape}"
            raise ValueError(
                f"{who}: batch_ndims=1 says that the leading dim of every array of params counts "
                f"sets of parameters, but {name} has shape {other}{beside}. Give each an array of "
                "as many values as there are sets; leave batch_ndims out if params is a single set"
            )
    if not shape[0]:
        raise ValueError(f"{who}: params holds no set of parameters: {first} has shape {shape}")
    return shape[0]


def take_set(params: Mapping[str, Any], index: Any) -> dict[str, Any]:
    """One set of several.

    Examples
    --------
    >>> import numpy as np
    >>> take_set({"loc": np.array([[1.0, 2.0], [3.0, 4.0]])}, 1)["loc"].tolist()
    [3.0, 4.0]
    """
    return {
        name: jax.tree.map(lambda leaf: jnp.asarray(leaf)[index], value)
        for name, value in params.items()
    }


def check_not_batched(who: str, site: Message, given: Any) -> None:
    """Refuse a value with dims in front of those of its site's initial value.

    A model would broadcast it into results that mean nothing.

    Raises
    ------
    ValueError
        Names the site and both shapes.
    """
    initial = site["args"][0]
    trees: list[Any] = [jax.tree.structure(tree) for tree in (initial, given)]
    # An initial value that is made of a key is not made just to see its shape.
    if callable(initial) or trees[0] != trees[1]:
        return
    for of_site, of_value in zip(jax.tree.leaves(initial), jax.tree.leaves(given), strict=True):
        expected, shape = jnp.shape(of_site), jnp.shape(of_value)
        extra = len(shape) - len(expected)
        if extra > 0 and shape[extra:] == expected:
            raise ValueError(
                f"{who}: the value of param site {site['name']!r} has shape {shape}, but its "
                f"initial value has shape {expected}, and one value serves all draws. Values for "
                "each draw belong into posterior_samples; several sets of params need a guide, "
                "num_samples, no posterior_samples, and batch_ndims=1; a value that is one whole "
                "needs an initial value of its shape"
            )
