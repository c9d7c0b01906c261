"""`TFPKernel`: a transition kernel of TensorFlow Probability as a kernel of ours.

TFP's kernels are pure functions of a state and of their own results, so a chain carries both. What
the wrapper adds is the target: TFP's ``target_log_prob_fn`` is the negative potential of a model on
the flat unconstrained position ``(D,)``, with any batch of positions in front of it.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from sojourn.extras import needs
from sojourn_hmc import Potential, Target
from sojourn_hmc.bad_start import describe_bad_start, finite_start
from sojourn_hmc.problems import divergences
from sojourn_hmc.start import MAX_ATTEMPTS, find_start, flattening
from sojourn_hmc.target_kernel import TargetKernel
from sojourn_infer import init_to_uniform
from sojourn_infer.initialization import InitStrategy
from sojourn_infer.kernels import choose_target
from sojourn_infer.sites import Model

__all__ = ["TFPKernel", "TFPKernelState", "mcmc"]

with needs("tensorflow_probability", extra="tfp"), warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what TFP says of its own use of JAX
    from tensorflow_probability.substrates.jax import mcmc

# Where kernels around others keep the results of the one inside.
INNER_RESULTS = ("accepted_results", "inner_results", "post_swap_replica_results")


class TFPKernelState(NamedTuple):
    """State of a chain of a TFP kernel.

    Attributes
    ----------
    z : pytree
        Unconstrained position, a dict of sites for a model.
    kernel_results : pytree
        What the TFP kernel keeps for its next step, and says of its last one;
        ``extra_fields=("kernel_results.is_accepted",)`` collects a part of it.
    rng_key : Array
        The chain's key for what comes.
    """

    z: Any
    kernel_results: Any
    rng_key: jax.Array


class TFPKernel(TargetKernel):
    """A transition kernel of TensorFlow Probability that draws from a model.

    ``TFPKernel[kernel_class]`` is the class for one kind of kernel, which takes the place of TFP's
    first argument ``target_log_prob_fn``; the other arguments go to TFP as they are. The state that
    TFP sees is one flat array of all unconstrained components. A kernel that is not calibrated
    becomes the inner kernel of TFP's ``MetropolisHastings``.

    Parameters
    ----------
    model : Callable or Target
        A model function, or any object with the methods of `sojourn_hmc.Target`.
    potential_fn : Callable
        In place of ``model``: negative log density of an unconstrained position, any pytree.
    init_strategy : Callable
        Gives each latent site its first value; see `sojourn_infer.initialization`.
    **kernel_kwargs
        Arguments of the TFP kernel, such as ``step_size``.

    Raises
    ------
    TypeError
        If no kernel is subscribed, or the arguments are not those of its constructor.

    Notes
    -----
    The warmup makes transitions like all others: a step size stays as given, unless a kernel of TFP
    adapts it. Any function of ``target_log_prob_fn`` that makes a kernel can be subscribed, and so
    can an adapter around a kernel: see the second example.

    For ``ReplicaExchangeMC``, TFP wants ``step_size`` of the inner kernel in the shape
    ``(len(inverse_temperatures), 1)``, or with the number of unconstrained components in place of
    1.

    Examples
    --------
    >>> import jax
    >>> import sojourn
    >>> import sojourn.distributions as dist
    >>> from sojourn.contrib.tfp.mcmc import TFPKernel
    >>> from sojourn.infer import MCMC
    >>> from tensorflow_probability.substrates import jax as tfp
    >>> def model():
    ...     sojourn.sample("x", dist.Exponential(2.0))
    >>> kernel = TFPKernel[tfp.mcmc.NoUTurnSampler](model, step_size=1.0)
    >>> mcmc = MCMC(kernel, num_warmup=100, num_samples=400, progress_bar=False)
    >>> mcmc.run(jax.random.key(0))
    >>> mcmc.get_samples()["x"].shape
    (400,)

    A step size that is adapted for as long as the warmup:

    >>> def adaptive(target_log_prob_fn, num_adaptation_steps):
    ...     return tfp.mcmc.DualAveragingStepSizeAdaptation(
    ...         tfp.mcmc.NoUTurnSampler(target_log_prob_fn, step_size=0.1), num_adaptation_steps
    ...     )
    >>> kernel = TFPKernel[adaptive](model, num_adaptation_steps=100)
    """

    kernel_class: Callable[..., Any] | None = None

    def __init__(
        self,
        model: Model | Target | None = None,
        potential_fn: Potential | None = None,
        init_strategy: InitStrategy = init_to_uniform,
        **kernel_kwargs: Any,
    ):
        if self.kernel_class is None:
            raise TypeError(
                "TFPKernel wraps any kernel of TFP: say which, as in "
                "TFPKernel[tfp.mcmc.NoUTurnSampler](model, step_size=0.1)"
            )
        try:
            inspect.signature(self.kernel_class).bind(None, **kernel_kwargs)
        except TypeError as error:
            raise TypeError(
                f"{type(self).__name__}: {error}; its arguments after model, potential_fn and "
                f"init_strategy are those of {self.kernel_class.__name__}"
            ) from None
        super().__init__(choose_target(model, init_strategy), potential_fn)
        self.kernel_kwargs = kernel_kwargs

    def __class_getitem__(cls, kernel_class: Callable[..., Any]) -> type[TFPKernel]:
        """The class for a kernel of TFP, or for a function that makes one from its target."""
        return _subscribe(cls, kernel_class)

    @property
    def sample_field(self) -> str:
        """The unconstrained position."""
        return "z"

    @property
    def watched_fields(self) -> tuple[str, ...]:
        """What tells of divergences, if the kernel is TFP's NUTS."""
        kind = self.kernel_class
        is_nuts = isinstance(kind, type) and issubclass(kind, mcmc.NoUTurnSampler)
        return ("kernel_results.has_divergence",) if is_nuts else ()

    def find_problems(self, fields: dict[str, np.ndarray]) -> list[str]:
        """Look for divergences; see `MCMCKernel.find_problems`."""
        return [text for diverging in fields.values() for text in divergences(diverging)]

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
    ) -> TFPKernelState:
        """Find a starting point and let TFP look at it; see `MCMCKernel.init`."""
        setup = self.target.setup(model_args, model_kwargs or {}, init_params)
        _, unravel = flattening(setup.start, rng_key)

        def potential(position: jax.Array) -> tuple[jax.Array, jax.Array]:
            # Some kernels need no gradient, so none is asked of a start.
            return setup.potential(unravel(position)), jnp.zeros_like(position)

        key_start, rng_key = jax.random.split(rng_key)
        start = find_start(
            lambda key: ravel_pytree(setup.start(key))[0],
            potential,
            key_start,
            MAX_ATTEMPTS if init_params is None else 1,
        )
        kernel = self._kernel(setup.potential, unravel)
        with _quiet():
            results = kernel.bootstrap_results(start.position)
        return TFPKernelState(unravel(start.position), results, rng_key)

    def sample(
        self, state: TFPKernelState, model_args: tuple = (), model_kwargs: dict | None = None
    ) -> TFPKernelState:
        """Make one step of the TFP kernel; see `MCMCKernel.sample`."""
        setup = self.target.setup(model_args, model_kwargs or {}, None)
        position, unravel = ravel_pytree(state.z)
        kernel = self._kernel(setup.potential, unravel)
        rng_key, key_step = jax.random.split(state.rng_key)
        with _quiet():
            position, results = kernel.one_step(
                position, state.kernel_results, seed=_legacy_key(key_step)
            )
        return TFPKernelState(unravel(position), results, rng_key)

    def check_start(self, state: TFPKernelState, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if the potential, or its gradient if TFP uses it, is not finite at the start."""
        results = _innermost(state.kernel_results)
        if not hasattr(results, "target_log_prob"):
            return  # a kernel that is not TFP's own
        energy = -np.asarray(results.target_log_prob).flat[0]
        gradients = getattr(results, "grads_target_log_prob", None)
        if not finite_start(energy, gradients):
            raise ValueError(
                describe_bad_start(
                    self.target, state.z, energy, gradients, model_args, model_kwargs
                )
            )

    def postprocess_fn(self, args: tuple, kwargs: dict) -> Callable[[Any], Any]:
        """Return the target's map from unconstrained to constrained values."""
        return super().postprocess_fn(args, kwargs)

    def refresh(
        self, state: TFPKernelState, model_args: tuple, model_kwargs: dict
    ) -> TFPKernelState:
        """Let TFP look at the density anew; an adapter keeps what it has learnt.

        Raises
        ------
        NotImplementedError
            For replicas, whose other positions are not in ``z``.
        """
        setup = self.target.setup(model_args, model_kwargs, None)
        position, unravel = ravel_pytree(state.z)
        kernel = self._kernel(setup.potential, unravel)
        return state._replace(kernel_results=_renewed(kernel, state.kernel_results, position))

    def _kernel(self, potential: Potential, unravel: Callable[[jax.Array], Any]) -> Any:
        """TFP's kernel for a potential."""
        assert self.kernel_class is not None
        # Replicas come as a batch of positions.
        log_density = jnp.vectorize(
            lambda position: -potential(unravel(position)), signature="(d)->()"
        )
        with _quiet():
            kernel = type(self).kernel_class(log_density, **self.kernel_kwargs)  # type: ignore[misc]
            return kernel if kernel.is_calibrated else mcmc.MetropolisHastings(kernel)


@functools.cache
def _subscribe(cls: type[TFPKernel], kernel_class: Callable[..., Any]) -> type[TFPKernel]:
    """Make the class once, so that a kernel compiled for it is found again."""
    name = getattr(kernel_class, "__name__", type(kernel_class).__name__)
    doc = f"`TFPKernel` for {name}, whose first argument is replaced by model or potential_fn."
    return type(name, (cls,), {"kernel_class": staticmethod(kernel_class), "__doc__": doc})


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore what JAX says of TFP's use of it; what it says of the model has been said before."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="tensorflow_probability")
        warnings.filterwarnings("ignore", "Explicitly requested dtype", UserWarning)
        yield


def _legacy_key(key: jax.Array) -> jax.Array:
    """A key in the form that TFP knows, from one of any form."""
    shape = jax.eval_shape(jax.random.PRNGKey, 0).shape
    return jax.random.bits(key, shape, jnp.uint32)


def _renewed(kernel: Any, results: Any, position: jax.Array) -> Any:
    """Results of a kernel at ``position``, which they are of, on another density."""
    if hasattr(results, "inner_results"):
        inner = _renewed(kernel.inner_kernel, results.inner_results, position)
        return results._replace(inner_results=inner)
    if hasattr(results, "post_swap_replica_results"):
        raise NotImplementedError(
            "replicas cannot be a block of a composition: the others than the first would stay "
            "with the density that they have seen; choose a kernel with one position"
        )
    with _quiet():
        return kernel.bootstrap_results(position)


def _innermost(results: Any) -> Any:
    """The results of the kernel inside of all others, which knows the density."""
    for name in INNER_RESULTS:
        if hasattr(results, name):
            return _innermost(getattr(results, name))
    return results
