"""HMC or NUTS within Gibbs: the compositions of two blocks that NumPyro's users know by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sojourn_gibbs.custom_gibbs import CustomGibbs, GibbsUpdateFn
from sojourn_gibbs.discrete_gibbs import DiscreteGibbs
from sojourn_gibbs.gibbs import Gibbs, GibbsState
from sojourn_gibbs.joint import require_model
from sojourn_gibbs.latents import discrete_latent_sites
from sojourn_hmc import TargetKernel

HMCGibbsState = GibbsState


class HMCGibbs(Gibbs):
    """Moves some sites by a function that the user writes, and all others by HMC or NUTS.

    Parameters
    ----------
    inner_kernel : HMC or NUTS
        A kernel on the whole model; BarkerMH serves as well.
    gibbs_fn : Callable
        Called as ``gibbs_fn(rng_key=..., gibbs_sites=..., hmc_sites=...)``; see `CustomGibbs`. It
        must draw the sites from their law given all others, or leave that law unchanged.
    gibbs_sites : list of str
        Names of the sites that it draws.

    Raises
    ------
    TypeError, ValueError
        If the inner kernel is not one on a model, or no site is named. A run raises if a named site
        is not in the model, or what ``gibbs_fn`` returns does not fit it.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_gibbs import HMCGibbs
    >>> from sojourn_infer import MCMC, NUTS
    >>> from sojourn_primitives import sample
    >>> def model():
    ...     x = sample("x", dist.Normal(0.0, 2.0))
    ...     y = sample("y", dist.Normal(0.0, 2.0))
    ...     sample("obs", dist.Normal(x + y, 1.0), obs=jnp.array([1.0]))
    >>> def gibbs_fn(rng_key, gibbs_sites, hmc_sites):
    ...     y = hmc_sites["y"]
    ...     return {"x": dist.Normal(0.8 * (1 - y), jnp.sqrt(0.8)).sample(rng_key)}
    >>> kernel = HMCGibbs(NUTS(model), gibbs_fn=gibbs_fn, gibbs_sites=["x"])
    >>> mcmc = MCMC(kernel, num_warmup=100, num_samples=100, progress_bar=False)
    >>> mcmc.run(jax.random.key(0))
    >>> mcmc.get_samples()["x"].shape
    (100,)
    """

    def __init__(
        self,
        inner_kernel: TargetKernel,
        gibbs_fn: GibbsUpdateFn | Callable[..., dict[str, Any]],
        gibbs_sites: Sequence[str],
    ):
        _check_inner("HMCGibbs", inner_kernel)
        super().__init__([(CustomGibbs(gibbs_fn), gibbs_sites), (inner_kernel, None)])
        self.inner_kernel = inner_kernel


class DiscreteHMCGibbs(Gibbs):
    """Moves the discrete sites of a model by Gibbs updates, the continuous ones by HMC or NUTS.

    The discrete sites are moved as `DiscreteGibbs` does it: on the values of their support, and all
    elements of a site together where they are independent given the rest.

    Parameters
    ----------
    inner_kernel : HMC or NUTS
        A kernel on the whole model; BarkerMH serves as well.
    random_walk : bool
        Propose all values of a discrete site alike, in place of the conditional law.
    modified : bool
        Never propose the present value (Liu 1996, "Peskun's theorem and a modified discrete-state
        Gibbs sampler").

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_gibbs import DiscreteHMCGibbs
    >>> from sojourn_infer import MCMC, NUTS
    >>> from sojourn_primitives import sample
    >>> def model(probs, locs):
    ...     c = sample("c", dist.Categorical(probs))
    ...     sample("x", dist.Normal(locs[c], 0.5))
    >>> probs = jnp.array([0.15, 0.3, 0.3, 0.25])
    >>> locs = jnp.array([-1.0, 0.0, 0.5, 1.0])
    >>> kernel = DiscreteHMCGibbs(NUTS(model), modified=True)
    >>> mcmc = MCMC(kernel, num_warmup=200, num_samples=4000, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), probs, locs)
    >>> bool(abs(mcmc.get_samples()["x"].mean() - probs @ locs) < 0.1)
    True
    """

    def __init__(
        self, inner_kernel: TargetKernel, *, random_walk: bool = False, modified: bool = False
    ):
        _check_inner("DiscreteHMCGibbs", inner_kernel)
        discrete = DiscreteGibbs(inner_kernel.target, random_walk=random_walk, modified=modified)
        super().__init__([(discrete, discrete_latent_sites), (inner_kernel, None)])
        self.inner_kernel = inner_kernel


def _check_inner(name: str, kernel: Any) -> None:
    if not isinstance(kernel, TargetKernel) or isinstance(kernel, DiscreteGibbs):
        what = kernel.__name__ if isinstance(kernel, type) else type(kernel).__name__
        raise TypeError(
            f"{name} needs an inner kernel such as NUTS(model) or HMC(model), got {what}"
        )
    require_model(name, kernel.target)
