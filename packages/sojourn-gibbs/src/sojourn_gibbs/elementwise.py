"""Which outputs of a traced program keep the elements of an input apart.

An output follows an input along a dimension if slice ``i`` of the output is computed from slice
``i`` of the input alone. The rules below say for each operation which axes of its result still
follow; an operation without a rule is taken to mix everything, so a missing rule costs speed and
never correctness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal


class Axes(NamedTuple):
    """How an array depends on the input: for each dimension of it, the axis that follows, or None.

    Attributes
    ----------
    follow : tuple
        Axes of the array, one for each dimension of the input that has more than one element.
    """

    follow: tuple[int | None, ...]

    def moved(self, new_axis: Callable[[int], int | None]) -> Axes:
        """Say where each axis has gone."""
        return Axes(tuple(None if axis is None else new_axis(axis) for axis in self.follow))


def followed_axes(program: ClosedJaxpr) -> list[Axes | None]:
    """Say of each output of a program of one input how it follows that input.

    Parameters
    ----------
    program : ClosedJaxpr
        What `jax.make_jaxpr` returns for a function of one array.

    Returns
    -------
    list
        For each output None if it does not depend on the input, otherwise its `Axes`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> def f(z):
    ...     return jnp.exp(z)[:, None] * jnp.ones(2), jnp.cumsum(z), jnp.ones(3)
    >>> followed_axes(jax.make_jaxpr(f)(jnp.ones(3)))
    [Axes(follow=(0,)), Axes(follow=(None,)), None]
    """
    (variable,) = program.jaxpr.invars
    axes = [axis for axis, size in enumerate(variable.aval.shape) if size > 1]
    return _outputs(program.jaxpr, [Axes(tuple(axes))])


def _outputs(jaxpr: Jaxpr, inputs: Sequence[Axes | None]) -> list[Axes | None]:
    known = {id(var): axes for var, axes in zip(jaxpr.invars, inputs, strict=True)}

    def read(var: Any) -> Axes | None:
        return None if isinstance(var, Literal) else known.get(id(var))

    for equation in jaxpr.eqns:
        given = [read(var) for var in equation.invars]
        if any(axes is not None for axes in given):
            found = _equation(equation, given)
            known.update(zip(map(id, equation.outvars), found, strict=True))
    return [read(var) for var in jaxpr.outvars]


def _equation(equation: Any, given: list[Axes | None]) -> list[Axes | None]:
    name, params = equation.primitive.name, equation.params
    inner = _inner_program(equation)
    if inner is not None:
        return _outputs(inner, given)
    if name == "cond" and given[0] is None:
        branches = [_outputs(branch.jaxpr, given[1:]) for branch in params["branches"]]
        return [_common(outs) for outs in zip(*branches, strict=True)]
    if name in ELEMENTWISE:
        return [_common(given)] * len(equation.outvars)
    rule = RULES.get(name)
    if rule is None:
        return [_mixed(given)] * len(equation.outvars)
    return [rule(equation, given)] * len(equation.outvars)


def _inner_program(equation: Any) -> Jaxpr | None:
    """The program that an operation merely calls."""
    if equation.primitive.name in ("scan", "while", "cond", "custom_root", "custom_linear_solve"):
        return None
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        inner = equation.params.get(key)
        inner = getattr(inner, "jaxpr", inner)
        if (
            isinstance(inner, Jaxpr)
            and len(inner.invars) == len(equation.invars)
            and len(inner.outvars) == len(equation.outvars)
        ):
            return inner
    return None


def _mixed(given: Sequence[Axes | None]) -> Axes:
    number = next(len(axes.follow) for axes in given if axes is not None)
    return Axes((None,) * number)


def _common(given: Sequence[Axes | None]) -> Axes | None:
    """What arrays of one shape, combined element by element, follow together."""
    dependent = [axes.follow for axes in given if axes is not None]
    if not dependent:
        return None
    return Axes(
        tuple(
            axes[0] if all(axis == axes[0] for axis in axes) else None
            for axes in zip(*dependent, strict=True)
        )
    )


def _only_first(given: list[Axes | None]) -> Axes | None:
    """The first operand's axes, if it is the only one that depends on the input."""
    return given[0] if all(axes is None for axes in given[1:]) else None


def _broadcast_in_dim(equation: Any, given: list[Axes | None]) -> Axes:
    operand = _only_first(given)
    if operand is None:
        return _mixed(given)
    place = equation.params["broadcast_dimensions"]
    return operand.moved(lambda axis: place[axis])


