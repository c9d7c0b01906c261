"""How the chains of a batch advance: by whole transitions together, or each at its own pace.

Together, a transition costs what the chain with most steps in it costs. At its own pace a chain
begins its next transition while others are in the middle of theirs; then every step has to carry
and choose all that a transition is made of. The draws are the same. What pays was measured by
``tools/benchmarks/many_chains.py`` and is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sojourn_hmc.chunk import Effort, Plan
from sojourn_hmc.fields import Fields
from sojourn_hmc.flat import advance_flat
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.together import advance_together

LEAST_CHAINS = 16
"""On a CPU, chains from which on their own pace is taken, if lengths of transitions vary.

With as many the one with the longest transition makes the others wait for more than half of the
time, whatever a step costs (`tools/benchmarks/many_chains.py`).
"""
LEAST_FLOPS = 2_000_000
"""On a CPU, arithmetic in one step of all chains from which on their own pace is taken anyway."""


class Pace(NamedTuple):
    """How the chains of a batch advance.

    Attributes
    ----------
    own : bool
        Whether each advances at its own pace.
    reason : str
        Why, in words.
    """

    own: bool
    reason: str

    def __str__(self) -> str:
        how = "each at its own pace" if self.own else "each transition together"
        return f"{how} ({self.reason})"


def offers_steps(kernel: MCMCKernel) -> bool:
    """Whether a kernel makes its transitions in steps: those of its `sample`, not of a parent's."""
    for cls in type(kernel).__mro__:
        if "steps" in vars(cls) or "sample" in vars(cls):
            return "steps" in vars(cls) and cls is not MCMCKernel
    return False


def choose_pace(
    kernel: MCMCKernel,
    states: Any,
    bind: Callable[[Any], tuple[tuple, dict]],
    data: Any,
    lock_step: bool | None,
) -> Pace:
    """Choose how a batch advances.

    Parameters
    ----------
    kernel : MCMCKernel
        The kernel.
    states : pytree
        States of the chains of one device, or their shapes, with a leading axis.
    bind : Callable
        Makes positional and keyword arguments of the model from its data.
    data : pytree
        The data, or their shapes.
    lock_step : bool or None
        What the user has decided; None if nothing.

    Raises
    ------
    ValueError
        If the user wants what the kernel cannot do.
    """
    name = type(kernel).__name__
    if not offers_steps(kernel):
        if lock_step is False:
            raise ValueError(
                f"lock_step=False asks for chains at their own pace, but {name} makes transitions "
                "as a whole only: leave lock_step at None, or give the kernel a method steps()"
            )
        return Pace(False, f"{name} makes transitions as a whole only")
    if lock_step is not None:
        return Pace(not lock_step, f"lock_step={lock_step}")
    if jax.default_backend() != "cpu":
        return Pace(True, f"as on every {jax.default_backend()}")
    num_chains = jax.tree.leaves(states)[0].shape[0]
    if kernel.varies_in_length and num_chains >= LEAST_CHAINS:
        return Pace(True, f"{name} varies in length, and there are at least {LEAST_CHAINS} chains")
    flops = _flops_of_a_step(kernel, states, bind, data)
    if flops is None:
        return Pace(False, "the cost of a step is not known")
    own = flops >= LEAST_FLOPS
    compared = "at least" if own else "less than"
    return Pace(own, f"a step of all is {flops:.2g} operations, {compared} {LEAST_FLOPS:.2g}")


def _flops_of_a_step(
    kernel: MCMCKernel, states: Any, bind: Callable[[Any], tuple[tuple, dict]], data: Any
) -> float | None:
    """Arithmetic of one step of all chains, as the compiler counts it; nothing is compiled."""

    def step(states: Any, data: Any) -> Any:
        steps = kernel.steps(*bind(data))
        return jax.vmap(lambda state: steps.step(state, steps.begin(state, None)))(states)

    analysis = jax.jit(step).lower(states, data).cost_analysis()
    flops: float | None = analysis.get("flops") if isinstance(analysis, dict) else None
    return flops


def advance_batch(
    kernel: MCMCKernel,
    inputs: tuple[tuple, dict],
    pace: Pace,
    fields: Fields,
    num_rows: int,
    states: Any,
    plan: Plan,
    own: jax.Array | None = None,
) -> tuple[Any, tuple, Effort | None]:
    """Advance a batch; as `advance_flat` and `advance_together`.

    Parameters
    ----------
    kernel : MCMCKernel
        The kernel.
    inputs : tuple
        Positional and keyword arguments of the model.
    pace : Pace
        From `choose_pace`.
    fields, num_rows, states, plan
        As for `sojourn_hmc.chunk.advance`; ``states`` has a leading axis of chains.
    own : Array, optional
        Which chains are there for their own sake, and not to fill a device up; all by default.
    """
    meeting = kernel.meeting(*inputs)
    if own is None:
        own = jnp.ones(jax.tree.leaves(states)[0].shape[0], bool)
    if pace.own:
        return advance_flat(kernel.steps(*inputs), meeting, fields, num_rows, states, plan, own)
    count = kernel.steps(*inputs).num_steps if offers_steps(kernel) else None
    return advance_together(
        lambda state: kernel.sample(state, *inputs),
        count,
        meeting,
        fields,
        num_rows,
        states,
        plan,
        own,
    )
