"""The sites of a scan with enumerated states, as the handlers outside of it see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_infer.enumeration.factors import Variable
from sojourn_infer.enumeration.notes import Scanned, Steps, Term
from sojourn_primitives.control_flow.record import Leaf, Outline, Record, outside

_TERM = ("fn", "value", "scale")


class SiteSteps:
    """One site of the scanned function at all steps.

    Attributes
    ----------
    record : Record
        The site, and who waits for it outside.
    first : list of dict
        Parts of its message in the first steps.
    rest : dict
        For each part of the other steps, if there are any, its structure and its leaves.
    given : array or None
        The value for all steps that a handler outside gave.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.first: list[dict[str, Any]] = []
        self.rest: dict[str, tuple[Any, list[Leaf]]] = {}
        self.given: Any = None

    def take(self, outline: Outline, returned: Iterator[Leaf], given: Any) -> None:
        """Take the parts of the other steps, from what the program returned."""
        self.given = given
        for part, tree in outline.trees.items():
            self.rest[part] = (tree.treedef, outline.take(tree, returned))


def message_of(site: SiteSteps, steps: Steps, dims: dict[int, Variable]) -> Record:
    """Complete a site's record with its message for the handlers outside."""
    msg = site.record.msg
    parts = {**site.first[0]}
    if "scale" in parts:
        parts["scale"] = _scale(site, steps)
    variable = getattr(msg.get("enumeration"), "variable", None)
    if site.given is not None:
        parts["value"] = site.given
    elif msg["type"] != "plate" and variable is None:
        parts["value"] = _values(site, steps)
    if msg["type"] == "sample":
        scanned = _scanned(site, steps, variable, dims)
        parts["fn"] = OverSteps(scanned)
        site.record.msg = outside(msg, parts)
        site.record.msg["enumeration"] = scanned
    else:
        site.record.msg = outside(msg, parts)
    return site.record


def over_steps(
    f: Callable[[Term], Any], scanned: Scanned, outputs: dict[int, Any] | None = None
) -> Any:
    """Return the tree ``f(term)`` of all steps but the first ones, with a leading time axis.

    With ``outputs`` (see `Source`), it is that of a part of these steps.
    """
    build, by_step = scanned.build, scanned.by_step
    assert build is not None
    moving = [x for x, moves in zip(scanned.leaves, by_step, strict=True) if moves]
    length = scanned.steps.length - scanned.steps.first
    if outputs is not None:
        numbers = [i for i, moves in zip(scanned.outputs, by_step, strict=True) if moves]
        moving = [outputs[i] for i in numbers if i is not None]
        length = len(moving[0])

    def of_step(moving: list[Any]) -> Any:
        current = iter(moving)
        leaves = zip(scanned.leaves, by_step, strict=True)
        return f(build([next(current) if moves else leaf for leaf, moves in leaves]))

    return jax.vmap(of_step, axis_size=length)(moving)


def joined(parts: Sequence[Any], reverse: bool) -> jax.Array:
    """Put arrays with a time axis one after the other; dims that some lack are repeated."""
    rank = max(np.ndim(part) for part in parts)
    wide = [
        jnp.reshape(p, np.shape(p)[:1] + (1,) * (rank - np.ndim(p)) + np.shape(p)[1:])
        for p in parts
    ]
    shape = np.broadcast_shapes(*(p.shape[1:] for p in wide))
    array = jnp.concatenate([jnp.broadcast_to(p, (p.shape[0], *shape)) for p in wide])
    return array[::-1] if reverse else array


