"""What the core asks of a model: the one seam between a log density and the samplers."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

PyTree = Any
Potential = Callable[[PyTree], jax.Array]


class Setup(NamedTuple):
    """A model made ready for sampling with one set of arguments.

    Attributes
    ----------
    start : Callable
        ``start(key)`` draws an unconstrained starting position (a pytree). It is a function, not a
        value, so that a start with a non-finite density can be drawn again inside the same program.
    potential : Callable
        ``potential(position)`` is the negative log density of an unconstrained position, a scalar.
    constrain : Callable
        ``constrain(position)`` maps an unconstrained position to the values that a user reads.
    """

    start: Callable[[jax.Array], PyTree]
    potential: Potential
    constrain: Callable[[PyTree], PyTree]


@runtime_checkable
class Target(Protocol):
    """A distribution to sample from. Any PPL that offers these three methods can be sampled.

    ``model_args`` and ``model_kwargs`` are whatever the user gave to ``MCMC.run``. In `setup` their
    arrays may be tracers, in `check` and `explain` they are concrete.
    """

    def check(self, model_args: tuple, model_kwargs: dict, init_params: PyTree) -> None:
        """Raise a clear error on input that cannot be sampled; called before anything compiles."""
        ...

    def setup(self, model_args: tuple, model_kwargs: dict, init_params: PyTree) -> Setup:
        """Bind the arguments; called while tracing, and free of side effects."""
        ...

    def explain(self, position: PyTree, model_args: tuple, model_kwargs: dict) -> str:
        """Say, for an error message, what is wrong with the density at ``position``."""
        ...


@runtime_checkable
class ModelBased(Protocol):
    """What a target offers besides if it is made from a model function: the same on another one."""

    @property
    def model(self) -> Callable:
        """The model."""
        ...

    def with_model(self, model: Callable) -> Target:
        """Return a target on ``model`` that is like this one in everything else."""
        ...


class PotentialTarget:
    """A bare potential energy as a target: no model, no constraints, no arguments.

    Parameters
    ----------
    potential_fn : Callable
        Maps a position (any pytree of floating arrays, the one given as ``init_params``) to the
        negative log density, a scalar.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import PotentialTarget
    >>> target = PotentialTarget(lambda z: 0.5 * jnp.sum(z["x"] ** 2))
    >>> setup = target.setup((), {}, {"x": jnp.ones(3)})
    >>> float(setup.potential({"x": jnp.ones(3)}))
    1.5
    """

    def __init__(self, potential_fn: Potential):
        self.potential_fn = potential_fn

    def check(self, model_args: tuple, model_kwargs: dict, init_params: PyTree) -> None:
        if init_params is None:
            raise ValueError(
                "a kernel made from potential_fn does not know the shape of a position: pass "
                "init_params=... to run(), a pytree such as {'x': jnp.zeros(3)} that "
                "potential_fn accepts"
            )
        for path, leaf in jax.tree_util.tree_leaves_with_path(init_params):
            dtype = jnp.result_type(leaf)
            if not jnp.issubdtype(dtype, jnp.floating):
                raise TypeError(
                    f"init_params{jax.tree_util.keystr(path)} has dtype {dtype}: positions are "
                    "differentiated, so give floating-point values (1.0 instead of 1)"
                )
        energy = jax.eval_shape(self.potential_fn, init_params)
        shape = getattr(energy, "shape", None)
        if shape != ():
            raise ValueError(
                "potential_fn must return a scalar (the negative log density of one position), "
                f"but at init_params it returns shape {shape}: sum over the data and "
                "the components, and check that init_params holds one position, not one per chain"
            )

    def setup(self, model_args: tuple, model_kwargs: dict, init_params: PyTree) -> Setup:
        return Setup(
            start=lambda key: jax.tree.map(jnp.asarray, init_params),
            potential=self.potential_fn,
            constrain=lambda position: position,
        )

    def explain(self, position: PyTree, model_args: tuple, model_kwargs: dict) -> str:
        return f"potential_fn gives {self.potential_fn(position)} at the start {position}"


def target_of(target: Target | None, potential_fn: Potential | None) -> Target:
    """Return what a kernel samples, of the two ways to say it.

    Raises
    ------
    ValueError
        If not exactly one of them is given.
    TypeError
        If ``target`` lacks a method of `Target`.

    Examples
    --------
    >>> type(target_of(None, lambda z: 0.5 * z**2)).__name__
    'PotentialTarget'
    """
    if (target is None) == (potential_fn is None):
        raise ValueError(
            "give exactly one of target (an object with check, setup and explain) "
            "and potential_fn (a function of an unconstrained position)"
        )
    if potential_fn is not None:
        if not callable(potential_fn):
            raise TypeError(f"potential_fn must be a function of a position, got {potential_fn!r}")
        return PotentialTarget(potential_fn)
    if not isinstance(target, Target):
        raise TypeError(
            f"{target!r} is not a target: it lacks check, setup or explain. A log density "
            "goes in as potential_fn=lambda z: -log_density(z)"
        )
    return target
