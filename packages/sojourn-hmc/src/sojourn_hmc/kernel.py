"""What the driver asks of a Markov transition kernel, and users' own kernels fulfil."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from sojourn_hmc.problems import divergences
from sojourn_hmc.stepwise import Meeting, Steps


class MCMCKernel(ABC):
    """A Markov transition kernel. `init` and `sample` are enough; the rest has defaults.

    `init` and `sample` are traced by JAX, once, for one chain: they are pure functions of their
    arguments, and a state is any pytree. The driver runs them for every chain, however placed.

    After a run `watched_fields` and `find_problems` let a kernel say what its own state tells of
    it: fields named there are collected beside those that the user asked for, but not shown to
    him, and come back as arrays ``(chains, draws, ...)``. What is wrong with the draws themselves
    (R-hat, effective sample size, chains that never move) is found for every kernel.

    Examples
    --------
    >>> from collections import namedtuple
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, MCMCKernel
    >>> MHState = namedtuple("MHState", ["u", "rng_key"])
    >>> class MetropolisHastings(MCMCKernel):
    ...     sample_field = "u"
    ...
    ...     def __init__(self, potential_fn, step_size=0.1):
    ...         self.potential_fn = potential_fn
    ...         self.step_size = step_size
    ...
    ...     def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
    ...         return MHState(init_params, rng_key)
    ...
    ...     def sample(self, state, model_args, model_kwargs):
    ...         u, rng_key = state
    ...         rng_key, key_proposal, key_accept = jax.random.split(rng_key, 3)
    ...         proposal = u + self.step_size * jax.random.normal(key_proposal)
    ...         accept_prob = jnp.exp(self.potential_fn(u) - self.potential_fn(proposal))
    ...         accepted = jax.random.uniform(key_accept) < accept_prob
    ...         return MHState(jnp.where(accepted, proposal, u), rng_key)
    >>> kernel = MetropolisHastings(lambda x: (x - 2) ** 2, step_size=2.0)
    >>> mcmc = MCMC(kernel, num_warmup=1000, num_samples=2000, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params=1.0)
    >>> mcmc.get_samples().shape
    (2000,)
    """

    @property
    @abstractmethod
    def sample_field(self) -> str:
        """Name of the state's field that holds the unconstrained sample."""

    @property
    def default_fields(self) -> tuple[str, ...]:
        """Names of the state's fields that are collected unless told otherwise."""
        return (self.sample_field,)

    @property
    def varies_in_length(self) -> bool:
        """Whether transitions, made in `steps`, take one more of them and the next one fewer.

        Chains of a batch then gain by not waiting for each other. By default False.
        """
        return False

    @abstractmethod
    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any,
        model_args: tuple,
        model_kwargs: dict,
    ) -> Any:
        """Make the initial state of one chain.

        Parameters
        ----------
        rng_key : Array
            The chain's key.
        num_warmup : Array or int
            Number of warmup transitions; an integer tracer unless `init` needs its value.
        init_params : pytree or None
            What the user gave for this chain.
        model_args, model_kwargs
            What the user gave to ``run``; arrays are tracers.
        """

    @abstractmethod
    def sample(self, state: Any, model_args: tuple, model_kwargs: dict) -> Any:
        """Make one transition and return the next state."""

    def steps(self, model_args: tuple, model_kwargs: dict) -> Steps:
        """Return how the transition of `sample` is made in steps of equal cost.

        A kernel that fills it in lets chains of a batch advance at their own pace. A class with a
        `sample` of its own is not asked for the steps that it inherits.

        Raises
        ------
        NotImplementedError
            Unless the kernel fills it in; it is not called then.
        """
        raise NotImplementedError(f"{type(self).__name__} makes transitions as a whole only")

    def meeting(self, model_args: tuple, model_kwargs: dict) -> Meeting | None:
        """Return where the chains of a batch stop to learn from each other, if they do.

        Such a kernel runs in batches only.
        """
        return None

    def postprocess_fn(self, model_args: tuple, model_kwargs: dict) -> Callable[[Any], Any]:
        """Return the map from the collected ``sample_field`` to what the user reads."""
        return lambda sample: sample

    def get_diagnostics_str(self, state: Any) -> str:
        """Describe a state in a few words, for the progress bar."""
        return ""

    @property
    def is_ensemble_kernel(self) -> bool:
        """Whether chains are moved together; no kernel of this package does that."""
        return False

    def get_constrain_fn(self, model_args: tuple, model_kwargs: dict) -> Callable[[Any], Any]:
        """Return the map from ``sample_field`` to constrained values that other kernels are given.

        Where a kernel is one block of a composition, the others are conditioned on these values.
        """
        return self.postprocess_fn(model_args, model_kwargs)

    def refresh(self, state: Any, model_args: tuple, model_kwargs: dict) -> Any:
        """Compute anew what a state keeps of the density, for other arguments, and stay in place.

        A composition calls it before `sample` when what this kernel is conditioned on has moved.

        Raises
        ------
        NotImplementedError
            Unless the kernel fills it in: a kernel that keeps an old density would move on it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot be a block of a composition: it lacks refresh(state, "
            "model_args, model_kwargs), which returns the state with whatever it keeps of the "
            "density computed anew, or the state itself if it keeps nothing"
        )

    def wrap_model(self, wrapper: Callable[[Callable], Callable]) -> "MCMCKernel":
        """Return this kernel on the model ``wrapper(model)``; it stays as it is itself.

        Raises
        ------
        NotImplementedError
            If the kernel is not made from a model.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot be a block of a composition: it lacks "
            "wrap_model(wrapper), which returns the kernel on another model"
        )

    @property
    def watched_fields(self) -> tuple[str, ...]:
        """Names of the state's fields, with dots, that `find_problems` asks for; cheap scalars.

        By default ``"diverging"``, if it is one of the `default_fields`.
        """
        return ("diverging",) if "diverging" in self.default_fields else ()

    def find_problems(self, fields: dict[str, np.ndarray]) -> list[str]:
        """Say what the watched fields of a finished run tell: a sentence for each problem.

        Parameters
        ----------
        fields : dict of str to ndarray
            The `watched_fields` of the kept draws, ``(chains, draws, ...)``.

        Returns
        -------
        list of str
            What is wrong, where, and what to do; empty for a run without problems. The functions
            of `sojourn_hmc.problems` write those of Hamiltonian kernels.
        """
        return divergences(fields["diverging"]) if "diverging" in fields else []

    @property
    def programs(self) -> dict:
        """Programs that drivers compiled from this kernel; they live as long as it does."""
        return self.__dict__.setdefault("_compiled_programs", {})

    def __getstate__(self) -> dict:
        """Leave compiled programs behind when pickled: they belong to a process."""
        return {name: value for name, value in vars(self).items() if name != "_compiled_programs"}

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Raise on input that cannot be sampled. Called with concrete values, before compiling."""

    def check_start(self, state: Any, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if a chain cannot start from the concrete ``state`` that `init` made."""
