"""A scan over steps with enumerated states: how its sites' terms are found, for all steps at once.

Each enumerated site of the scanned function gets one batch dim for its copy of the current step and
one for each earlier step that the function may look back to. Between two steps the carry's dims are
shifted by one. After the first steps nothing changes shape any more, and the function is traced
once for all the steps that are left. Terms that are the same at all of them are computed once, and
the others under `jax.vmap`; only a carry whose numbers differ from step to step needs a loop.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

from sojourn_infer.enumeration.config import elimination_of_steps
from sojourn_infer.enumeration.dims import Dims
from sojourn_infer.enumeration.factors import Variable
from sojourn_infer.enumeration.notes import Source, Steps
from sojourn_infer.enumeration.scanned_sites import SiteSteps, joined, message_of
from sojourn_infer.enumeration.step_program import StepProgram, abstract, parts_of, variation
from sojourn_primitives import Message, Messenger
from sojourn_primitives.control_flow.boundary import Step
from sojourn_primitives.control_flow.record import Leaf, Outline, Record, traced_leaves
from sojourn_primitives.dependence import evaluate_without_inputs, input_dependence, restrict

Copies = frozenset[Variable]


class Run(Protocol):
    """What a scan asks of the run of the model that it belongs to."""

    @property
    def dims(self) -> Dims:
        """The dims of the run."""

    @property
    def is_used(self) -> bool:
        """Whether a site of the run is enumerated."""

    def postprocess_message(self, msg: Message) -> None:
        """Do what the run does to a message on its way down."""


class _WayDown(Messenger):
    """Innermost of the handlers outside of a step: what its run does to a message on its way down.

    The message is held back from the handlers outside until all steps are done, but the sites of
    the step that follow depend on its value.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def postprocess_message(self, msg: Message) -> None:
        self._run.postprocess_message(msg)