def _reshape(equation: Any, given: list[Axes | None]) -> Axes:
    operand = _only_first(given)
    if operand is None or equation.params.get("dimensions") is not None:
        return _mixed(given)
    before, after = equation.invars[0].aval.shape, equation.outvars[0].aval.shape

    def place(axis: int) -> int | None:
        offset = math.prod(before[:axis])
        for other, size in enumerate(after):
            if size == before[axis] and math.prod(after[:other]) == offset:
                return other
        return None

    return operand.moved(place)


def _without_axes(parameter: str) -> Callable[[Any, list[Axes | None]], Axes]:
    """Rule of an operation that takes axes away: what followed along them is mixed."""

    def rule(equation: Any, given: list[Axes | None]) -> Axes:
        gone = tuple(equation.params[parameter])
        common = _common(given)
        assert common is not None
        return common.moved(
            lambda axis: None if axis in gone else axis - sum(other < axis for other in gone)
        )

    return rule


def _along(parameter: str) -> Callable[[Any, list[Axes | None]], Axes]:
    """Rule of an operation that mixes along some axes and leaves the others where they are."""

    def rule(equation: Any, given: list[Axes | None]) -> Axes:
        mixed = np.ravel(equation.params[parameter])  # one axis or several
        common = _common(given)
        assert common is not None
        return common.moved(lambda axis: None if axis in mixed else axis)

    return rule


def _transpose(equation: Any, given: list[Axes | None]) -> Axes:
    permutation = tuple(equation.params["permutation"])
    common = _common(given)
    assert common is not None
    return common.moved(permutation.index)


def _slice(equation: Any, given: list[Axes | None]) -> Axes:
    before, after = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
    common = _common(given)
    assert common is not None
    # A slice of full size is the whole axis: a stride or a start would make it shorter.
    return common.moved(lambda axis: axis if before[axis] == after[axis] else None)


def _gather(equation: Any, given: list[Axes | None]) -> Axes:
    operand, indices = given
    if operand is not None or indices is None:
        return _mixed(given)
    offset_dims = equation.params["dimension_numbers"].offset_dims
    batch = [a for a in range(equation.outvars[0].aval.ndim) if a not in offset_dims]
    last = equation.invars[1].aval.ndim - 1
    return indices.moved(lambda axis: None if axis == last else batch[axis])


def _dot_general(equation: Any, given: list[Axes | None]) -> Axes:
    (left_contract, right_contract), (left_batch, right_batch) = equation.params[
        "dimension_numbers"
    ]
    ndims = [var.aval.ndim for var in equation.invars]
    sides = (tuple(left_batch), tuple(left_contract)), (tuple(right_batch), tuple(right_contract))
    first_free = len(left_batch)
    places: list[Axes | None] = []
    for axes, ndim, (batch, contract) in zip(given, ndims, sides, strict=True):
        free = [axis for axis in range(ndim) if axis not in batch + contract]
        where = {axis: n for n, axis in enumerate(batch)}
        where |= {axis: first_free + n for n, axis in enumerate(free)}
        first_free += len(free)
        places.append(None if axes is None else axes.moved(where.get))
    common = _common(places)
    assert common is not None
    return common


_NAMES = """
    abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil
    clamp clz convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc exp exp2
    expm1 floor ge gt igamma igammac imag integer_pow is_finite le lgamma log log1p logistic lt
    max min mul ne neg nextafter not or polygamma population_count pow real reduce_precision
    regularized_incomplete_beta rem round rsqrt select_n shift_left shift_right_arithmetic
    shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh xor zeta
"""
ELEMENTWISE = frozenset(_NAMES.split())

RULES: dict[str, Callable[[Any, list[Axes | None]], Axes]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "gather": _gather,
    "dot_general": _dot_general,
    "squeeze": _without_axes("dimensions"),
    "concatenate": _along("dimension"),
    "rev": _along("dimensions"),
    "sort": _along("dimension"),
    **{
        name: _along("axis")
        for name in ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", "split")
    },
    **{
        name: _without_axes("axes")
        for name in (
            "reduce_sum",
            "reduce_prod",
            "reduce_max",
            "reduce_min",
            "reduce_and",
            "reduce_or",
            "reduce_xor",
            "argmax",
            "argmin",
        )
    },
}
