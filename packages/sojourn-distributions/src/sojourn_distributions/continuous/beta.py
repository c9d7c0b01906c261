"""The beta distribution, by its exponents or by its mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, digamma

from sojourn_distributions import constraints, known
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous.beta_quantile import beta_quantile
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.gamma_functions import log_beta
from sojourn_distributions.numerics import log_power

__all__ = ["Beta", "BetaProportion"]

Shape = tuple[int, ...]


class Beta(Distribution):
    """Beta distribution on the unit interval.

    The density is ``x**(a - 1) * (1 - x)**(b - 1) / B(a, b)`` with the concentrations a and b and
    the beta function B.

    Parameters
    ----------
    concentration1, concentration0
        Exponents (plus 1) of ``value`` and of ``1 - value``, positive.
    """

    arg_constraints: ClassVar = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    reparametrized_params: ClassVar[Sequence[str]] = ("concentration1", "concentration0")

    concentration1: ArrayLike
    concentration0: ArrayLike

    def __init__(
        self,
        concentration1: ArrayLike,
        concentration0: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(
            validate_args, concentration1=concentration1, concentration0=concentration0
        )

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        a, b = self.concentration1, self.concentration0
        return jax.random.beta(key, a, b, self.shape(sample_shape), self._dtype)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        a, b = self.concentration1, self.concentration0
        return log_power(value, a - 1) + log_power(1 - value, b - 1) - known.log_beta(a, b)

    def cdf(self, value: ArrayLike) -> Any:
        return betainc(self.concentration1, self.concentration0, jnp.clip(value, 0.0, 1.0))

    def icdf(self, q: ArrayLike) -> Any:
        return beta_quantile(q, self.concentration1, self.concentration0)

    @property
    def mean(self) -> Any:
        a, b = self.concentration1, self.concentration0
        return jnp.broadcast_to(a / (a + b), self.batch_shape)

    @property
    def variance(self) -> Any:
        a, b = self.concentration1, self.concentration0
        return jnp.broadcast_to(a * b / ((a + b) ** 2 * (a + b + 1)), self.batch_shape)

    def entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        entropy = log_beta(a, b) - (a - 1) * digamma(a) - (b - 1) * digamma(b)
        return jnp.broadcast_to(entropy + (a + b - 2) * digamma(a + b), self.batch_shape)


class BetaProportion(Beta):
    """Beta distribution by its mean, for the regression of proportions.

    Its exponents (plus 1) are ``mean * concentration`` and ``(1 - mean) * concentration`` (Ferrari
    & Cribari-Neto 2004, "Beta regression for modelling rates and proportions").

    Parameters
    ----------
    mean
        Mean, between 0 and 1.
    concentration
        Sum of the two exponents, positive; the larger, the narrower.
    """

    arg_constraints: ClassVar = {
        "mean": constraints.open_interval(0.0, 1.0),
        "concentration": constraints.positive,
    }
    reparametrized_params = ("mean", "concentration")

    concentration: ArrayLike

    def __init__(
        self, mean: ArrayLike, concentration: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, mean=mean, concentration=concentration)

    # The parameter as given is kept beside its broadcast form, which `mean` is in every family.
    @property
    def mean(self) -> Any:
        given = self.__dict__["mean"]
        return jnp.broadcast_to(given, np.broadcast_shapes(np.shape(given), self.batch_shape))

    @mean.setter
    def mean(self, value: ArrayLike) -> None:
        self.__dict__["mean"] = value

    def get_args(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.arg_constraints if name in self._given}

    @property
    def concentration1(self) -> Any:
        return self.__dict__["mean"] * self.concentration

    @property
    def concentration0(self) -> Any:
        return (1 - self.__dict__["mean"]) * self.concentration
