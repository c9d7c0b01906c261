"""What a warmup has learned as a plain value: kept, saved, and given to another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from sojourn_hmc.low_rank import LowRank


class Adaptation(NamedTuple):
    """Step size and inverse mass matrix, NumPy arrays.

    Attributes
    ----------
    step_size : ndarray
        Scalar.
    inverse_mass_matrix : ndarray, dict or LowRank
        As in `HMCAdaptState`, over the flat unconstrained position.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, NUTS, Adaptation
    >>> def potential(z):
    ...     return 0.5 * jnp.sum((z / 10) ** 2)
    >>> mcmc = MCMC(NUTS(potential_fn=potential), num_warmup=300, num_samples=1, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params=jnp.zeros(2))
    >>> learned = Adaptation.from_state(mcmc.last_state)
    >>> learned.inverse_mass_matrix.shape
    (2,)
    >>> kernel = NUTS(potential_fn=potential, adaptation=learned)
    >>> mcmc = MCMC(kernel, num_warmup=0, num_samples=100, progress_bar=False)
    >>> mcmc.run(jax.random.key(1), init_params=jnp.zeros(2))
    """

    step_size: Any
    inverse_mass_matrix: Any

    @classmethod
    def from_state(cls, state: Any) -> Adaptation:
        """What a chain has learned, or several chains together.

        Parameters
        ----------
        state : HMCState
            Such as ``mcmc.last_state``. If it has a leading axis of chains, the step size is their
            geometric mean and the inverse mass matrix their mean.

        Raises
        ------
        ValueError
            If several chains have matrices of low rank, which have no mean of low rank: take one
            chain, ``jax.tree.map(lambda leaf: leaf[0], state)``.
        """
        adapt_state = state.adapt_state
        step_size, inverse = np.asarray(adapt_state.step_size), adapt_state.inverse_mass_matrix
        several = step_size.ndim == 1
        if isinstance(inverse, LowRank):
            if several:
                raise ValueError(
                    "matrices of low rank of several chains have no mean of low rank: give the "
                    "state of one, jax.tree.map(lambda leaf: leaf[0], state)"
                )
            return cls(step_size, jax.tree.map(np.asarray, inverse))

        def together(block: Any) -> np.ndarray:
            return np.asarray(block).mean(0) if several else np.asarray(block)

        if isinstance(inverse, dict):
            learned: Any = {names: together(block) for names, block in inverse.items()}
        else:
            learned = together(inverse)
        if several:
            step_size = np.exp(np.log(step_size).mean())
        return cls(step_size, learned)

    def save(self, path: str | Path) -> None:
        """Write to a file of arrays (``.npz``), readable without this library."""
        inverse = self.inverse_mass_matrix
        if isinstance(inverse, LowRank):
            arrays = {f"low_rank_{name}": part for name, part in inverse._asdict().items()}
        elif isinstance(inverse, dict):
            arrays = {f"block {json.dumps(names)}": block for names, block in inverse.items()}
        else:
            arrays = {"inverse_mass_matrix": inverse}
        with Path(path).open("wb") as file:
            np.savez(file, allow_pickle=False, step_size=self.step_size, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Adaptation:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if "step_size" not in arrays:
            raise ValueError(f"{path} holds {sorted(arrays)}, not what Adaptation.save writes")
        step_size = arrays.pop("step_size")
        if "inverse_mass_matrix" in arrays:
            return cls(step_size, arrays["inverse_mass_matrix"])
        if "low_rank_scale" in arrays:
            return cls(step_size, LowRank(*(arrays[f"low_rank_{n}"] for n in LowRank._fields)))
        blocks = {
            tuple(json.loads(name.removeprefix("block "))): block for name, block in arrays.items()
        }
        return cls(step_size, blocks)
