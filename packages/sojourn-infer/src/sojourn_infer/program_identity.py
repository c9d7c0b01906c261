"""What a traced program computes, as a value: equal programs are equal, whenever they were traced.

A model may read what changes between two calls (a global, a variable of an enclosing function), so
that the model itself does not tell which program it makes; the program that was traced of it does.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var

from sojourn_hmc.arguments import Constant

_CUSTOM_RULES = ("custom_jvp_call", "custom_vjp_call")


def program_identity(program: ClosedJaxpr) -> Hashable:
    """Return a value that two programs share only if they compute the same.

    Constants count by value, to the bit. What cannot be compared, such as a callback made anew,
    is equal to itself only. Names and places of source code do not count.

    Parameters
    ----------
    program : ClosedJaxpr
        What `jax.make_jaxpr` returns; none of its constants is a tracer.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> def identity_with(factor):
    ...     return program_identity(jax.make_jaxpr(lambda x: jnp.sin(factor * x))(1.0))
    >>> identity_with(2.0) == identity_with(2.0), identity_with(2.0) == identity_with(3.0)
    (True, False)
    """
    return (_jaxpr(program.jaxpr), tuple(map(_array, program.consts)))


def _jaxpr(jaxpr: Jaxpr) -> Hashable:
    numbers: dict[Var, int] = {}

    def number(var: Any) -> int:
        return numbers.setdefault(var, len(numbers))

    def read(atom: Any) -> Hashable:
        if isinstance(atom, Literal):
            return (atom.aval, _array(atom.val))
        return number(atom)

    inputs = [*jaxpr.constvars, *jaxpr.invars]
    for var in inputs:
        number(var)
    # Types of inputs and what is done to them decide all other types.
    equations = tuple(
        (
            equation.primitive,
            _parameters(equation),
            tuple(map(read, equation.invars)),
            tuple(map(number, equation.outvars)),
            equation.ctx,
        )
        for equation in jaxpr.eqns
    )
    return (
        len(jaxpr.constvars),
        tuple(var.aval for var in inputs),
        equations,
        tuple(map(read, jaxpr.outvars)),
    )


def _parameters(equation: Any) -> Hashable:
    params = equation.params
    if equation.primitive.name.startswith(_CUSTOM_RULES):
        # A rule is made anew at each trace; nobody differentiates a program that is compiled.
        params = {k: v for k, v in params.items() if isinstance(v, (ClosedJaxpr, Jaxpr, int))}
    return tuple((name, _value(params[name])) for name in sorted(params))


def _value(value: Any) -> Hashable:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bool, int)):
        return (type(value), value)  # 1 and True are equal, but not the same parameter
    if isinstance(value, float):
        return (float, value.hex())  # 0.0 and -0.0 are equal, NaN is not equal to itself
    if isinstance(value, ClosedJaxpr):
        return program_identity(value)
    if isinstance(value, Jaxpr):
        return _jaxpr(value)
    if type(value) in (tuple, list):
        return (type(value), tuple(map(_value, value)))
    if isinstance(value, dict):
        return (dict, tuple((_value(key), _value(item)) for key, item in value.items()))
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        return _array(value)
    try:
        hash(value)
    except TypeError:
        return object()
    return (type(value), value)


def _array(value: Any) -> Hashable:
    if isinstance(value, jax.Array):
        return (Constant(value), value.sharding)
    array = np.asarray(value)
    if array.size == 1:
        return (array.shape, array.dtype, array.tobytes())
    return Constant(array)
