"""A function that is traced now and compiled in the background: the unit of which a run is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax


class Program:
    """A function compiled for the shapes of example arguments.

    Tracing happens at once, so that what is wrong with a model is raised here; compiling happens on
    a thread of its own once it is told to, because XLA releases the interpreter: one program
    compiles while the next one is traced. The first call waits for it.

    Parameters
    ----------
    function : Callable
        A pure function of arrays.
    *examples
        Arguments, or their shapes as `jax.ShapeDtypeStruct`; where these lie on several devices the
        program does.
    out_shardings : pytree, optional
        Where results are put, a prefix of their pytree, if on several devices.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> program = Program(lambda x: x + 1, jnp.zeros(3))
    >>> program.out_shape.shape, program(jnp.ones(3)).tolist()
    ((3,), [2.0, 2.0, 2.0])
    """

    def __init__(self, function: Callable[..., Any], *examples: Any, out_shardings: Any = None):
        self._lowered = jax.jit(function, out_shardings=out_shardings).lower(*examples)
        self._compiled: Future[Any] | None = None
        self.out_shape = self._lowered.out_info

    def start_compiling(self) -> Program:
        """Compile in the background; the first call does it, if nobody did."""
        if self._compiled is None:
            compiler = ThreadPoolExecutor(1, "compile")
            self._compiled = compiler.submit(self._lowered.compile)
            compiler.shutdown(wait=False)
        return self

    def text(self) -> str:
        """What is compiled, as text: equal for equal programs, in other processes too."""
        return self._lowered.as_text()

    def compiled(self) -> Any:
        """The compiled program, a `jax.stages.Compiled`, as soon as it is there."""
        if self._compiled is None:
            self.start_compiling()
        assert self._compiled is not None
        return self._compiled.result()

    def __call__(self, *arguments: Any) -> Any:
        """Run the program on arguments of the shapes that it was made for."""
        return self.compiled()(*arguments)


def shape_of(tree: Any) -> Any:
    """Shapes and types of a pytree of arrays, numbers, or shapes, and on which devices they lie."""

    def abstract(leaf: Any) -> jax.ShapeDtypeStruct:
        if isinstance(leaf, jax.ShapeDtypeStruct):
            return leaf
        aval = jax.typeof(leaf)
        sharding = leaf.sharding if isinstance(leaf, jax.Array) else None
        if sharding is not None and len(sharding.device_set) == 1:
            sharding = None  # a program for one device runs on any
        return jax.ShapeDtypeStruct(
            aval.shape, aval.dtype, weak_type=aval.weak_type, sharding=sharding
        )

    return jax.tree.map(abstract, tree)


def num_bytes(shapes: Any) -> int:
    """Memory that arrays of these shapes take."""
    leaves = jax.tree.leaves(shapes)
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)
