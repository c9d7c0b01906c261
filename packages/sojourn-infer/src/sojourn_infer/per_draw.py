"""A function of one posterior draw, run for many of them in blocks of bounded memory.

One program serves any number of draws: it is compiled for a block of a fixed size, told how many of
its draws count, and what it returns moves to host memory before the next block starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_hmc.arguments import Arguments, with_data
from sojourn_hmc.program import num_bytes, shape_of
from sojourn_infer.compile_once import compile_once, has_loop
from sojourn_infer.draw_batch import DrawBatch

BLOCK_BYTES = 1 << 24
MAX_BLOCK = 1024
PATIENCE = 2.0  # seconds until a long run shows its progress
FEW_BYTES = 1 << 20
"""What all draws read together, up to which a compiler's optimizing takes longer than it saves."""

OfOneDraw = Callable[[Any, Any, tuple, dict], Any]
"""Maps the values of a draw, its key or None, and the model's arguments to a result."""


class Settings(NamedTuple):
    """How to go through draws.

    Attributes
    ----------
    parallel : bool
        Whether to compute all at once, vectorized.
    batch_size : int or None
        How many to compute at once; with neither, they are computed one after another.
    progress : bool
        Whether to show progress when it takes more than two seconds.
    """

    parallel: bool = False
    batch_size: int | None = None
    progress: bool = False

    def check(self, who: str) -> None:
        """Raise a ValueError if ``batch_size`` is neither None nor a positive integer."""
        size: Any = self.batch_size
        if size is not None and not (isinstance(size, (int, np.integer)) and size > 0):
            raise ValueError(
                f"{who}: batch_size is how many draws are computed at once, a positive integer, "
                f"got {size!r}"
            )

    @property
    def together(self) -> bool:
        """Whether the draws of a block are vectorized."""
        return self.parallel or self.batch_size is not None

    def block_size(self, one_draw: Any, one_result: Any, num_draws: int) -> int:
        """Draws in a block, from the shapes of one and of its result.

        Examples
        --------
        >>> import jax
        >>> result = jax.ShapeDtypeStruct((10**6,), "float32")
        >>> Settings().block_size((), result, 10_000)
        4
        """
        if self.batch_size is not None:
            return self.batch_size
        if self.parallel:
            return max(num_draws, 1)
        fitting = BLOCK_BYTES // max(num_bytes((one_draw, one_result)), 1)
        return max(1, min(MAX_BLOCK, fitting))


class _Block(NamedTuple):
    """A program for a block of draws, and how many draws that is."""

    size: int
    program: Callable[..., Any]


@contextmanager
def at_one_draw(
    doing: str, function: Callable[..., Any], values: Mapping[str, Any]
) -> Iterator[None]:
    """Add to an error of a model what it was asked for."""
    try:
        yield
    except Exception as error:
        name = getattr(function, "__name__", repr(function))
        shapes = {site: jnp.shape(value) for site, value in values.items()}
        error.add_note(
            f"This happened while {doing} {name} at one draw of sites of the shapes {shapes}."
        )
        raise


