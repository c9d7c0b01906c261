"""The programs of a run, found again by what decides them: a second run compiles nothing.

They live with the kernel that they were made from. What decides a program is the structure of the
arguments and the shapes of the data; lengths, seeds and the data's values are arguments of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from sojourn_hmc.arguments import Arguments, with_data
from sojourn_hmc.chain import first_state
from sojourn_hmc.chunk import LEAST_ROWS, LONG_CHUNK_ROWS, Plan, advance, rows_that_fit
from sojourn_hmc.draws import block_that_fits
from sojourn_hmc.fields import Fields
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.lane_functions import advance_lane, begin_lane
from sojourn_hmc.pace import Pace, advance_batch, choose_pace
from sojourn_hmc.placement import Placement
from sojourn_hmc.program import Program, shape_of


class Engine(NamedTuple):
    """What advances the lanes of a run and constrains what they collect.

    Attributes
    ----------
    advance : Program
        ``advance(state, data, plan)`` gives the new state, the rows of the fields, and for a batch
        of chains whose kernel counts steps the `Effort` of each device.
    sample_shape : pytree
        Shapes of the fields of one state of a lane.
    num_rows : int
        Rows that a chunk collects at most.
    constrain : Program
        ``constrain(samples, data)`` maps ``block`` samples to what a user reads.
    block : int
        Its size.
    pace : Pace or None
        How the chains of a batch advance.
    """

    advance: Program
    sample_shape: Any
    num_rows: int
    constrain: Program
    block: int
    pace: Pace | None


class Start(NamedTuple):
    """How the first state of every lane is made.

    Attributes
    ----------
    program : Program
        Makes the state of a lane.
    calls : list of tuple
        Its arguments for each lane.
    """

    program: Program
    calls: list[tuple]

    def states(self) -> list[Any]:
        """Make the states, once the program is compiled."""
        return [self.program(*arguments) for arguments in self.calls]


class Job(NamedTuple):
    """One run: a kernel, its model's arguments, what is collected, how chains are laid out.

    Attributes
    ----------
    kernel : MCMCKernel
        The kernel.
    arguments : Arguments
        Of ``(model_args, model_kwargs)``.
    fields : Fields
        What is collected.
    placement : Placement
        How chains are laid out.
    postprocess_fn : Callable or None
        The user's map of a collected sample, in place of the kernel's.
    lock_step : bool or None
        Whether chains of a batch make each transition together; None chooses.
    """

    kernel: MCMCKernel
    arguments: Arguments
    fields: Fields
    placement: Placement
    postprocess_fn: Callable[[Any], Any] | None
    lock_step: bool | None = None

    def start(
        self, keys: jax.Array, num_warmup: np.ndarray, init_params: Any, params_per_chain: bool
    ) -> Start:
        """Trace what makes the first state of every lane."""
        return with_data(
            (num_warmup, init_params), lambda given: self._start(keys, given, params_per_chain)
        )

    def _start(self, keys: jax.Array, given: Arguments, params_per_chain: bool) -> Start:
        kernel, structure, placement = self.kernel, self.arguments.structure, self.placement

        def make(chain: Any, keys: jax.Array, given_data: tuple, data: tuple) -> Any:
            num_warmup, init_params = given.structure.bind(given_data)
            return first_state(
                kernel,
                keys,
                chain,
                num_warmup,
                init_params,
                params_per_chain,
                *structure.bind(data),
            )

        lanes = [placement.lay_out(placement.chains_of(lane)) for lane in placement.lanes]
        shared = (placement.put(keys), placement.put(given.data), self.arguments.data)
        examples = (lanes[0], *shared)
        program = self._find(
            ("start", given.structure, params_per_chain),
            examples,
            lambda: Program(
                begin_lane(placement, make), *examples, out_shardings=placement.sharding
            ),
        )
        # Unknown fields and sites are found here, before anything compiles.
        sample = self._one_sample(jax.eval_shape(self.fields.select, program.out_shape))
        if self.fields.excluded:
            self.fields.check_excluded(jax.eval_shape(self._constrain, sample, self.arguments.data))
        return Start(program, [(lane, *shared) for lane in lanes])

    def engine(self, state: Any) -> Engine:
        """The engine for lanes with states, or shapes of states, like ``state``."""
        sharding = self.placement.sharding
        state = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                leaf.shape, leaf.dtype, weak_type=leaf.weak_type, sharding=sharding
            ),
            shape_of(state),
        )
        examples = (state, self.arguments.data)
        return self._find(
            ("engine", self.fields, self.postprocess_fn, self.lock_step),
            examples,
            lambda: self._make_engine(*shape_of(examples)),
        )

    def _make_engine(self, state: Any, data: tuple) -> Engine:
        kernel, fields, structure = self.kernel, self.fields, self.arguments.structure
        placement = self.placement
        sample_shape = jax.eval_shape(fields.select, state)

        pace = self._pace(state, data)
        own_pace = pace is not None and pace.own
        num_rows = rows_that_fit(sample_shape, LONG_CHUNK_ROWS if own_pace else LEAST_ROWS)

        def advance_one(state: Any, data: tuple, plan: Plan) -> tuple[Any, tuple, None]:
            inputs = structure.bind(data)
            return *advance(
                lambda state: kernel.sample(state, *inputs), fields.select, num_rows, state, plan
            ), None

        def advance_all(places: Any, data: tuple, plan: Plan) -> tuple[Any, tuple, Any]:
            assert pace is not None
            states, own = places
            inputs = structure.bind(data)
            states, rows, effort = advance_batch(
                kernel, inputs, pace, fields, num_rows, states, plan, own
            )
            return states, rows, jax.tree.map(lambda number: number[None], effort)

        chunk = Program(
            advance_lane(placement, advance_one, advance_all),
            state,
            data,
            Plan(1, 0, 1).as_arrays(),
            out_shardings=(
                placement.sharding,
                placement.along_chains(1),
                placement.sharding,
            ),
        ).start_compiling()
        sample = self._one_sample(sample_shape)
        values = jax.eval_shape(self._constrain, sample, data)
        fields.check_excluded(values)
        block = block_that_fits(values)
        block += -block % placement.num_shards
        sharding = placement.sharding
        samples = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((block, *x.shape), x.dtype, sharding=sharding), sample
        )
        # The size is given because a sample may be empty: a model of deterministic sites only.
        constrain_block = jax.vmap(self._constrain, (0, None), axis_size=block)
        constrain = Program(constrain_block, samples, data).start_compiling()
        return Engine(chunk, sample_shape, num_rows, constrain, block, pace)

    def _pace(self, state: Any, data: tuple) -> Pace | None:
        """How chains that lie on one device advance, if there are several."""
        kernel, placement, structure = self.kernel, self.placement, self.arguments.structure
        of_one_device = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                (leaf.shape[0] // placement.num_shards, *leaf.shape[1:]), leaf.dtype
            ),
            state if placement.batched else [],
        )
        chains = jax.tree.leaves(of_one_device)
        alone = not chains or chains[0].shape[0] == 1 or placement.transform is not None
        if alone and kernel.meeting(*structure.bind(data)) is not None:
            raise ValueError(
                f"{type(kernel).__name__} shares its warmup among the chains of a batch, but there "
                f"is no batch in this run ({placement.description}): choose "
                "chain_method='vectorized' and several chains, or a warmup that is not Pooled"
            )
        if alone:
            return None
        return choose_pace(kernel, of_one_device, structure.bind, data, self.lock_step)

    def _one_sample(self, sample_shape: Any) -> Any:
        """Shape of the sample field of one chain."""
        skip = 1 if self.placement.batched else 0
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape[skip:], x.dtype), sample_shape[0]
        )

    def _constrain(self, sample: Any, data: tuple) -> Any:
        """Map one sample to what a user reads."""
        if self.postprocess_fn is not None:
            return self.postprocess_fn(sample)
        return self.kernel.postprocess_fn(*self.arguments.structure.bind(data))(sample)

    def _find(self, decided_by: tuple, examples: Any, make: Callable[[], Any]) -> Any:
        shapes, treedef = jax.tree.flatten(shape_of(examples))
        identity = (
            *decided_by,
            self.arguments.structure,
            self.placement.decides(),
            treedef,
            tuple((leaf.shape, leaf.dtype, leaf.weak_type, leaf.sharding) for leaf in shapes),
            jax.dtypes.canonicalize_dtype(float),
        )
        programs = self.kernel.programs
        if identity not in programs:
            programs[identity] = make()
        return programs[identity]
