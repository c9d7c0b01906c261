"""The prior to a power: what a shard of the data samples, so that the product is the posterior.

With S shards each samples ``p(theta)^(1/S) p(y_s | theta)``; the product over shards is the
posterior of the whole (Scott et al. 2016, "Bayes and big data", section 2). Latents that belong to
the rows of a shard, such as a random effect of each row, are in one factor only and keep their
prior.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import jax
import numpy as np

from sojourn_distributions import Distribution
from sojourn_infer.sites import is_latent
from sojourn_primitives import Message, Messenger


class TemperedDistribution(Distribution):
    """A distribution whose log density is multiplied by a power; it is not normalised.

    It stands for a density in a model. Draws are those of the distribution itself.

    Parameters
    ----------
    base_dist : Distribution
        The distribution.
    power : float
        Multiplies the log density.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import TemperedDistribution
    >>> tempered = TemperedDistribution(dist.Normal(0.0, 1.0), 0.25)
    >>> round(float(tempered.log_prob(2.0)), 4)  # a quarter of -2.9189
    -0.7297
    """

    pytree_data_fields = ("base_dist", "power")

    def __init__(self, base_dist: Any, power: Any):
        self.base_dist = base_dist
        self.power = power
        super().__init__(base_dist.batch_shape, base_dist.event_shape, validate_args=False)

    @property
    def support(self) -> Any:
        return self.base_dist.support

    @property
    def has_rsample(self) -> bool:
        return self.base_dist.has_rsample

    @property
    def has_enumerate_support(self) -> bool:
        return self.base_dist.has_enumerate_support

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Any:
        return self.base_dist.sample(key, sample_shape)

    def log_prob(self, value: Any, intermediates: Any = None) -> Any:
        return self.power * self.base_dist.log_prob(value)

    def enumerate_support(self, expand: bool = True) -> Any:
        return self.base_dist.enumerate_support(expand)


class temper(Messenger):
    """Raise the priors of a model's global latent sites to the power ``1 / num_shards``.

    Parameters
    ----------
    fn : Callable, optional
        The model of one shard.
    num_shards : int
        How many shards there are.
    local : sequence of str
        Names of latent sites, and of plates, that belong to the rows of a shard: those sites, and
        all in those plates, keep their prior.
    space : str
        In which space the draws of the subposteriors are multiplied. ``"constrained"`` for what
        `MCMC.get_samples` gives; ``"unconstrained"`` if they are mapped to the real numbers first,
        where the volume of the map is part of the prior.

    Raises
    ------
    ValueError
        If ``num_shards`` is not positive or ``space`` is unknown; when the model is run, if a name
        of ``local`` is no sample site or plate of it, so that a prior would be tempered that is
        not to be.
    TypeError
        If ``num_shards`` is no integer or ``local`` is a single name.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import log_density, temper
    >>> from sojourn_primitives import sample
    >>> def model(y):
    ...     mean = sample("mean", dist.Normal(0.0, 1.0))
    ...     sample("y", dist.Normal(mean, 1.0), obs=y)
    >>> model_of_shard = temper(model, num_shards=4)
    >>> density, _ = log_density(model_of_shard, (0.0,), {}, {"mean": 0.0})
    >>> round(float(density / log_density(model, (0.0,), {}, {"mean": 0.0})[0]), 3)  # (1/4 + 1) / 2
    0.625
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        num_shards: int = 1,
        local: Sequence[str] = (),
        space: str = "constrained",
    ):
        super().__init__(fn)
        if not isinstance(num_shards, (int, np.integer)):
            raise TypeError(f"temper: num_shards must be a positive integer, got {num_shards!r}")
        if num_shards < 1:
            raise ValueError(f"temper: num_shards must be a positive integer, got {num_shards!r}")
        if space not in ("constrained", "unconstrained"):
            raise ValueError(
                f"temper: space must be 'constrained' or 'unconstrained', got {space!r}"
            )
        if isinstance(local, str):
            raise TypeError(f"temper: local must be a tuple of names: write ({local!r},)")
        self.power = 1 / num_shards
        self.local = frozenset(local)
        self.space = space
        self._names: set[str] = set()  # of the model, in the run that is under way

    def __enter__(self) -> Any:
        self._names = set()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        unknown = sorted(self.local - self._names)
        if error[0] is None and unknown:
            raise ValueError(
                f"temper: local names {unknown}, which are neither sample sites nor plates of the "
                f"model; it has {sorted(self._names)}. A site with other coordinates "
                "(handlers.reparam) has another name"
            )

    def _for_call(self) -> Self:
        return copy.copy(self)

    def process_message(self, msg: Message) -> None:
        if msg["type"] in ("sample", "plate"):
            self._names.add(str(msg["name"]))
        if not is_latent(msg):
            return
        plates = {frame.name for frame in msg["cond_indep_stack"]}
        if self.local & {msg["name"], *plates}:
            return
        if self.space == "constrained":
            msg["fn"] = TemperedDistribution(msg["fn"], self.power)
        else:
            # A scale multiplies the density and the Jacobian term of a site alike.
            msg["scale"] = self.power if msg["scale"] is None else msg["scale"] * self.power
