"""The posterior with an estimated likelihood, given the subsample that it is estimated from.

Source: Dang, Quiroz, Kohn, Tran and Villani 2019. The density of position and subsample is

    prior(position) * exp(sum over plates (estimate - variance / 2))

with the difference estimate of each plate's log likelihood and the estimate of its variance.
Plates are estimated from subsamples that are drawn apart, so their estimates and variances add.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from sojourn_gibbs.conditional_target import Given
from sojourn_gibbs.ecs.estimator import Estimate, corrected, difference_estimate
from sojourn_gibbs.ecs.likelihood import Indices, LogLikelihood
from sojourn_gibbs.ecs.taylor import ProxyState, Reference, TaylorProxy
from sojourn_hmc import Setup, Target
from sojourn_infer.sites import Model


class Subsample(NamedTuple):
    """Subsamples, and what a proxy knows of them.

    Attributes
    ----------
    indices : dict
        Indices of each subsampled plate, ``(m,)``.
    reference : Reference or None
        What the proxy has summed over all data; None without a proxy.
    expansion : TaylorOneProxyState, TaylorTwoProxyState or None
        What the proxy keeps for ``indices``.
    """

    indices: Indices
    reference: Reference | None = None
    expansion: ProxyState = None


class Conditions(NamedTuple):
    """Arguments of a `PerturbedTarget`: a subsample, and the arguments of the model."""

    subsample: Subsample
    args: tuple
    kwargs: dict


class PerturbedTarget:
    """A posterior whose log likelihood is a difference estimate; a function of `Conditions`.

    Parameters
    ----------
    conditional : Target
        The model given the indices of its plates, from `conditional_target`: it says where chains
        start and what users read.
    model : Callable
        The model.
    proxy : TaylorProxy
        Gives the control variates.
    """

    def __init__(self, conditional: Target, model: Model, proxy: TaylorProxy):
        self.conditional = conditional
        self.model = model
        self.proxy = proxy

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Ask the target that is estimated."""
        self.conditional.check(_given(model_args), {}, init_params)

    def setup(self, model_args: tuple, model_kwargs: dict, init_params: Any = None) -> Setup:
        """Bind `Conditions`, given as ``model_args``; see `Target`."""
        base = self.conditional.setup(_given(model_args), {}, init_params)
        conditions = Conditions(*model_args)

        def potential(position: dict[str, jax.Array]) -> jax.Array:
            outside, estimate = self.estimate(conditions, position)
            return -outside - corrected(estimate)

        return base._replace(potential=potential)

    def explain(self, position: Any, model_args: tuple, model_kwargs: dict) -> str:
        """List the sites there, as in the target that is estimated."""
        return self.conditional.explain(position, _given(model_args), {})

    def estimate(
        self, conditions: Conditions, position: dict[str, jax.Array]
    ) -> tuple[jax.Array, Estimate]:
        """Estimate the log likelihood at a position.

        Returns
        -------
        tuple
            The log density of all other sites on the unconstrained space, a scalar, and the
            estimate, up to a constant of the data.
        """
        subsample, args, kwargs = conditions
        assert subsample.reference is not None
        likelihood = LogLikelihood(self.model, args, kwargs)
        outside, terms, plates = likelihood.split(subsample.indices, position)
        variates = self.proxy.control_variates(
            likelihood, subsample.reference, subsample.expansion, subsample.indices, position
        )
        return outside, difference_estimate(terms, variates, plates)


def _given(model_args: tuple) -> Given:
    subsample, args, kwargs = model_args
    return Given(subsample.indices, args, kwargs)
