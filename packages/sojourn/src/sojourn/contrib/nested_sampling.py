"""`NestedSampler`: evidence and posterior of a model by jaxns (Skilling 2006; Albert 2020).

Nested sampling needs a prior as a map of the unit cube, which `sojourn_infer.unit_cube` makes of a
model, and a likelihood. It needs no gradient and no starting point, and finds separate modes.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Set
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn.extras import needs
from sojourn_hmc.arguments import Arguments, Structure, with_data
from sojourn_infer.sites import Model
from sojourn_infer.unit_cube import Shape, cube_shapes, cube_trace, cube_values

# jaxns computes in double precision and asks for it where it is imported: here that holds inside of
# these blocks, and the precision of the process stays what it is.
with needs("jaxns", extra="jaxns"), jax.enable_x64(True), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from jaxns.core import NestedSampler as Engine
    from jaxns.depth_condition import DepthCondition
    from jaxns.model import Model as EngineModel
    from jaxns.priors import Prior
    from tensorflow_probability.substrates.jax.distributions import Uniform

__all__ = ["Diagnostics", "NestedSampler"]

BLOCK = 256  # samples that are mapped to values at once; the last block is filled up
RENAMED = {"num_live_points": "root_allocation_degree"}  # by jaxns 3
GOALS = ("ess", "evidence_uncert")
DEPTHS = ("dlogZ", "cummax_XL_frac")


class Cube(NamedTuple):
    """The cube of a model: what decides the compiled programs of a run; hashable.

    Attributes
    ----------
    model : Callable
        The model.
    structure : Structure
        Its arguments, as far as they are not data.
    shapes : tuple
        Names and shapes of the latent sites' uniform numbers.
    """

    model: Model
    structure: Structure
    shapes: tuple[tuple[str, Shape], ...]

    @property
    def size(self) -> int:
        """Number of dimensions."""
        return sum(int(np.prod(shape)) for _, shape in self.shapes)

    def log_likelihood(self, uniform: jax.Array, data: tuple) -> jax.Array:
        """Log likelihood at a point ``(size,)`` of the cube."""
        args, kwargs = self.structure.bind(data)
        return cube_trace(self.model, args, kwargs, self._by_site(uniform))[1]

    def values(self, uniform: jax.Array, data: tuple) -> dict[str, Any]:
        """Values that a user reads, at a point ``(size,)`` of the cube."""
        args, kwargs = self.structure.bind(data)
        return cube_values(self.model, args, kwargs, self._by_site(uniform))

    def _by_site(self, uniform: jax.Array) -> dict[str, jax.Array]:
        sizes = [int(np.prod(shape)) for _, shape in self.shapes]
        parts = jnp.split(uniform, np.cumsum(sizes)[:-1])
        return {
            name: part.reshape(shape)
            for (name, shape), part in zip(self.shapes, parts, strict=True)
        }


class Diagnostics(NamedTuple):
    """How a run went.

    Attributes
    ----------
    log_evidence : float
        Log marginal likelihood of the data.
    log_evidence_error : float
        Its standard error, as far as it comes from the unknown shrinkage of the prior mass.
    information : float
        Kullback-Leibler divergence of the posterior from the prior, in nats.
    effective_sample_size : float
        Kish's, of the weighted samples.
    num_samples, num_likelihood_evaluations : int
        What the run took.
    reached_max_samples : bool
        Whether it was cut short by ``max_samples``.
    """

    log_evidence: float
    log_evidence_error: float
    information: float
    effective_sample_size: float
    num_samples: int
    num_likelihood_evaluations: int
    reached_max_samples: bool


class NestedSampler:
    """Evidence and posterior of a model of moderate dimension, by nested sampling.

    Parameters
    ----------
    model : Callable
        A model with continuous latent sites, whose priors can be normalised. Discrete ones with a
        finite support are summed out.
    constructor_kwargs : dict, optional
        Settings of ``jaxns.core.NestedSampler``, such as ``root_allocation_degree`` (or by its
        older name ``num_live_points``: 30 a dimension by default), ``max_samples`` and ``verbose``.
    termination_kwargs : dict, optional
        When to stop. ``dlogZ`` and ``cummax_XL_frac`` bound the part of the evidence that is left
        out, as in ``jaxns.depth_condition.DepthCondition``; ``ess`` asks for so many effective
        samples, and ``evidence_uncert`` for so small an error of the log evidence: more points are
        added until both hold.

    Raises
    ------
    TypeError
        If jaxns has no setting of a name.
    ValueError
        In `run`, if a latent site has an improper prior, or is discrete without a finite support.

    Notes
    -----
    jaxns compiles for half a minute, once for each model and shape of data, and computes in double
    precision whatever the rest of the process does. Samples come in the precision of the process.

    Examples
    --------
    >>> import jax
    >>> import sojourn
    >>> import sojourn.distributions as dist
    >>> from sojourn.contrib.nested_sampling import NestedSampler
    >>> def model(y):
    ...     x = sojourn.sample("x", dist.Normal(0.0, 2.0))
    ...     sojourn.sample("y", dist.Normal(x, 1.0), obs=y)
    >>> sampler = NestedSampler(model, termination_kwargs={"evidence_uncert": 0.05})
    >>> sampler.run(jax.random.key(0), 1.0)  # doctest: +SKIP
    >>> round(sampler.diagnostics().log_evidence, 1)  # doctest: +SKIP
    -1.8
    """

    def __init__(
        self,
        model: Model,
        *,
        constructor_kwargs: dict[str, Any] | None = None,
        termination_kwargs: dict[str, Any] | None = None,
    ):
        self.model = model
        # The names of jaxns 2, which programs were written for, serve too.
        settings = {RENAMED.get(name, name): x for name, x in (constructor_kwargs or {}).items()}
        termination = dict(termination_kwargs or {})
        if "max_samples" in termination:
            settings.setdefault("max_samples", termination.pop("max_samples"))
        known = inspect.signature(Engine).parameters.keys() - {"model", "depth_condition"}
        _require_known("constructor_kwargs", settings, known)
        _require_known("termination_kwargs", termination, {*DEPTHS, *GOALS})
        for name in ("max_samples", "root_allocation_degree"):
            if settings.get(name) is not None:
                settings[name] = int(settings[name])  # programs write 1e5
        self.constructor_kwargs = settings
        self.termination_kwargs = termination
        self._results: Any = None
        self._samples: dict[str, np.ndarray] = {}
        self._log_weights = np.zeros(0)

    def run(self, rng_key: jax.Array, *args: Any, **kwargs: Any) -> None:
        """Sample until the remaining evidence, and the goals that are set, allow to stop.

        Parameters
        ----------
        rng_key : Array
            A key, typed or legacy.
        *args, **kwargs
            Arguments of the model.
        """
        shapes = tuple(cube_shapes(self.model, args, kwargs).items())
        if sum(int(np.prod(shape)) for _, shape in shapes) == 0:
            raise ValueError("the model has no continuous latent site: there is nothing to sample")
        key = jax.random.bits(rng_key, (2,), jnp.uint32)

        def cube_of(arguments: Arguments) -> tuple[Cube, tuple]:
            cube = Cube(self.model, arguments.structure, shapes)
            jax.eval_shape(cube.log_likelihood, jnp.zeros(cube.size), arguments.data)
            return cube, arguments.data

        with jax.enable_x64(True):
            cube, data = with_data((args, kwargs), cube_of)
            results = self._sample(cube, np.asarray(key), data)
            samples = _values_of(cube, np.asarray(results.X_samples["cube"]), data)
        self._results = results
        self._samples = {name: _in_precision(value) for name, value in samples.items()}
        log_weights = np.asarray(results.log_dp)
        self._log_weights = log_weights - np.logaddexp.reduce(log_weights)

    @property
    def results(self) -> Any:
        """What jaxns gives, on the unit cube: ``plot_diagnostics``, ``sample_evidence``, ..."""
        self._require_run()
        return self._results

    def get_samples(
        self, rng_key: jax.Array, num_samples: int, *, group_by_chain: bool = False
    ) -> dict[str, jax.Array]:
        """Posterior samples of equal weight, drawn with replacement from the weighted ones.

        Parameters
        ----------
        rng_key : Array
            A key.
        num_samples : int
            How many; more than the effective sample size repeat each other.
        group_by_chain : bool
            Whether there is a leading axis for a single chain.

        Returns
        -------
        dict of str to Array
            Latent and deterministic sites, in the model's own space.
        """
        self._require_run()
        cumulative = np.cumsum(np.exp(self._log_weights))
        uniform = np.asarray(jax.random.uniform(rng_key, (num_samples,)), float)
        chosen = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
        chosen = np.minimum(chosen, len(cumulative) - 1)
        samples = {name: value[chosen] for name, value in self._samples.items()}
        if group_by_chain:
            samples = {name: value[None] for name, value in samples.items()}
        return jax.device_put(samples)

    def get_weighted_samples(self) -> tuple[dict[str, jax.Array], jax.Array]:
        """All samples, and the logarithms of their weights, which sum to 1."""
        self._require_run()
        return jax.device_put((self._samples, _in_precision(self._log_weights)))

    def diagnostics(self) -> Diagnostics:
        """Evidence, its error, and what the run took."""
        self._require_run()
        results = self._results
        return Diagnostics(
            float(results.log_Z_mean),
            float(results.log_Z_uncert),
            float(results.H_mean),
            float(results.ess),
            int(results.total_num_samples),
            int(results.total_num_likelihood_evaluations),
            int(results.termination_reason) != 0,
        )

    def print_summary(self) -> None:
        """Print evidence, and weighted mean, deviation and quantiles of every site."""
        found = self.diagnostics()
        print(f"log evidence: {found.log_evidence:.2f} +- {found.log_evidence_error:.2f}")
        print(f"information: {found.information:.2f} nats")
        print(
            f"samples: {found.num_samples}, of them effective: {found.effective_sample_size:.0f}, "
            f"likelihood evaluations: {found.num_likelihood_evaluations}"
        )
        if found.reached_max_samples:
            print("The run ended early, at max_samples: the evidence is too low.")
        weights = np.exp(self._log_weights)
        print(f"\n{'site':>20} {'mean':>10} {'std':>10} {'5.0%':>10} {'median':>10} {'95.0%':>10}")
        for name, value in self._samples.items():
            for index in np.ndindex(value.shape[1:]):
                numbers = _weighted_summary(value[(slice(None), *index)], weights)
                label = name if not index else f"{name}[{','.join(map(str, index))}]"
                print(f"{label:>20} " + " ".join(f"{number:>10.2f}" for number in numbers))

    def _sample(self, cube: Cube, key: np.ndarray, data: tuple) -> Any:
        """Run jaxns; its results without what is filled up."""
        given = self.termination_kwargs
        depth = {name: given[name] for name in DEPTHS if name in given}
        goals = {name: given[name] for name in GOALS if name in given}
        engine = Engine(
            model=_engine_model(cube),
            depth_condition=DepthCondition(**depth) if depth else None,
            **self.constructor_kwargs,
        )
        if not goals:
            return engine.run(key, args=(data,)).to_result().trim()

        def reached(state: Any) -> bool:
            if int(state.goal_loop_iter) == 0:
                return False
            results = state.to_result()
            enough = float(results.ess) >= goals.get("ess", 0)
            return enough and float(results.log_Z_uncert) <= goals.get("evidence_uncert", np.inf)

        return engine.run_until_goal(reached, key=key, args=(data,)).to_result().trim()

    def _require_run(self) -> None:
        if self._results is None:
            raise RuntimeError("there are no samples yet: call run() first")


@functools.lru_cache(maxsize=64)
def _engine_model(cube: Cube) -> Any:
    """The model as jaxns wants it; one object for each cube, so that programs are found again."""

    def log_likelihood(data: tuple) -> jax.Array:
        corners = jnp.zeros(cube.size), jnp.ones(cube.size)
        uniform = Prior(Uniform(*corners), name="cube").realise()
        return cube.log_likelihood(uniform, data).astype(jnp.float64)

    return EngineModel(log_likelihood)


@functools.partial(jax.jit, static_argnums=0)
def _values_of_block(cube: Cube, uniform: jax.Array, data: tuple) -> dict[str, jax.Array]:
    return jax.vmap(lambda point: cube.values(point, data))(uniform)


def _values_of(cube: Cube, uniform: np.ndarray, data: tuple) -> dict[str, np.ndarray]:
    """Values at points ``(N, size)`` of the cube, in blocks of one size for one program."""
    blocks = []
    for first in range(0, len(uniform), BLOCK):
        rows = np.minimum(np.arange(first, first + BLOCK), len(uniform) - 1)
        block = _values_of_block(cube, uniform[rows], data)
        blocks.append({name: np.asarray(value) for name, value in block.items()})
    return {
        name: np.concatenate([block[name] for block in blocks])[: len(uniform)]
        for name in blocks[0]
    }


def _in_precision(value: np.ndarray) -> np.ndarray:
    """In the precision of the process."""
    return value.astype(jax.dtypes.canonicalize_dtype(value.dtype))


def _weighted_summary(values: np.ndarray, weights: np.ndarray) -> list[float]:
    mean = np.sum(weights * values)
    deviation = np.sqrt(np.sum(weights * (values - mean) ** 2))
    order = np.argsort(values)
    quantiles = np.interp([0.05, 0.5, 0.95], np.cumsum(weights[order]), values[order])
    return [mean, deviation, *quantiles]


def _require_known(argument: str, settings: dict[str, Any], known: Set[str]) -> None:
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise TypeError(f"{argument}: {unknown} is not among {sorted(known)} (of jaxns 3)")
