"""One step of a scan as a traced program, and what of it differs from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from sojourn_infer.enumeration.factors import Variable
from sojourn_primitives.control_flow.record import Leaf, Outline, Record
from sojourn_primitives.dependence import input_dependence


class StepProgram(NamedTuple):
    """One step, traced.

    Attributes
    ----------
    jaxpr : ClosedJaxpr
        From carry, x, index, slices and supports to carry, y, given values and terms.
    trees : tuple
        Structure of carry and y.
    counts : tuple of int
        Number of leaves of carry, y, given values and terms.
    inputs : tuple of int
        Number of leaves of carry, of x, index and slices, and of supports.
    copies : tuple of Variable
        Which site each support belongs to.
    records, outlines
        The sites, and what is known of them without the program's numbers.
    """

    jaxpr: ClosedJaxpr
    trees: tuple[Any, Any]
    counts: tuple[int, ...]
    inputs: tuple[int, int, int]
    copies: tuple[Variable, ...]
    records: list[Record]
    outlines: list[Outline]


def variation(program: StepProgram) -> tuple[set[int], list[bool]]:
    """Which leaves of the carry stay as they are, and which outputs differ from step to step."""
    carries, others, _ = program.inputs
    depends_on = input_dependence(program.jaxpr)
    moves = set(range(carries, carries + others))
    while True:
        new = {i for i in range(carries) if i not in moves and depends_on[i] & moves}
        if not new:
            break
        moves |= new
    fixed = set(range(carries)) - moves
    return fixed, [bool(inputs & moves) for inputs in depends_on]


def parts_of(program: StepProgram, terms: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the parts of each site's message, with the arrays that the program returned."""
    returned = (Leaf(term, False) for term in terms)
    return [
        {
            part: tree.treedef.unflatten([leaf.value for leaf in outline.take(tree, returned)])
            for part, tree in outline.trees.items()
        }
        for outline in program.outlines
    ]


def abstract(leaf: Any, leading: int) -> jax.ShapeDtypeStruct:
    """Return shape and type of an array without its leading axes."""
    dtype = jax.dtypes.canonicalize_dtype(jnp.result_type(leaf))
    return jax.ShapeDtypeStruct(np.shape(leaf)[leading:], dtype)
