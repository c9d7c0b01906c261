"""Updates of sites by a function that the user writes, as a block of `Gibbs`.

Invariant, which is the user's to keep: the function draws the sites from their law given all other
sites, or makes any move that leaves that law unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_hmc import MCMCKernel


class GibbsUpdateFn(Protocol):
    """What a user writes: new values of some sites given all others, all constrained."""

    def __call__(
        self, *, rng_key: jax.Array, gibbs_sites: dict[str, Any], hmc_sites: dict[str, Any]
    ) -> dict[str, Any]:
        """Return new values of the sites in ``gibbs_sites``; draw with ``rng_key`` alone."""


class CustomGibbsState(NamedTuple):
    """State of a block that a function updates.

    Attributes
    ----------
    i : Array
        Number of transitions made.
    z : dict
        Values of the block's sites (constrained).
    rng_key : Array
        Transition ``i`` derives its own key from it.
    """

    i: jax.Array
    z: dict[str, jax.Array]
    rng_key: jax.Array


class CustomGibbs(MCMCKernel):
    """A block of `Gibbs` whose sites a function draws.

    Parameters
    ----------
    gibbs_fn : Callable
        Called as ``gibbs_fn(rng_key=..., gibbs_sites=..., hmc_sites=...)``. Both dicts hold
        constrained values by site: of the sites of this block, and of all others that are moved.
        It returns a dict of new values of exactly the sites of the block, with their shapes.

    Examples
    --------
    >>> from sojourn_gibbs import CustomGibbs
    >>> block = CustomGibbs(lambda rng_key, gibbs_sites, hmc_sites: gibbs_sites)  # never moves
    """

    def __init__(self, gibbs_fn: GibbsUpdateFn | Callable[..., dict[str, Any]]):
        if not callable(gibbs_fn):
            raise TypeError(
                "gibbs_fn must be a function of rng_key, gibbs_sites and hmc_sites, got "
                f"{gibbs_fn!r}"
            )
        self.gibbs_fn = gibbs_fn

    @property
    def sample_field(self) -> str:
        """Values of the block's sites (constrained)."""
        return "z"

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any,
        model_args: tuple,
        model_kwargs: dict,
    ) -> CustomGibbsState:
        """Start at ``init_params``, which `Gibbs` gives; see `MCMCKernel.init`."""
        if init_params is None:
            raise ValueError(
                "CustomGibbs knows no model: make it a block, as in "
                "Gibbs([(CustomGibbs(gibbs_fn), ['x']), (NUTS(model), None)])"
            )
        return CustomGibbsState(jnp.zeros((), jnp.int32), init_params, rng_key)

    def sample(
        self, state: CustomGibbsState, model_args: tuple, model_kwargs: dict
    ) -> CustomGibbsState:
        """Call the function; the first of the arguments are the values of the other sites."""
        values = self.updated(
            jax.random.fold_in(state.rng_key, state.i), state.z, dict(model_args[0])
        )
        return CustomGibbsState(state.i + 1, values, state.rng_key)

    def refresh(
        self, state: CustomGibbsState, model_args: tuple, model_kwargs: dict
    ) -> CustomGibbsState:
        """Return the state: it keeps nothing of the density."""
        return state

    def wrap_model(self, wrapper: Callable[[Callable], Callable]) -> CustomGibbs:
        """Return this block: it has no model."""
        return self

    def updated(
        self, rng_key: jax.Array, sites: dict[str, Any], others: dict[str, Any]
    ) -> dict[str, jax.Array]:
        """Call the function, and raise if what it returns does not fit the sites."""
        values = self.gibbs_fn(rng_key=rng_key, gibbs_sites=dict(sites), hmc_sites=others)
        if not isinstance(values, dict):
            raise TypeError(
                f"gibbs_fn must return a dict of new values of {list(sites)}, got "
                f"{type(values).__name__}"
            )
        missing, unknown = sites.keys() - values.keys(), values.keys() - sites.keys()
        if missing or unknown:
            raise ValueError(
                f"gibbs_fn must return values of exactly its sites {list(sites)}: it returns "
                f"{list(values)}"
            )
        return {name: _fitting(name, values[name], sites[name]) for name in sites}


def _fitting(name: str, value: Any, present: Any) -> jax.Array:
    if np.shape(value) != np.shape(present):
        raise ValueError(
            f"gibbs_fn returns a value of shape {np.shape(value)} for site {name!r}, which has "
            f"shape {np.shape(present)}"
        )
    dtype, wanted = jnp.result_type(value), jnp.result_type(present)
    if not jnp.issubdtype(wanted, jnp.floating) and jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(
            f"gibbs_fn returns {dtype} for site {name!r}, which holds {wanted}: convert it, e.g. "
            f"with .astype(int)"
        )
    return jnp.asarray(value, wanted)
