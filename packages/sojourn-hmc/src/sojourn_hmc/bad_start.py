"""What to tell a user whose chain cannot start: what is not finite, where, and what to do."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from sojourn_hmc.target import Target


def finite_start(potential_energy: Any, z_grad: Any = None) -> bool:
    """Whether a chain can start where the potential and its gradient, if any, are these."""
    # NumPy on the host: an eager JAX operation would compile a program of its own.
    numbers = [potential_energy, *jax.tree.leaves(z_grad)]
    return all(np.all(np.isfinite(np.asarray(number))) for number in numbers)


def describe_bad_start(
    target: Target,
    z: Any,
    potential_energy: Any,
    z_grad: Any,
    model_args: tuple,
    model_kwargs: dict,
) -> str:
    """Say why a chain cannot start at ``z``; ``z_grad`` is None for a kernel without gradients.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from sojourn_hmc import PotentialTarget
    >>> target = PotentialTarget(lambda x: -jnp.log(x))
    >>> text = describe_bad_start(target, jnp.float32(0), np.inf, np.float32(-np.inf), (), {})
    >>> print(text.splitlines()[1])
      potential energy: inf
    """
    what = "the potential energy" if z_grad is None else "the potential energy or its gradient"
    lines = [
        f"cannot start a chain: {what} is not finite at the start",
        f"  potential energy: {float(potential_energy)}",
    ]
    for path, gradient in jax.tree_util.tree_leaves_with_path(z_grad):
        bad = ~np.isfinite(np.asarray(gradient))
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            where = f" (first at index {first})" if first else ""
            lines.append(
                f"  gradient at {jax.tree_util.keystr(path)}: {int(bad.sum())} of {bad.size} "
                f"entries are not finite{where}"
            )
    lines.append(target.explain(z, model_args, model_kwargs))
    lines.append(
        "Try: other initial values (init_params, or another init_strategy), a check of the data "
        "for NaN and of the model for divisions by zero or logarithms of zero, double precision"
    )
    return "\n".join(lines)
