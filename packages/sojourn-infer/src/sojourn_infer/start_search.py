"""The search for values where a sampler can start, by attempts of one small program.

Outside of a transformation the host looks at each attempt, so that the program holds nothing but
one: the draw, the potential and its gradient there, and a trace of the model. Inside of one, where
the host sees no numbers, a loop in the program makes the same attempts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from sojourn_distributions import biject_to
from sojourn_hmc.arguments import Arguments
from sojourn_hmc.differentiate import Gradient, value_and_gradient
from sojourn_hmc.start import MAX_ATTEMPTS, StartPoint, find_start, flattening, is_finite
from sojourn_infer.compile_once import compile_once
from sojourn_infer.initialization import uniform_radius
from sojourn_infer.keys import key_batch_shape
from sojourn_infer.recorded import Recorded
from sojourn_infer.sites import Model, only_moved
from sojourn_infer.target import ModelTarget
from sojourn_primitives import Message, Trace, handlers


class ParamInfo(NamedTuple):
    """Valid first values; all with the batch shape of the keys that they were made from.

    Attributes
    ----------
    z : dict
        Unconstrained values of the latent sites.
    potential_energy : Array
        Negative log density there.
    z_grad : dict
        Its gradient, structured as ``z``.
    """

    z: dict[str, jax.Array]
    potential_energy: jax.Array
    z_grad: dict[str, jax.Array]


class Found(NamedTuple):
    """What a search found; arrays have the batch shape of the keys.

    Attributes
    ----------
    info : ParamInfo
        First values.
    valid : Array
        Whether a sampler can start there; what is not valid is the last attempt.
    trace : Recorded or None
        Items of a trace at the values of the first key, if one was asked for.
    """

    info: ParamInfo
    valid: jax.Array
    trace: Recorded | None


class Search(NamedTuple):
    """Settings of a search.

    Attributes
    ----------
    target : ModelTarget
        What is to be sampled.
    forward_mode : bool
        Whether to differentiate in forward mode.
    validate_grad : bool
        Whether the gradient must be finite too.
    with_trace : bool
        Whether to trace the model at what is found.
    """

    target: ModelTarget
    forward_mode: bool
    validate_grad: bool
    with_trace: bool

    def run(self, arguments: Arguments, keys: jax.Array) -> Found:
        """Search a start for each key.

        Parameters
        ----------
        arguments : Arguments
            Of the model.
        keys : Array
            A key, or a batch of them; attempt ``n`` uses ``fold_in(key, n)``.
        """
        attempt = self._program(_one_attempt, arguments)
        inputs = (keys, arguments.data)
        program = compile_once(attempt, np.uint32(0), *inputs, quickly=True)
        if program is None:  # inside of a transformation, or not to be compiled
            return jax.jit(self._program(_all_attempts, arguments))(np.uint32(0), *inputs)
        found = program(np.uint32(0), *inputs)
        for number in range(1, MAX_ATTEMPTS):
            # To NumPy first, which JAX would turn into a program of its own.
            if np.asarray(found.valid).all():
                break
            found = _where_not_valid(found, program(np.uint32(number), *inputs))
        return found

    def _program(
        self, attempt: Callable[..., tuple[StartPoint, jax.Array]], arguments: Arguments
    ) -> Callable[..., Found]:
        """Return the function of a number of an attempt, keys and data."""

        def program(number: jax.Array, keys: jax.Array, data: tuple) -> Found:
            args, kwargs = arguments.structure.bind(data)
            batch_shape = key_batch_shape(keys)
            flat = keys.reshape(-1, *keys.shape[len(batch_shape) :])

            def find(key: jax.Array) -> tuple[ParamInfo, jax.Array]:
                problem = self._problem(args, kwargs, key)
                point, valid = attempt(problem, self.validate_grad, key, number)
                position, energy, slope = point
                return ParamInfo(problem.unravel(position), energy, problem.unravel(slope)), valid

            if batch_shape:
                info, valid = jax.tree.map(
                    lambda leaf: leaf.reshape(batch_shape + leaf.shape[1:]),
                    jax.lax.map(find, flat),
                )
            else:
                info, valid = find(keys)
            trace = None
            if self.with_trace:
                z = jax.tree.map(lambda leaf: leaf[(0,) * len(batch_shape)], info.z)
                # A list of pairs, because JAX sorts the names of a dict.
                items = list(_trace(self.target.model, args, kwargs, flat[0], z).items())
                trace = Recorded(items)
            return Found(info, valid, trace)

        return program

    def _problem(self, args: tuple, kwargs: dict, key: jax.Array) -> _Problem:
        setup = self.target.setup(args, kwargs)
        shape, unravel = flattening(setup.start, key)
        flat = jax.eval_shape(lambda tree: ravel_pytree(tree)[0], shape)
        radius = uniform_radius(self.target.init_strategy)

        def draw(key: jax.Array) -> jax.Array:
            if radius is None:
                return ravel_pytree(setup.start(key))[0]
            # All sites in one draw: each draw of its own takes as long to compile as a gradient.
            return jax.random.uniform(key, flat.shape, flat.dtype, -radius, radius)

        gradient = value_and_gradient(
            lambda position: setup.potential(unravel(position)), self.forward_mode
        )
        return _Problem(draw, gradient, unravel)


class _Problem(NamedTuple):
    """Where to find a start: how positions are drawn, and what is computed there."""

    draw: Callable[[jax.Array], jax.Array]
    gradient: Gradient
    unravel: Callable[[jax.Array], dict[str, jax.Array]]


def _one_attempt(
    problem: _Problem, validate_grad: bool, key: jax.Array, number: jax.Array
) -> tuple[StartPoint, jax.Array]:
    position = problem.draw(jax.random.fold_in(key, number))
    point = StartPoint(position, *problem.gradient(position))
    return point, is_finite(_judged(point, validate_grad))


def _all_attempts(
    problem: _Problem, validate_grad: bool, key: jax.Array, number: jax.Array
) -> tuple[StartPoint, jax.Array]:
    def judged(position: jax.Array) -> tuple[jax.Array, jax.Array]:
        point = StartPoint(position, *problem.gradient(position))
        _, energy, slope = _judged(point, validate_grad)
        return energy, slope

    point = find_start(problem.draw, judged, key, MAX_ATTEMPTS)
    valid = is_finite(point)
    if not validate_grad:
        point = point._replace(potential_gradient=problem.gradient(point.position)[1])
    return point, valid


def _judged(point: StartPoint, validate_grad: bool) -> StartPoint:
    """A point with what must be finite; the gradient counts as such if it need not be."""
    if validate_grad:
        return point
    return point._replace(potential_gradient=jnp.zeros_like(point.potential_gradient))


def _where_not_valid(old: Found, new: Found) -> Found:
    """Take the new attempt for the keys whose old one failed."""
    valid = np.asarray(old.valid)

    def either(old: jax.Array, new: jax.Array) -> jax.Array:
        keep = valid.reshape(valid.shape + (1,) * (old.ndim - valid.ndim))
        # NumPy on the host: an eager JAX operation would compile a program of its own.
        return jax.device_put(np.where(keep, np.asarray(old), np.asarray(new)))

    info, now_valid = jax.tree.map(either, old[:2], new[:2])
    return Found(info, now_valid, old.trace if valid.flat[0] else new.trace)


def _trace(
    model: Model, args: tuple, kwargs: dict, key: jax.Array, unconstrained: dict[str, jax.Array]
) -> Trace:
    """Trace a model at unconstrained values; what has none, a discrete site, is drawn."""

    def value(site: Message) -> Any:
        return biject_to(site["fn"].support)(unconstrained[str(site["name"])])

    # Values inside, seed outside: sites that have a value take no key.
    valued = handlers.substitute(model, substitute_fn=only_moved(value))
    return handlers.trace(handlers.seed(valued, rng_seed=key)).get_trace(*args, **kwargs)
