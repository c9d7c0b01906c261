"""What a user gives to ``run``, split into data (arguments of a program) and structure.

Arrays and floats are data: new values of the same shapes run the same program. Integers, booleans,
strings, functions and whatever else decide what is traced, and belong to the program. A model that
needs concrete values of its data (Python control flow on an array) has all of it made structure by
`freeze`; then other values mean another program. `with_data` tries the one, then the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

CONCRETE_VALUE_ERRORS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)
"""What JAX raises while tracing where a model needs the value of a tracer."""

Result = TypeVar("Result")


class Constant:
    """A leaf that belongs to the program: equal by value where it has one, else the same object."""

    def __init__(self, value: Any):
        self.value = value
        self._identity = _identity(value)

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self._identity == other._identity


class Structure(NamedTuple):
    """The part of the arguments that decides the program; hashable.

    Attributes
    ----------
    treedef : PyTreeDef
        How the leaves are nested.
    constants : tuple
        For every leaf a `Constant`, or None where the leaf is data.
    """

    treedef: Any
    constants: tuple[Constant | None, ...]

    def bind(self, data: tuple) -> Any:
        """Put data, concrete or traced, back into its places."""
        remaining = iter(data)
        leaves = [next(remaining) if leaf is None else leaf.value for leaf in self.constants]
        return jax.tree.unflatten(self.treedef, leaves)


class Arguments(NamedTuple):
    """A pytree of arguments, taken apart.

    Attributes
    ----------
    structure : Structure
        What decides the program.
    data : tuple
        What the program is called with.
    """

    structure: Structure
    data: tuple


def split(tree: Any) -> Arguments:
    """Take arguments apart into structure and data.

    Examples
    --------
    >>> import numpy as np
    >>> arguments = split({"J": 8, "y": np.zeros(3), "scale": 2.0})
    >>> len(arguments.data)  # the array and the float
    2
    >>> arguments.structure.bind(arguments.data)["J"]
    8
    """
    leaves, treedef = jax.tree.flatten(tree)
    constants = tuple(None if is_data(leaf) else Constant(leaf) for leaf in leaves)
    return Arguments(Structure(treedef, constants), tuple(filter(is_data, leaves)))


def freeze(tree: Any) -> Arguments:
    """Make every leaf part of the structure, with a value that Python can read.

    A tracer of an outer program has none, and stays data.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> arguments = freeze({"y": jnp.ones(3)})
    >>> arguments.data, type(arguments.structure.bind(())["y"]).__name__
    ((), 'ndarray')
    """
    leaves, treedef = jax.tree.flatten(readable(tree))
    constants = tuple(None if _is_tracer(leaf) else Constant(leaf) for leaf in leaves)
    return Arguments(Structure(treedef, constants), tuple(filter(_is_tracer, leaves)))


def with_data(inputs: Any, run: Callable[[Arguments], Result]) -> Result:
    """Call ``run`` with the arrays among the inputs as data; if that fails, with constants.

    What asks for the value of an array (Python control flow on data) fails while it is traced,
    before anything compiles. If it asks for a value that is there in neither case (a latent
    variable's), it fails again, with JAX's own explanation.

    Parameters
    ----------
    inputs : pytree
        What a user gave.
    run : Callable
        Traces with the data as arguments of a program; called once more if that fails.

    Returns
    -------
    object
        What ``run`` returns.

    Examples
    --------
    >>> import jax
    >>> import numpy as np
    >>> def double_if_positive(arguments):
    ...     def program(data):
    ...         (x,) = arguments.structure.bind(data)
    ...         return 2 * x if x > 0 else x
    ...     return jax.jit(program)(arguments.data), len(arguments.data)
    >>> value, num_data = with_data((np.float32(1.5),), double_if_positive)
    >>> float(value), num_data
    (3.0, 0)
    """
    try:
        return run(split(inputs))
    except CONCRETE_VALUE_ERRORS:
        return run(freeze(inputs))


def readable(tree: Any) -> Any:
    """Make NumPy arrays of JAX arrays: what is done with those while JAX traces has no value.

    Keys stay, for which NumPy has no type, and tracers, which have no value.
    """

    def read(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or _is_tracer(leaf):
            return leaf
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return leaf if is_key else np.asarray(leaf)

    return jax.tree.map(read, tree)


def is_data(leaf: Any) -> bool:
    """Whether a leaf can be an argument of a program without changing what is traced."""
    if isinstance(leaf, np.ndarray):
        return leaf.dtype.kind in "biufc" or jax.dtypes.issubdtype(leaf.dtype, np.floating)
    return isinstance(leaf, (jax.Array, float, complex, np.inexact))


def _is_tracer(leaf: Any) -> bool:
    return isinstance(leaf, jax.core.Tracer)


def _identity(value: Any) -> tuple:
    if isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    if isinstance(value, (np.ndarray, jax.Array)) and value.dtype != object:
        array = np.ascontiguousarray(value)
        digest = hashlib.sha256(array.view(np.uint8).data if array.size else b"").hexdigest()
        return (array.shape, str(array.dtype), digest)
    try:
        hash(value)
    except TypeError:
        return (type(value), id(value))
    # 1, 1.0 and True are equal but are traced differently.
    return (type(value), value)
