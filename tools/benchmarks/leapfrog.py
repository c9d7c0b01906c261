"""The time of a leapfrog step: inside NUTS, and alone in a loop, which is the floor.

Both are the smallest of several measurements of the same compiled loop doing the same work: what is
above it is the machine's other business.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

TINY = 1e-6  # a step size that keeps energies finite however many steps; a step costs the same
SECONDS = 0.2
REPEATS = 7


def nuts_seconds(kernel: Any, state: Any, data: dict[str, Any]) -> float:
    """Time the transitions of one chain by the leapfrog steps in them.

    Parameters
    ----------
    kernel
        A kernel of either library, with ``sample(state, model_args, model_kwargs)``.
    state
        State of a chain after its warmup.
    data : dict
        Keyword arguments of the model; arguments of the compiled loop too, as in the samplers.
    """

    @jax.jit
    def run(num_transitions: Any, state: Any, data: Any) -> Any:
        def transition(_: Any, carry: tuple) -> tuple:
            state, num_steps = carry
            state = kernel.sample(state, (), data)
            return state, num_steps + state.num_steps

        return lax.fori_loop(0, num_transitions, transition, (state, jnp.int32(0)))[1]

    return _seconds_per_step(lambda num_transitions: int(run(num_transitions, state, data)))


def verlet_seconds(target: Any, data: dict[str, Any]) -> float:
    """Time velocity Verlet steps with a diagonal metric and nothing else.

    Parameters
    ----------
    target : sojourn_hmc.Target
        Gives the potential energy.
    data : dict
        Keyword arguments of the model.
    """
    shapes = jax.eval_shape(target.setup((), data, None).start, jax.random.key(0))
    zero, unravel = ravel_pytree(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes))
    variances = jnp.ones_like(zero)

    @jax.jit
    def run(num_steps: Any, start: Any, variances: Any, step_size: Any, data: Any) -> Any:
        potential = target.setup((), data, None).potential
        gradient = jax.value_and_grad(lambda position: potential(unravel(position)))

        def step(_: Any, point: tuple) -> tuple:
            position, momentum, _, slope = point
            momentum = momentum - 0.5 * step_size * slope
            position = position + step_size * variances * momentum
            energy, slope = gradient(position)
            return position, momentum - 0.5 * step_size * slope, energy, slope

        point = (start, jnp.zeros_like(start), *gradient(start))
        position, _, energy, _ = lax.fori_loop(0, num_steps, step, point)
        return position, energy

    def steps(number: int) -> int:
        _, energy = run(number, zero, variances, TINY, data)
        if not math.isfinite(energy):
            raise RuntimeError("the trajectory left the region of finite energy")
        return number

    return _seconds_per_step(steps)


def _seconds_per_step(run: Callable[[int], int]) -> float:
    """Time ``run(length)``, which counts its steps, at a length that takes long enough."""
    run(1)  # compiles
    length = 10
    while (seconds := _time(run, length)[1]) < SECONDS:
        length = int(length * min(10.0, max(2.0, 1.2 * SECONDS / seconds)))
    timings = [_time(run, length) for _ in range(REPEATS)]
    return min(seconds / num_steps for num_steps, seconds in timings)


def _time(run: Callable[[int], int], length: int) -> tuple[int, float]:
    begin = time.perf_counter()
    num_steps = run(length)
    return num_steps, time.perf_counter() - begin
