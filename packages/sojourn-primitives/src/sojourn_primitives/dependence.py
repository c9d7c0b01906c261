"""Which outputs of a traced program depend on which of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun

Inputs = frozenset[int]
_NONE: Inputs = frozenset()


def input_dependence(program: ClosedJaxpr) -> list[Inputs]:
    """Return for each output the positions of the inputs that it is computed from.

    Looks into calls, `scan`, `cond` and `while_loop`; any other operation is taken to make each of
    its outputs from all of its inputs. The answer depends on the program alone: ``0 * x`` depends
    on ``x``.

    Parameters
    ----------
    program : ClosedJaxpr
        What `jax.make_jaxpr` returns.
    """
    return _outputs(program.jaxpr, [frozenset({i}) for i in range(len(program.jaxpr.invars))])


def evaluate_without_inputs(program: ClosedJaxpr, outputs: Sequence[int]) -> list[Any]:
    """Evaluate those outputs of a program that depend on none of its inputs."""
    # None of the equations reads an input.
    return list(jaxpr_as_fun(restrict(program, outputs))(*[None] * len(program.jaxpr.invars)))


def restrict(program: ClosedJaxpr, outputs: Sequence[int]) -> ClosedJaxpr:
    """Return the program, with the same inputs, of those outputs alone."""
    jaxpr = program.jaxpr
    wanted = [jaxpr.outvars[i] for i in outputs]
    needed = {id(var) for var in wanted}
    equations = []
    for equation in reversed(jaxpr.eqns):
        if any(id(var) in needed for var in equation.outvars):
            equations.append(equation)
            needed.update(id(var) for var in equation.invars)
    return ClosedJaxpr(jaxpr.replace(outvars=wanted, eqns=equations[::-1]), program.consts)


def _outputs(jaxpr: Jaxpr, inputs: Sequence[Inputs]) -> list[Inputs]:
    known: dict[int, Inputs] = {id(var): on for var, on in zip(jaxpr.invars, inputs, strict=True)}

    def read(var: Any) -> Inputs:
        return _NONE if isinstance(var, Literal) else known.get(id(var), _NONE)

    for equation in jaxpr.eqns:
        found = _equation(equation, [read(var) for var in equation.invars])
        known.update(zip(map(id, equation.outvars), found, strict=True))
    return [read(var) for var in jaxpr.outvars]


def _equation(equation: Any, inputs: list[Inputs]) -> list[Inputs]:
    name, params = equation.primitive.name, equation.params
    if name == "scan":
        return _scan(equation, inputs)
    if name == "while":
        return _while(params, inputs)
    if name == "cond":
        branches = [_outputs(branch.jaxpr, inputs[1:]) for branch in params["branches"]]
        return [inputs[0].union(*outs) for outs in zip(*branches, strict=True)]
    for key in ("jaxpr", "call_jaxpr"):
        inner = params.get(key)
        inner = getattr(inner, "jaxpr", inner)
        if (
            isinstance(inner, Jaxpr)
            and len(inner.invars) == len(inputs)
            and len(inner.outvars) == len(equation.outvars)
        ):
            return _outputs(inner, inputs)
    everything = _NONE.union(*inputs)
    return [everything] * len(equation.outvars)


def _scan(equation: Any, inputs: list[Inputs]) -> list[Inputs]:
    body = equation.params["jaxpr"].jaxpr
    # Constants and carry go into the body as they are, the rest loses its leading axis; likewise
    # what comes out. How many there are of each is a parameter whose name differs between releases.
    stop = _same_rank(body.invars, equation.invars)
    start = stop - _same_rank(body.outvars, equation.outvars)
    carry = inputs[start:stop]
    while True:
        outs = _outputs(body, [*inputs[:start], *carry, *inputs[stop:]])
        grown = [a | b for a, b in zip(carry, outs, strict=False)]
        if grown == carry:
            return [*carry, *outs[len(carry) :]]
        carry = grown


def _same_rank(inside: Sequence[Any], outside: Sequence[Any]) -> int:
    pairs = zip(inside, outside, strict=True)
    return sum(inner.aval.ndim == outer.aval.ndim for inner, outer in pairs)


def _while(params: dict[str, Any], inputs: list[Inputs]) -> list[Inputs]:
    cond_consts, body_consts = params["cond_nconsts"], params["body_nconsts"]
    start = cond_consts + body_consts
    carry = inputs[start:]
    while True:
        (stop,) = _outputs(params["cond_jaxpr"].jaxpr, [*inputs[:cond_consts], *carry])
        outs = _outputs(params["body_jaxpr"].jaxpr, [*inputs[cond_consts:start], *carry])
        grown = [a | b | stop for a, b in zip(carry, outs, strict=True)]
        if grown == carry:
            return carry
        carry = grown
