"""A function of arrays that is compiled once, however often the function itself is made anew."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

from sojourn_infer.program_identity import program_identity

MAX_PROGRAMS = 128
"""Compiled programs that are kept: those that were used last."""


def compile_once(
    function: Callable[..., Any], *examples: Any, quickly: bool = False
) -> Callable[..., Any] | None:
    """Trace a function; compile it, unless an equal program was compiled before.

    Tracing runs the function's Python code, so what that reads from outside may change from call
    to call: another program is compiled then.

    Parameters
    ----------
    function : Callable
        A pure function of pytrees of arrays.
    *examples
        What it is to be called with, or their shapes.
    quickly : bool
        Whether the program does too little for a compiler's optimizing to pay.

    Returns
    -------
    Callable or None
        The function, for arguments of these shapes. None inside of a transformation, that is where
        an example or a value that the function reads is a tracer: such a function belongs to an
        outer program, which is compiled as a whole. None too where `jax.disable_jit` is on.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> def scaled(factor, x):
    ...     program = compile_once(lambda x: {"y": factor * x}, x)
    ...     return program(x)["y"] if program else factor * x
    >>> scaled(2.0, jnp.ones(2)).tolist(), scaled(3.0, jnp.ones(2)).tolist()
    ([2.0, 2.0], [3.0, 3.0])
    """
    leaves, treedef = jax.tree.flatten(examples)
    if _any_tracer(leaves) or _setting("jax_disable_jit"):
        return None
    results: list[Any] = []

    def flat(*leaves: Any) -> list[Any]:
        found, tree = jax.tree.flatten(function(*jax.tree.unflatten(treedef, leaves)))
        results.append(tree)
        return found

    flat.__name__ = getattr(function, "__name__", "program")  # what JAX's logs call it
    traced = jax.jit(flat).trace(*leaves)
    # A tracer that the function reads becomes a constant or one more input.
    if _any_tracer(traced.jaxpr.consts) or len(traced.jaxpr.jaxpr.invars) != len(leaves):
        return None
    identity = (
        program_identity(traced.jaxpr),
        tuple(getattr(leaf, "sharding", None) for leaf in leaves),
        _setting("jax_default_device"),
        jax.default_backend(),
        quickly,
    )
    compiled = _programs.get(identity)
    if compiled is None:
        compiled = _compile(traced.lower(), quickly)
        _programs.keep(identity, compiled)

    def call(*arguments: Any) -> Any:
        # Static parts of the results are those of this trace, not of the one that was compiled.
        return jax.tree.unflatten(results[-1], compiled(*jax.tree.leaves(arguments)))

    return call


def has_loop(program: ClosedJaxpr | Jaxpr) -> bool:
    """Whether a traced program has a loop, so that its size does not tell how long it runs.

    Examples
    --------
    >>> has_loop(jax.make_jaxpr(jax.jit(lambda x: jax.lax.map(abs, x)))(jax.numpy.ones(3)))
    True
    """
    equations = getattr(program, "jaxpr", program).eqns
    inner = jax.tree.leaves([list(equation.params.values()) for equation in equations])
    return any(equation.primitive.name in ("while", "scan") for equation in equations) or any(
        has_loop(value) for value in inner if isinstance(value, (ClosedJaxpr, Jaxpr))
    )


def _compile(lowered: jax.stages.Lowered, quickly: bool) -> jax.stages.Compiled:
    options = _options(quickly)
    while True:
        known = {name: value for name, value in options.items() if name not in _missing_options}
        try:
            return lowered.compile(compiler_options=known)
        except jax.errors.JaxRuntimeError as error:
            missing = {name for name in known if f"No such compile option: '{name}'" in str(error)}
            if not missing:
                raise
            _missing_options.update(missing)


def _options(quickly: bool) -> dict[str, str | bool]:
    """XLA's options, by which a program compiles faster."""
    options: dict[str, str | bool] = {}
    if quickly:
        options["xla_backend_optimization_level"] = "0"
    if jax.default_backend() == "cpu":
        # Of two ways to make the same code, the one that takes half of the time.
        options["xla_cpu_use_fusion_emitters"] = False
        if quickly:  # what is small is compiled faster in one piece than in several at once
            options["xla_cpu_parallel_codegen_split_count"] = "1"
    return options


_missing_options: set[str] = set()
"""Options that this XLA turned out not to have; it promises none to stay."""


class _Programs:
    """Compiled programs by what they compute."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, identity: Hashable) -> Any:
        with self._lock:
            if identity not in self._found:
                return None
            self._found.move_to_end(identity)
            return self._found[identity]

    def keep(self, identity: Hashable, compiled: Any) -> None:
        with self._lock:
            self._found[identity] = compiled
            while len(self._found) > MAX_PROGRAMS:
                self._found.popitem(last=False)


_programs = _Programs()


def _setting(name: str) -> Any:
    """A setting of JAX as it is in this thread; its types do not list them."""
    return getattr(jax.config, name)


def _any_tracer(leaves: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