class OverSteps:
    """The distribution of a scanned site that may depend on sites that are summed out.

    It has what handlers and tables of shapes ask for; log densities are computed step by step.

    Parameters
    ----------
    scanned : Scanned
        The site.
    """

    def __init__(self, scanned: Scanned) -> None:
        self._scanned = scanned
        self._step = scanned.first[-1].fn
        self.batch_shape = (scanned.steps.length, *self._step.batch_shape)
        self.event_shape = tuple(self._step.event_shape)

    @property
    def event_dim(self) -> int:
        """Number of dims of one draw."""
        return len(self.event_shape)

    @property
    def kind(self) -> str:
        """The name of the steps' distribution."""
        return str(getattr(self._step, "kind", type(self._step).__name__))

    @property
    def is_discrete(self) -> bool:
        """Whether the steps' distributions are discrete."""
        return bool(self._step.is_discrete)

    @property
    def has_enumerate_support(self) -> bool:
        """Whether the steps' distributions list their support."""
        return bool(getattr(self._step, "has_enumerate_support", False))

    @property
    def support(self) -> Any:
        """The steps' support; its bounds have a time axis.

        Raises
        ------
        ValueError
            The bounds depend on a site that is summed out.
        """
        scanned = self._scanned
        parts = [jax.tree.map(lambda x: jnp.asarray(x)[None], t.fn.support) for t in scanned.first]
        if scanned.build is not None:
            parts.append(over_steps(lambda term: term.fn.support, scanned))
        for leaf in jax.tree.leaves(parts):
            check_bound(scanned.name, leaf.shape[1:], self.event_dim, scanned.dims)
        width = len(self.batch_shape) + self.event_dim

        def over_time(*leaves: Any) -> jax.Array:
            bound = joined(leaves, scanned.steps.reverse)
            return bound.reshape(bound.shape[:1] + (1,) * (width - bound.ndim) + bound.shape[1:])

        return jax.tree.map(over_time, *parts)


def check_bound(
    name: str, shape: Sequence[int], event_dim: int, dims: Mapping[int, Variable]
) -> None:
    """Raise where a bound of a site's support has a dim that stands for a discrete site."""
    batch = shape[: len(shape) - event_dim]
    for dim, variable in dims.items():
        if -dim <= len(batch) and batch[dim] != 1:
            raise ValueError(
                f"site {name!r}: its support depends on the discrete site {variable}, which is "
                "summed out, so there is no one space for a sampler to move in. Give it a support "
                "that does not depend on discrete sites."
            )


def _scanned(
    site: SiteSteps, steps: Steps, variable: Variable | None, dims: dict[int, Variable]
) -> Scanned:
    leaves = [leaf for part in _TERM if site.rest for leaf in site.rest[part][1]]

    def build(values: list[Any]) -> Term:
        rest = iter(values)
        trees = [site.rest[part][0] for part in _TERM]
        return Term(
            *(tree.unflatten([next(rest) for _ in range(tree.num_leaves)]) for tree in trees)
        )

    return Scanned(
        steps=steps,
        name=str(site.record.msg["name"]),
        variable=variable,
        plates=list(site.record.msg["cond_indep_stack"]),
        dims=dims,
        first=[Term(*(parts[part] for part in _TERM)) for parts in site.first],
        leaves=[leaf.value for leaf in leaves],
        by_step=[leaf.by_step for leaf in leaves],
        outputs=[leaf.output for leaf in leaves],
        build=build if site.rest else None,
        support=site.first[0]["value"] if variable is not None else None,
    )


def _values(site: SiteSteps, steps: Steps) -> Any:
    """Stack the values of all steps, in the order of what is scanned over."""
    parts = [jax.tree.map(lambda x: jnp.asarray(x)[None], p["value"]) for p in site.first]
    if site.rest:
        tree, leaves = site.rest["value"]
        length = steps.length - steps.first
        parts.append(
            tree.unflatten(
                [
                    x.value
                    if x.by_step
                    else jnp.broadcast_to(x.value, (length, *np.shape(x.value)))
                    for x in leaves
                ]
            )
        )
    return jax.tree.map(lambda *xs: joined(xs, steps.reverse), *parts)


def _scale(site: SiteSteps, steps: Steps) -> Any:
    """Return the scale of all steps, with a time axis only if it differs between them."""
    scales = [parts["scale"] for parts in site.first]
    tree, leaves = site.rest["scale"] if site.rest else (None, [])
    if not any(leaf.by_step for leaf in leaves):
        others = [tree.unflatten([leaf.value for leaf in leaves])] if tree is not None else []
        if all(_same(scales[0], scale) for scale in [*scales, *others]):
            return scales[0]
    parts = [jnp.asarray(scale)[None] for scale in scales]
    length = steps.length - steps.first
    parts += [x.value if x.by_step else jnp.full((length,), x.value) for x in leaves]
    array = joined(parts, steps.reverse)
    rank = len(site.first[-1]["fn"].batch_shape)
    return array.reshape(array.shape[:1] + (1,) * (rank + 1 - array.ndim) + array.shape[1:])


def _same(a: Any, b: Any) -> bool:
    numbers = (int, float, type(None))
    return a is b or (isinstance(a, numbers) and isinstance(b, numbers) and a == b)