class ScanOfSteps:
    """One scan under the `enum` handler.

    Parameters
    ----------
    handler : Run
        The `enum` handler.
    number : int
        Tells scans of one model apart.
    f, init, xs, length, reverse, history, rng_key
        As for `sojourn_primitives.control_flow.scan`.
    """

    def __init__(
        self,
        handler: Run,
        number: int,
        f: Callable[[Any, Any], tuple[Any, Any]],
        init: Any,
        xs: Any,
        length: int,
        reverse: bool,
        history: int,
        *,
        rng_key: Any,
    ) -> None:
        self._handler = handler
        self._number = number
        self._f = f
        self._init = init
        self._xs = xs
        self._length = length
        self._reverse = reverse
        self._history = history
        self._key = rng_key
        self._dims_of: dict[str, tuple[int, ...]] = {}
        self._values: dict[str, Any] = {}
        self._traced: dict[str, Any] = {}
        self._source = Source([], lambda inputs: {})

    # --- what the handler asks while a step is traced ------------------------------------------

    def slot(self, site: str, dims: Dims) -> tuple[Variable, int]:
        """Return a site's copy of the current step, and its dim."""
        if site not in self._dims_of:
            self._dims_of[site] = dims.reserve(site, self._history + 1)
        return Variable(site, lag=0), self._dims_of[site][0]

    def support(self, site: str, value: Any) -> Any:
        """Return the value that lists a site's support, as an input of the program."""
        self._values.setdefault(site, value)
        return self._traced.get(site, value)

    def slots(self) -> dict[int, Variable]:
        """Return what the dims of this scan's sites stand for within a step."""
        return {
            dim: Variable(site, lag=lag)
            for site, dims in self._dims_of.items()
            for lag, dim in enumerate(dims)
        }

    # --- the run ---------------------------------------------------------------------------------

    def run(self) -> tuple[Any, Any, list[Record]] | None:
        """Return last carry, stacked y and the sites; None if there is nothing enumerated."""
        if not self._length:
            return None
        order = np.arange(self._length, dtype=np.int32)
        order = order[::-1] if self._reverse else order
        index0 = jax.ShapeDtypeStruct((), np.int32)
        x0 = jax.tree.map(lambda a: abstract(a, 1), self._xs)
        jax.eval_shape(lambda c, x, i: self._step(c, x, i, {})[:2], self._init, x0, index0)
        if not (self._dims_of or self._handler.is_used):
            return None

        carry = self._init
        copies: list[Copies] = [frozenset()] * len(jax.tree.leaves(carry))
        ys: list[Any] = []
        sites: list[SiteSteps] = []
        first = 0
        while True:
            program = self._trace(carry, x0, {})
            sites = sites or [SiteSteps(record) for record in program.records]
            if first == self._length or (first and self._settled(program, carry, copies)):
                break
            at = int(order[first])
            x = jax.tree.map(lambda a: jnp.asarray(a)[at], self._xs)  # noqa: B023
            outs = self._evaluate(program, carry, (x, np.int32(at), {}))
            carry, y, terms = outs
            for site, parts in zip(sites, parts_of(program, terms), strict=True):
                site.first.append(parts)
            copies = self._outgoing(program, copies)
            carry = self._shift(carry, copies)
            ys.append(y)
            first += 1
            self._check_settles(first, carry)
        if first < self._length:
            carry, rest = self._rest(program, carry, copies, order[first:], sites)
            ys = [jax.tree.map(lambda a: a[None], y) for y in ys] + [rest]
        else:
            ys = [jax.tree.map(lambda a: a[None], y) for y in ys]
        state = tuple(sorted(frozenset().union(*copies))) if first < self._length else ()
        asked = {elimination_of_steps(site.record.msg) for site in sites} - {"sequential"}
        how = min(asked, default="sequential")
        steps = Steps(self._number, first, self._length, self._reverse, state, how, self._source)
        self._leave(frozenset().union(*copies))
        y = jax.tree.map(lambda *parts: joined(parts, self._reverse), *ys)
        dims = self.slots()
        visible = self._handler.dims.visible(())
        records = [message_of(site, steps, {**visible, **dims}) for site in sites]
        return carry, y, records

    def _step(
        self, carry: Any, x: Any, index: Any, slices: dict[int, Any]
    ) -> tuple[Any, Any, Step]:
        with Step(self._key, index, self._length, slices) as step, _WayDown(self._handler):
            result = self._f(carry, x)
        if not _is_pair(result):
            raise TypeError(
                "scan: the function must return a pair (carry, y), got "
                f"{type(result).__name__}. Return (carry, None) if there is nothing to stack."
            )
        return *result, step

    def _trace(self, carry: Any, x: Any, slices: dict[int, Any]) -> StepProgram:
        found: list[Any] = []

        def run(carry: Any, x: Any, index: Any, slices: Any, supports: dict[str, Any]) -> Any:
            self._traced = supports
            try:
                carry, y, step = self._step(carry, x, index, slices)
            finally:
                self._traced = {}
            found[:] = step.records, [Outline.of(record) for record in step.records]
            return carry, y, step.given, traced_leaves(step.records)

        index = jax.ShapeDtypeStruct((), np.int32)
        given = (carry, x, index, slices, self._values)
        shapes = jax.tree.map(lambda leaf: abstract(leaf, 0), given)
        jaxpr, outs = jax.make_jaxpr(run, return_shape=True)(*shapes)
        records, outlines = found
        number = lambda tree: len(jax.tree.leaves(tree))  # noqa: E731
        return StepProgram(
            jaxpr,
            (jax.tree.structure(outs[0]), jax.tree.structure(outs[1])),
            tuple(map(number, outs)),
            (number(carry), number((x, index, slices)), len(self._values)),
            tuple(Variable(site, lag=0) for site in sorted(self._values)),
            records,
            outlines,
        )

    def _evaluate(
        self, program: StepProgram, carry: Any, rest: tuple[Any, Any, Any]
    ) -> tuple[Any, Any, list[Any]]:
        leaves = jax.tree.leaves((carry, *rest, self._values))
        outs = jaxpr_as_fun(program.jaxpr)(*map(jnp.asarray, leaves))
        carries, ys, given, _ = np.cumsum(program.counts)
        return (
            jax.tree.unflatten(program.trees[0], outs[:carries]),
            jax.tree.unflatten(program.trees[1], outs[carries:ys]),
            outs[given:],
        )

    # --- what the carry depends on -------------------------------------------------------------

    def _outgoing(self, program: StepProgram, copies: list[Copies]) -> list[Copies]:
        """Which copies the carry's leaves depend on, as the next step calls them."""
        carries, others, _ = program.inputs
        found = []
        for depends_on in input_dependence(program.jaxpr)[: program.counts[0]]:
            own: Copies = frozenset()
            for position in depends_on:
                if position < carries:
                    own |= copies[position]
                elif position >= carries + others:
                    own |= {program.copies[position - carries - others]}
            found.append(frozenset(self._older(v) for v in own))
        return found

    def _older(self, copy: Variable) -> Variable:
        assert copy.lag is not None
        if copy.lag + 1 > self._history:
            raise ValueError(
                f"scan: the carry depends on the discrete site {copy.site!r} of {copy.lag + 1} "
                f"steps before, but history={self._history}. Give scan history={copy.lag + 1} if "
                "a step looks back that far; a carry that depends on all earlier states (a "
                "running sum) cannot be summed out."
            )
        return copy._replace(lag=copy.lag + 1)

    def _settled(self, program: StepProgram, carry: Any, copies: list[Copies]) -> bool:
        """Whether a step leaves the shapes of the carry, and what it depends on, as they are."""
        outgoing = self._outgoing(program, copies)
        shapes = program.jaxpr.out_avals[: program.counts[0]]
        after = jax.eval_shape(
            lambda leaves: self._shift(leaves, outgoing),
            [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in shapes],
        )
        before = [abstract(leaf, 0) for leaf in jax.tree.leaves(carry)]
        same = len(before) == len(after) and all(
            a.shape == b.shape and a.dtype == b.dtype for a, b in zip(before, after, strict=True)
        )
        return same and outgoing == copies

    def _check_settles(self, steps: int, carry: Any) -> None:
        """Raise where the carry still changes after as many steps as states reach back."""
        if steps > self._history + 2:
            shapes = jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", carry)
            raise TypeError(
                f"scan: the carry has other shapes or types after each step, now {shapes}. Return "
                "it from the function as it came in; give init the types that steps return."
            )

    def _shift(self, carry: Any, copies: list[Copies]) -> Any:
        """Move the dims of copies to those of copies that are one step older."""
        leaves, treedef = jax.tree.flatten(carry)
        shifted = [self._shift_leaf(x, own) for x, own in zip(leaves, copies, strict=True)]
        return jax.tree.unflatten(treedef, shifted)

    def _shift_leaf(self, leaf: Any, copies: Copies) -> Any:
        if not copies:
            return leaf
        sites = sorted({v.site for v in copies})
        rank = max(-self._dims_of[site][-1] for site in sites)
        shape = (1,) * (rank - jnp.ndim(leaf)) + jnp.shape(leaf)
        axes = list(range(len(shape)))
        for site in sites:
            dims = self._dims_of[site]
            for newer, older in itertools.pairwise(dims):
                axes[older] = newer % len(shape)
            axes[dims[0]] = dims[-1] % len(shape)
        leaf = jnp.transpose(jnp.reshape(leaf, shape), axes)
        self._check_batch_only(leaf, copies)
        return leaf

    def _check_batch_only(self, leaf: Any, copies: Copies) -> None:
        """Raise where a leaf's dims are not the copies' alone: it then has an event shape."""
        own = {self._dims_of[v.site][v.lag or 0] for v in copies}
        own |= set(self._handler.dims.visible(()))
        first = self._handler.dims.first_available_dim
        for dim in range(-leaf.ndim, first + 1):
            if leaf.shape[dim] != 1 and dim not in own:
                sites = ", ".join(repr(v.site) for v in sorted(copies))
                raise ValueError(
                    f"scan: a part of the carry that depends on the discrete site {sites} has the "
                    f"shape {leaf.shape} with dims of its own. Carry the site's value itself, and "
                    "compute what follows from it inside the next step."
                )

    # --- the steps that are alike -------------------------------------------------------------

    def _rest(
        self,
        program: StepProgram,
        carry: Any,
        copies: list[Copies],
        order: np.ndarray,
        sites: list[SiteSteps],
    ) -> tuple[Any, Any]:
        """Take all other steps: return the last carry and stacked y, and fill in the sites."""
        slices, givens = self._slices(program, order)
        x = jax.tree.map(lambda a: jnp.asarray(a)[order], self._xs)
        if slices:
            x0 = jax.tree.map(lambda a: abstract(a, 1), self._xs)
            program = self._trace(carry, x0, jax.tree.map(lambda a: a[0], slices))
        by_step = jax.tree.leaves((x, order, slices))
        leaves = jax.tree.leaves(carry)
        fixed, varies = variation(program)
        outputs = list(range(program.counts[0], len(varies)))
        moving = [i for i in range(len(leaves)) if i not in fixed]
        stacked = [i for i in outputs if varies[i]]
        same = [i for i in outputs if not varies[i]]
        values = [jnp.asarray(v) for v in jax.tree.leaves(self._values)]

        once = jaxpr_as_fun(restrict(program.jaxpr, same))
        never = [None] * program.inputs[1]
        known: list[Any] = [leaf if i in fixed else None for i, leaf in enumerate(leaves)]
        found: dict[int, Any] = dict(zip(same, once(*known, *never, *values), strict=True))

        each = jaxpr_as_fun(restrict(program.jaxpr, [*moving, *stacked]))

        def step(state: list[Any], inputs: list[Any]) -> tuple[list[Any], list[Any]]:
            current = dict(zip(moving, state, strict=True))
            carried = [current.get(i, leaf) for i, leaf in enumerate(leaves)]
            outs = each(*carried, *inputs, *values)
            after = [self._shift_leaf(x, copies[i]) for i, x in zip(moving, outs, strict=False)]
            return after, outs[len(moving) :]

        if moving:
            start = [leaves[i] for i in moving]
            last, over_time = jax.lax.scan(step, start, by_step)
            leaves = [dict(zip(moving, last, strict=True)).get(i, x) for i, x in enumerate(leaves)]
            self._source = Source(dict(zip(stacked, over_time, strict=True)), lambda outs: outs)
        else:

            def outputs_of(inputs: list[Any]) -> dict[int, Any]:
                outs = jax.vmap(lambda x: step([], x)[1])(inputs) if stacked else []
                return dict(zip(stacked, outs, strict=True))

            self._source = Source(by_step, outputs_of)
            over_time = list(outputs_of(by_step).values())
        found.update(zip(stacked, over_time, strict=True))

        carries, ys, given, _ = np.cumsum(program.counts)
        returned = (Leaf(found[i], varies[i], i) for i in range(given, len(varies)))
        for site, record, outline in zip(sites, program.records, program.outlines, strict=True):
            given_value = None if record.given is None else givens.get(record.given)
            site.take(outline, returned, given_value)
        y = [
            found[i] if varies[i] else jnp.broadcast_to(found[i], (len(order), *found[i].shape))
            for i in range(carries, ys)
        ]
        return (
            jax.tree.unflatten(program.trees[0], leaves),
            jax.tree.unflatten(program.trees[1], y),
        )

    def _slices(
        self, program: StepProgram, order: np.ndarray
    ) -> tuple[dict[int, Any], dict[int, Any]]:
        """Values for all steps that handlers outside give, and their part for these steps."""
        _, ys, given, _ = np.cumsum(program.counts)
        depends_on = input_dependence(program.jaxpr)
        positions = [i for i in range(ys, given) if not depends_on[i]]
        values = evaluate_without_inputs(program.jaxpr, positions)
        givens = {i - int(ys): jnp.asarray(v) for i, v in zip(positions, values, strict=True)}
        slices = {}
        for i, value in givens.items():
            missing = self._length - value.shape[0]
            padding = jnp.zeros((missing, *value.shape[1:]), value.dtype)
            slices[i] = (jnp.concatenate([value, padding]) if missing else value)[order]
        return slices, givens

    def _leave(self, copies: Copies) -> None:
        """Let the dims of the last carry stand for the states of the last steps."""
        for v in copies:
            assert v.lag is not None
            self._handler.dims.assign(
                self._dims_of[v.site][v.lag], Variable(v.site, step=self._length - v.lag)
            )


def _is_pair(returned: Any) -> bool:
    return isinstance(returned, tuple) and len(returned) == 2
