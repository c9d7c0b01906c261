"""HMC and NUTS as two pure functions, for who drives the chain without `MCMC`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from sojourn_hmc.fixed_length import HMC
from sojourn_hmc.given import position_of
from sojourn_hmc.hamiltonian import HamiltonianKernel
from sojourn_hmc.hmc_state import HMCState
from sojourn_hmc.kinetic import KineticFn
from sojourn_hmc.nuts import NUTS
from sojourn_hmc.target import Potential, PotentialTarget, Setup

ALGORITHMS = ("NUTS", "HMC")


@jax.tree_util.register_static
@dataclass(frozen=True)
class FunctionalSettings:
    """The settings of a kernel, static and comparable: part of a state's structure."""

    settings: tuple[tuple[str, Any], ...]


class Functions(NamedTuple):
    """What `hmc` returns."""

    init_kernel: Callable[..., HMCState]
    sample_kernel: Callable[..., HMCState]


class _GeneratedTarget:
    """The target of a potential that is made from a model's arguments."""

    def __init__(self, potential_fn_gen: Callable[..., Potential]):
        self.potential_fn_gen = potential_fn_gen

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        self._at(model_args, model_kwargs).check((), {}, init_params)

    def setup(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> Setup:
        return self._at(model_args, model_kwargs).setup((), {}, init_params)

    def explain(self, position: Any, model_args: tuple, model_kwargs: dict) -> str:
        return self._at(model_args, model_kwargs).explain(position, (), {})

    def _at(self, model_args: tuple, model_kwargs: dict) -> PotentialTarget:
        return PotentialTarget(self.potential_fn_gen(*model_args, **model_kwargs))


def hmc(
    potential_fn: Potential | None = None,
    potential_fn_gen: Callable[..., Potential] | None = None,
    kinetic_fn: KineticFn | None = None,
    algo: str = "NUTS",
) -> Functions:
    """Make the functions that start and advance a chain of HMC or NUTS.

    Both are pure and can be transformed by JAX: what they need lies in the state.

    Parameters
    ----------
    potential_fn : Callable
        Maps a position (any pytree) to the negative log density.
    potential_fn_gen : Callable
        In place of ``potential_fn``: maps a model's arguments to such a function, so that new data
        of the same shapes need no other compilation.
    kinetic_fn : Callable, optional
        As for `HMC`.
    algo : str
        ``"NUTS"`` or ``"HMC"``.

    Returns
    -------
    Functions
        ``init_kernel(init_params, num_warmup, ..., model_args=(), model_kwargs=None,
        rng_key=None)`` gives an `HMCState`; its settings are those of `NUTS` and `HMC`.
        ``sample_kernel(hmc_state, model_args=(), model_kwargs=None)`` gives the next one, and
        adapts during the first ``num_warmup`` calls.

    Raises
    ------
    ValueError
        If not exactly one potential is given, or the algorithm is unknown.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import hmc
    >>> init_kernel, sample_kernel = hmc(lambda z: 0.5 * jnp.sum((z - 3) ** 2))
    >>> state = init_kernel(jnp.zeros(2), num_warmup=100, rng_key=jax.random.key(0))
    >>> def step(state, _):
    ...     state = sample_kernel(state)
    ...     return state, state.z
    >>> _, draws = jax.lax.scan(step, state, length=600)
    >>> bool(abs(draws[100:].mean() - 3) < 0.2)
    True
    """
    if (potential_fn is None) == (potential_fn_gen is None):
        raise ValueError("give exactly one of potential_fn and potential_fn_gen")
    if algo not in ALGORITHMS:
        raise ValueError(f"algo must be one of {ALGORITHMS}, got {algo!r}")
    target: Any = (
        PotentialTarget(potential_fn)
        if potential_fn is not None
        else _GeneratedTarget(potential_fn_gen)  # type: ignore[arg-type]
    )
    make: type[HMC] | type[NUTS] = NUTS if algo == "NUTS" else HMC

    def kernel(settings: Any) -> HamiltonianKernel:
        return make(target, None, kinetic_fn, **dict(settings))

    def init_kernel(
        init_params: Any,
        num_warmup: Any,
        step_size: float = 1.0,
        inverse_mass_matrix: Any = None,
        adapt_step_size: bool = True,
        adapt_mass_matrix: bool = True,
        dense_mass: bool | Sequence[tuple[str, ...]] = False,
        target_accept_prob: float = 0.8,
        *,
        num_steps: int | None = None,
        trajectory_length: float | None = 2 * math.pi,
        max_tree_depth: int | tuple[int, int] = 10,
        find_heuristic_step_size: bool = False,
        forward_mode_differentiation: bool = False,
        regularize_mass_matrix: bool = True,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
        rng_key: jax.Array | None = None,
        **extensions: Any,
    ) -> HMCState:
        length: dict[str, Any] = (
            {"max_tree_depth": max_tree_depth}
            if algo == "NUTS"
            else {"num_steps": num_steps, "trajectory_length": trajectory_length}
        )
        blocks = dense_mass if isinstance(dense_mass, bool) else tuple(dense_mass)
        lasting = {
            "adapt_step_size": adapt_step_size,
            "adapt_mass_matrix": adapt_mass_matrix,
            "dense_mass": blocks,
            "target_accept_prob": target_accept_prob,
            "find_heuristic_step_size": find_heuristic_step_size,
            "forward_mode_differentiation": forward_mode_differentiation,
            "regularize_mass_matrix": regularize_mass_matrix,
            **length,
            **extensions,
        }
        first = kernel(
            {**lasting, "step_size": step_size, "inverse_mass_matrix": inverse_mass_matrix}
        )
        if isinstance(inverse_mass_matrix, dict):
            # The later kernels know of blocks from this setting alone.
            lasting["dense_mass"] = tuple(
                names for names, block in inverse_mass_matrix.items() if block.ndim == 2
            )
        key = jax.random.key(0) if rng_key is None else rng_key
        if first.meeting(model_args, model_kwargs or {}) is not None:
            raise ValueError(
                "a Pooled warmup is shared by the chains of a batch, which hmc() knows nothing of: "
                "run the kernel by MCMC(..., chain_method='vectorized'), or choose another warmup"
            )
        init_params = position_of(init_params)
        target.check(model_args, model_kwargs or {}, init_params)
        state = first.init(key, num_warmup, init_params, model_args, model_kwargs)
        settings = FunctionalSettings(tuple(sorted(lasting.items())))
        return state._replace(adapt_state=state.adapt_state._replace(settings=settings))

    def sample_kernel(
        hmc_state: HMCState, model_args: tuple = (), model_kwargs: dict | None = None
    ) -> HMCState:
        settings = hmc_state.adapt_state.settings
        if settings is None:
            raise ValueError("sample_kernel takes a state that init_kernel or itself has made")
        return kernel(settings.settings).sample(hmc_state, model_args, model_kwargs)

    return Functions(init_kernel, sample_kernel)
