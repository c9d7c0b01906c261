"""The values of a discrete site, laid out along a dim of their own."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from sojourn_primitives import Message


def is_discrete(site: Message) -> bool:
    """Whether a sample site takes countably many values."""
    support = getattr(site["fn"], "support", None)
    return bool(getattr(support, "is_discrete", False))


def has_finite_support(site: Message) -> bool:
    """Whether the values of a sample site can be listed."""
    return bool(getattr(site["fn"], "has_enumerate_support", False))


def family(fn: Any) -> str:
    """Name of a distribution under what expands, masks or reinterprets it."""
    while hasattr(fn, "base_dist"):
        fn = fn.base_dist
    return str(getattr(fn, "kind", type(fn).__name__))


def support_values(fn: Any) -> Any:
    """Return the values of a discrete distribution, shape ``(K,) + event_shape``."""
    values = fn.enumerate_support(expand=False)
    return _reshape(values, (np.shape(values)[0], *fn.event_shape))


def checked_support(site: Message) -> Any:
    """Return the values of a site that is to be enumerated, shape ``(K,) + event_shape``.

    Raises
    ------
    ValueError
        The site is continuous, has no finite support, draws several values at once, or its support
        is not the same for all elements.
    """
    name, fn = site["name"], site["fn"]
    asked = f"site {name!r} is to be enumerated (infer={{'enumerate': 'parallel'}})"
    if not is_discrete(site):
        raise ValueError(
            f"{asked}, but it is continuous ({family(fn)}): only discrete sites with finitely many "
            "values can be summed out. Remove the mark; samplers move the site as it is."
        )
    if not has_finite_support(site):
        raise ValueError(
            f"{asked}, but {family(fn)} does not list finitely many values. Observe the site; "
            "bound its support, for example by a Categorical over the values that matter; or sum "
            "it out by hand with logsumexp and factor."
        )
    sample_shape = site["kwargs"].get("sample_shape", ())
    if sample_shape:
        raise ValueError(
            f"{asked}, but it has sample_shape={tuple(sample_shape)}: copies that are summed out "
            "one by one must lie in a plate. Open a plate around it instead."
        )
    try:
        return support_values(fn)
    except (ValueError, NotImplementedError) as error:
        error.add_note(f"This happened while listing the values of the discrete site {name!r}.")
        raise


def along(values: Any, dim: int) -> Any:
    """Lay values out along a batch dim: shape ``(K, 1, ..., 1) + event_shape``."""
    shape = np.shape(values)
    return _reshape(values, (shape[0],) + (1,) * (-dim - 1) + shape[1:])


def _reshape(values: Any, shape: tuple[int, ...]) -> Any:
    # Values on the host stay there: while a program is traced they are no part of it.
    return (np if isinstance(values, np.ndarray) else jnp).reshape(values, shape)