class PerDraw:
    """A function of one draw that is run for batches of them; it keeps its compiled programs.

    Parameters
    ----------
    function : Callable
        ``function(values, key, args, kwargs)``, for one draw. Errors that it raises while traced
        come before anything compiles.
    settings : Settings
        How to go through draws.
    """

    def __init__(self, function: OfOneDraw, settings: Settings):
        self.function = function
        self.settings = settings
        self._blocks: dict[Any, _Block] = {}

    def __call__(self, batch: DrawBatch, key: Any, args: tuple, kwargs: dict) -> Any:
        """Compute the results of all draws.

        Parameters
        ----------
        batch : DrawBatch
            The draws.
        key : Array or None
            Draw i gets ``fold_in(key, i)``.
        args, kwargs
            The model's arguments.

        Returns
        -------
        pytree
            JAX arrays with the draws' batch shape in front.
        """

        def run(arguments: Arguments) -> Any:
            leaves = jax.tree.leaves((batch.values, key, arguments.data))
            traced = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
            block = None if traced else self._find(batch, key, arguments)
            if block is None:
                return self._inside(batch, key, arguments)
            return self._in_blocks(block, batch, key, arguments.data)

        return with_data((args, kwargs), run)

    def _one(self, arguments: Arguments) -> Callable[[Any, Any, Any, tuple], Any]:
        """Return the function of a draw's values, its index, the key and data."""
        function, structure = self.function, arguments.structure

        def one(values: Any, index: Any, key: Any, data: tuple) -> Any:
            args, kwargs = structure.bind(data)
            return function(
                values, None if key is None else jax.random.fold_in(key, index), args, kwargs
            )

        return one

    def _inside(self, batch: DrawBatch, key: Any, arguments: Arguments) -> Any:
        """Compute inside of another program, where no value is concrete."""
        one, size = self._one(arguments), self.settings.batch_size
        if self.settings.parallel and size is None:
            size = batch.num_draws
        results = lax.map(
            lambda draw: one(draw[0], draw[1], key, arguments.data),
            (batch.values, jnp.arange(batch.num_draws, dtype=jnp.uint32)),
            batch_size=size,
        )
        return jax.tree.map(lambda leaf: leaf.reshape(batch.batch_shape + leaf.shape[1:]), results)

    def _in_blocks(self, block: _Block, batch: DrawBatch, key: Any, data: tuple) -> Any:
        shown, parts = None, []
        for first in range(0, max(batch.num_draws, 1), block.size):
            last = min(first + block.size, batch.num_draws)
            rows = jax.tree.map(
                lambda leaf, a=first, b=last: _filled(leaf[a:b], block.size), batch.values
            )
            indices = np.arange(first, first + block.size, dtype=np.uint32)
            results = block.program(rows, indices, np.int32(last - first), key, data)
            if batch.batch_shape == (block.size,):
                return results
            parts.append(jax.tree.map(lambda leaf, n=last - first: np.asarray(leaf)[:n], results))
            shown = shown or _LateBar(batch.num_draws, self.settings.progress)
            shown.update(last - first)
        if shown is not None:
            shown.close()
        return jax.tree.map(lambda *pieces: _joined(pieces, batch.batch_shape), *parts)

    def _find(self, batch: DrawBatch, key: Any, arguments: Arguments) -> _Block | None:
        """Find or make the program for draws and data of these shapes.

        None if the model reads tracers, which belong to an outer program.
        """
        one_draw = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                leaf.shape[1:], jax.dtypes.canonicalize_dtype(leaf.dtype)
            ),
            batch.values,
        )
        num_draws = batch.num_draws if self.settings.parallel else None
        shared = (key, arguments.data)
        leaves, treedef = jax.tree.flatten((one_draw, shape_of(shared)))
        devices = tuple(getattr(leaf, "sharding", None) for leaf in jax.tree.leaves(shared))
        few = batch.num_draws * num_bytes((one_draw, shape_of(shared))) <= FEW_BYTES
        identity = (arguments.structure, treedef, tuple(leaves), devices, num_draws, few)
        if identity not in self._blocks:
            # As a compiled function it is traced once, for its shape and for the program.
            one = jax.jit(self._one(arguments))
            index = jax.ShapeDtypeStruct((), np.uint32)
            traced, result = jax.make_jaxpr(one, return_shape=True)(one_draw, index, *shared)
            size = self.settings.block_size(one_draw, result, batch.num_draws)
            rows, indices = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape), leaf.dtype),
                (one_draw, index),
            )
            make = _together if self.settings.together else _one_by_one
            program = compile_once(
                make(one, result, size),
                *(rows, indices, np.int32(0), *shared),
                quickly=few and not has_loop(traced),
            )
            if program is None:
                return None
            self._blocks[identity] = _Block(size, program)
        return self._blocks[identity]


def _together(one: Callable[..., Any], result: Any, size: int) -> Callable[..., Any]:
    def compute(values: Any, indices: Any, count: Any, key: Any, data: tuple) -> Any:
        return jax.vmap(one, (0, 0, None, None))(values, indices, key, data)

    return compute


def _one_by_one(one: Callable[..., Any], result: Any, size: int) -> Callable[..., Any]:
    def compute(values: Any, indices: Any, count: Any, key: Any, data: tuple) -> Any:
        def write(row: Any, results: Any) -> Any:
            draw = jax.tree.map(lambda leaf: leaf[row], values)
            new = one(draw, indices[row], key, data)
            return jax.tree.map(lambda rows, leaf: rows.at[row].set(leaf), results, new)

        empty = jax.tree.map(lambda leaf: jnp.zeros((size, *leaf.shape), leaf.dtype), result)
        return lax.fori_loop(0, count, write, empty)

    return compute


class _LateBar:
    """A bar that appears only when the draws take long; compiling, before it, does not count.

    Until then it does not import what shows it, which takes longer than a short run.
    """

    def __init__(self, total: int, enabled: bool):
        self._total = total
        self._enabled = enabled
        self._start = time.monotonic()
        self._done = 0
        self._bar: Any = None

    def update(self, number: int) -> None:
        self._done += number
        if self._bar is not None:
            self._bar.update(number)
        elif self._enabled and time.monotonic() - self._start > PATIENCE:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self._total, initial=self._done, desc="predict", unit="draw")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _filled(rows: np.ndarray, size: int) -> np.ndarray:
    """Rows of a block, filled up where there are fewer than it holds."""
    missing = size - len(rows)
    if not missing:
        return rows
    # Copies of the last row, so that nothing unheard of is computed; of none, zeros.
    last = rows[-1:] if len(rows) else np.zeros((1, *rows.shape[1:]), rows.dtype)
    return np.concatenate([rows, np.repeat(last, missing, 0)])


def _joined(pieces: tuple[np.ndarray, ...], batch_shape: tuple[int, ...]) -> jax.Array:
    whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    # An eager jnp.asarray would compile a program; this only transfers.
    return jax.device_put(whole.reshape((*batch_shape, *whole.shape[1:])))
