"""`kl_divergence`: Kullback-Leibler divergences in closed form, by the pair of types.

Formulas without a source of their own follow from the expectations of the sufficient statistics
of exponential families (Cover & Thomas 2006, chapter 8; Nielsen & Nock 2010).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, gammaln

from sojourn_distributions.continuous import (
    Beta,
    Exponential,
    Gamma,
    Kumaraswamy,
    Normal,
    Uniform,
    Weibull,
)
from sojourn_distributions.directional import VonMises
from sojourn_distributions.directional.angles import bessel_ratio_deficit, log_i0e, wrap
from sojourn_distributions.discrete import BernoulliLogits, BernoulliProbs, Poisson
from sojourn_distributions.discrete.categorical import CategoricalLogits, CategoricalProbs
from sojourn_distributions.distribution import (
    Distribution,
    ExpandedDistribution,
    Independent,
    MaskedDistribution,
    sum_rightmost,
)
from sojourn_distributions.gamma_functions import log_beta
from sojourn_distributions.improper import Delta
from sojourn_distributions.multivariate import CirculantNormal, Dirichlet, MultivariateNormal
from sojourn_distributions.multivariate.cholesky import (
    log_diagonal,
    mahalanobis_squared,
    solve_factor,
)
from sojourn_distributions.numerics import log1mexp
from sojourn_distributions.special import xlogy
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import AbsTransform

__all__ = ["DivergenceRegistry", "kl_divergence"]

Formula = Callable[[Any, Any], Any]


class DivergenceRegistry:
    """Kullback-Leibler divergence ``E_p[log p(x) - log q(x)]`` of distributions p and q.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> round(float(dist.kl_divergence(dist.Normal(0.0, 1.0), dist.Normal(1.0, 2.0))), 4)
    0.4431

    A pair of types of one's own, subclasses included:

    >>> @dist.kl_divergence.register(dist.Cauchy, dist.Cauchy)
    ... def kl_cauchy(p, q):
    ...     top = (p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2
    ...     return jnp.log(top / (4 * p.scale * q.scale))
    >>> round(float(dist.kl_divergence(dist.Cauchy(0.0, 1.0), dist.Cauchy(1.0, 1.0))), 4)
    0.2231
    """

    def __init__(self) -> None:
        self._formulas: dict[tuple[type, type], Formula] = {}

    def register(self, p_type: type, q_type: type) -> Callable[[Formula], Formula]:
        """Decorate the function of a pair of types of distributions; it replaces an earlier one.

        The function takes p and q and returns an array of their broadcast batch shape.
        """

        def add(formula: Formula) -> Formula:
            self._formulas[p_type, q_type] = formula
            return formula

        return add

    def __call__(self, p: Distribution, q: Distribution) -> Any:
        """Divergence of p from q in nats; shape of the two batch shapes broadcast together.

        Parameters
        ----------
        p, q
            Distributions of equal event shape. It is assumed that q has mass wherever p has; where
            the formula can tell that it has not, the result is infinite.

        Raises
        ------
        NotImplementedError
            If no formula is registered for the types or for classes they derive from.
        ValueError
            If the event shapes differ.
        """
        formula = self._find(type(p), type(q))
        if formula is None:
            names = f"{type(p).__name__}, {type(q).__name__}"
            raise NotImplementedError(
                f"no Kullback-Leibler divergence is known for {p!r} from {q!r}; register one with "
                f"@kl_divergence.register({names}), or estimate it from draws: "
                "mean(p.log_prob(x) - q.log_prob(x)) for x = p.sample(key, (n,))"
            )
        if p.event_shape != q.event_shape:
            raise ValueError(
                "kl_divergence: event shapes must be equal, got "
                f"{p.event_shape} of {p!r} and {q.event_shape} of {q!r}"
            )
        return formula(p, q)

    def _find(self, p_type: type, q_type: type) -> Formula | None:
        """Formula of the closest classes: first of p's, then of q's bases."""
        for p_base in p_type.__mro__:
            for q_base in q_type.__mro__:
                if (p_base, q_base) in self._formulas:
                    return self._formulas[p_base, q_base]
        return None


kl_divergence = DivergenceRegistry()


def _batch_shape(p: Distribution, q: Distribution) -> tuple[int, ...]:
    return np.broadcast_shapes(p.batch_shape, q.batch_shape)


# --- wrappers ---------------------------------------------------------------------------------


@kl_divergence.register(Distribution, ExpandedDistribution)
def _kl_from_expanded(p: Distribution, q: ExpandedDistribution) -> Any:
    return jnp.broadcast_to(kl_divergence(p, q.base_dist), _batch_shape(p, q))


@kl_divergence.register(ExpandedDistribution, Distribution)
@kl_divergence.register(ExpandedDistribution, ExpandedDistribution)
def _kl_of_expanded(p: ExpandedDistribution, q: Distribution) -> Any:
    return jnp.broadcast_to(kl_divergence(p.base_dist, q), _batch_shape(p, q))


@kl_divergence.register(Independent, Independent)
def _kl_independent(p: Independent, q: Independent) -> Any:
    shared = min(p.reinterpreted_batch_ndims, q.reinterpreted_batch_ndims)
    inner_p = p.base_dist.to_event(p.reinterpreted_batch_ndims - shared)
    inner_q = q.base_dist.to_event(q.reinterpreted_batch_ndims - shared)
    divergence = kl_divergence(inner_p, inner_q)
    return sum_rightmost(jnp.broadcast_to(divergence, _batch_shape(inner_p, inner_q)), shared)


@kl_divergence.register(MaskedDistribution, MaskedDistribution)
def _kl_masked(p: MaskedDistribution, q: MaskedDistribution) -> Any:
    """Counted where neither is masked out."""
    masks = (p.mask_value, q.mask_value)
    if any(mask is False for mask in masks):
        return jnp.zeros(_batch_shape(p, q))
    divergence = kl_divergence(p.base_dist, q.base_dist)
    return jnp.where(jnp.logical_and(*masks), divergence, 0.0)


@kl_divergence.register(TransformedDistribution, TransformedDistribution)
def _kl_transformed(p: TransformedDistribution, q: TransformedDistribution) -> Any:
    """A bijection leaves it as it is."""
    parts = (*p.transforms, *q.transforms)
    if list(p.transforms) != list(q.transforms) or any(
        isinstance(part, AbsTransform) for part in parts
    ):
        raise NotImplementedError(
            f"no Kullback-Leibler divergence is known for {p!r} from {q!r}: their transforms must "
            "be equal one-to-one maps (traced parameters cannot be compared); register a formula "
            "for the pair with kl_divergence.register"
        )
    return jnp.broadcast_to(kl_divergence(p.base_dist, q.base_dist), _batch_shape(p, q))


@kl_divergence.register(Delta, Distribution)
@kl_divergence.register(Delta, ExpandedDistribution)
def _kl_delta(p: Delta, q: Distribution) -> Any:
    """Of a point with respect to the counting measure: what is left of the log density."""
    return jnp.broadcast_to(p.log_density - q.log_prob(p.v), _batch_shape(p, q))


# --- numbers ----------------------------------------------------------------------------------


@kl_divergence.register(Normal, Normal)
def _kl_normal(p: Normal, q: Normal) -> Any:
    # p.scale^2 / q.scale^2 - 1 without cancellation: near-equal distributions differ by its square.
    excess = (p.scale - q.scale) / q.scale * ((p.scale + q.scale) / q.scale)
    shift = (p.loc - q.loc) / q.scale
    return 0.5 * (shift * shift + excess - 2 * jnp.log(p.scale / q.scale))


@kl_divergence.register(Beta, Beta)
def _kl_beta(p: Beta, q: Beta) -> Any:
    a, b = p.concentration1, p.concentration0
    step_a, step_b = a - q.concentration1, b - q.concentration0
    return (
        log_beta(q.concentration1, q.concentration0)
        - log_beta(a, b)
        + step_a * digamma(a)
        + step_b * digamma(b)
        - (step_a + step_b) * digamma(jnp.asarray(a + b))
    )


@kl_divergence.register(Gamma, Gamma)
def _kl_gamma(p: Gamma, q: Gamma) -> Any:
    return _gamma_formula(p.concentration, p.rate, q.concentration, q.rate)


@kl_divergence.register(Exponential, Exponential)
def _kl_exponential(p: Exponential, q: Exponential) -> Any:
    return _gamma_formula(1.0, p.rate, 1.0, q.rate)


@kl_divergence.register(Exponential, Gamma)
def _kl_exponential_gamma(p: Exponential, q: Gamma) -> Any:
    return _gamma_formula(1.0, p.rate, q.concentration, q.rate)


@kl_divergence.register(Gamma, Exponential)
def _kl_gamma_exponential(p: Gamma, q: Exponential) -> Any:
    return _gamma_formula(p.concentration, p.rate, 1.0, q.rate)


def _gamma_formula(a: Any, rate: Any, q_a: Any, q_rate: Any) -> Any:
    return (
        (a - q_a) * digamma(a)
        - gammaln(a)
        + gammaln(q_a)
        + q_a * jnp.log(rate / q_rate)
        + a * (q_rate - rate) / rate
    )


@kl_divergence.register(Weibull, Gamma)
def _kl_weibull_gamma(p: Weibull, q: Gamma) -> Any:
    """Bauckhage (2013), Computing the Kullback-Leibler divergence ..., equation 20."""
    k = p.concentration
    scaled = q.rate * p.scale
    return (
        np.euler_gamma * (q.concentration / k - 1)
        + jnp.log(k)
        - q.concentration * jnp.log(scaled)
        + gammaln(q.concentration)
        + scaled * jnp.exp(gammaln(1 + 1 / jnp.asarray(k)))
        - 1
    )


@kl_divergence.register(Kumaraswamy, Beta)
def _kl_kumaraswamy_beta(p: Kumaraswamy, q: Beta) -> Any:
    """Nalisnick & Smyth (2017), equation 12, with the series replaced by an integral."""
    a, b = p.concentration1, p.concentration0
    mean_log = -(np.euler_gamma + digamma(b) + 1 / b) / a  # of x
    mean_log1m = _mean_log1m_kumaraswamy(jnp.asarray(a, p._dtype), jnp.asarray(b, p._dtype))
    return (
        jnp.log(a)
        + jnp.log(b)
        - (b - 1) / b
        + (a - q.concentration1) * mean_log
        - (q.concentration0 - 1) * mean_log1m
        + log_beta(q.concentration1, q.concentration0)
    )


def _mean_log1m_kumaraswamy(a: Any, b: Any) -> Any:
    """Mean of ``log(1 - x)``.

    With ``v = 1 - x**a``, which is Beta(b, 1), it is the mean of ``log v``, -1 / b, and that of
    ``g(v) = log((1 - (1 - v)**(1 / a)) / v)``, which is bounded at 0, by tanh-sinh quadrature
    (Takahasi & Mori 1974).
    """
    step = 0.1
    t = np.arange(-6.0, 4.0, step)
    stretch = np.pi * np.sinh(t)
    log_v, log_rest = -np.logaddexp(0, -stretch), -np.logaddexp(0, stretch)
    log_weight = log_v + log_rest + np.log(np.pi * np.cosh(t) * step)  # of dv
    near_zero = log_v < -30.0  # there g is log(1 / a) to working precision
    dtype = a.dtype
    a, b = a[..., None], b[..., None]
    safe = np.where(near_zero, -1.0, log_rest).astype(dtype)
    g = jnp.where(near_zero, -jnp.log(a), log1mexp(safe / a) - log_v.astype(dtype))
    log_density = jnp.log(b) + (b - 1) * log_v.astype(dtype)
    return -1 / b[..., 0] + jnp.sum(g * jnp.exp(log_density + log_weight.astype(dtype)), axis=-1)


@kl_divergence.register(Uniform, Uniform)
def _kl_uniform(p: Uniform, q: Uniform) -> Any:
    inside = jnp.logical_and(p.low >= q.low, p.high <= q.high)
    return jnp.where(inside, jnp.log((q.high - q.low) / (p.high - p.low)), jnp.inf)


@kl_divergence.register(VonMises, VonMises)
def _kl_von_mises(p: VonMises, q: VonMises) -> Any:
    k, q_k = jnp.asarray(p.concentration), jnp.asarray(q.concentration)
    deficit = bessel_ratio_deficit(k * 1.0)
    half_sine = jnp.sin(0.5 * wrap(p.loc - q.loc))
    # E cos(x - q.loc) = (1 - deficit) cos(p.loc - q.loc); i0e carries a factor exp(-k).
    away = 2 * (1 - deficit) * half_sine * half_sine
    return log_i0e(q_k * 1.0) - log_i0e(k * 1.0) + (q_k - k) * deficit + q_k * away


# --- counts and categories --------------------------------------------------------------------


@kl_divergence.register(Poisson, Poisson)
def _kl_poisson(p: Poisson, q: Poisson) -> Any:
    return xlogy(p.rate, p.rate / q.rate) + (q.rate - p.rate)


def _kl_bernoulli(p: Any, q: Any) -> Any:
    return sum(_mass_times_ratio(p.log_prob(value), q.log_prob(value)) for value in (0, 1))


def _kl_categorical(p: Any, q: Any) -> Any:
    log_p, log_q = jax.nn.log_softmax(p.logits), jax.nn.log_softmax(q.logits)
    return jnp.sum(_mass_times_ratio(log_p, log_q), axis=-1)


def _mass_times_ratio(log_p: Any, log_q: Any) -> Any:
    """``p (log p - log q)``, 0 where p is 0, infinite where only q is; gradients likewise."""
    positive = log_p > -jnp.inf
    log_p, log_q = jnp.where(positive, log_p, 0.0), jnp.where(positive, log_q, 0.0)
    return jnp.where(positive, jnp.exp(log_p) * (log_p - log_q), 0.0)


_BERNOULLI: tuple[type[Distribution], ...] = (BernoulliProbs, BernoulliLogits)
_CATEGORICAL: tuple[type[Distribution], ...] = (CategoricalProbs, CategoricalLogits)
for _pair in itertools.product(_BERNOULLI, _BERNOULLI):
    kl_divergence.register(*_pair)(_kl_bernoulli)
for _pair in itertools.product(_CATEGORICAL, _CATEGORICAL):
    kl_divergence.register(*_pair)(_kl_categorical)


# --- vectors ----------------------------------------------------------------------------------


@kl_divergence.register(Dirichlet, Dirichlet)
def _kl_dirichlet(p: Dirichlet, q: Dirichlet) -> Any:
    a, b = jnp.asarray(p.concentration), jnp.asarray(q.concentration)
    total_a, total_b = a.sum(-1), b.sum(-1)
    terms = (a - b) * (digamma(a) - digamma(total_a)[..., None]) - gammaln(a) + gammaln(b)
    return jnp.sum(terms, axis=-1) + gammaln(total_a) - gammaln(total_b)


@kl_divergence.register(MultivariateNormal, MultivariateNormal)
def _kl_multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Any:
    return _normal_vectors(p.loc, jnp.asarray(p.scale_tril), q.loc, jnp.asarray(q.scale_tril))


@kl_divergence.register(Independent, MultivariateNormal)
def _kl_independent_multivariate(p: Independent, q: MultivariateNormal) -> Any:
    """Of independent normal numbers."""
    loc, scale = _independent_normals(p, q)
    return _normal_vectors(loc, _diagonal(scale), q.loc, jnp.asarray(q.scale_tril))


@kl_divergence.register(MultivariateNormal, Independent)
def _kl_multivariate_independent(p: MultivariateNormal, q: Independent) -> Any:
    loc, scale = _independent_normals(q, p)
    return _normal_vectors(p.loc, jnp.asarray(p.scale_tril), loc, _diagonal(scale))


@kl_divergence.register(Independent, CirculantNormal)
def _kl_independent_circulant(p: Independent, q: CirculantNormal) -> Any:
    """Of independent normal numbers; all diagonal elements of a circulant precision are equal."""
    loc, scale = _independent_normals(p, q)
    spectrum = jnp.asarray(q.covariance_rfft)
    precision = jnp.fft.irfft(1 / spectrum, q.event_shape[0])[..., 0]
    neg_entropy = -jnp.sum(jnp.log(scale) + 0.5 * math.log(2 * math.pi * math.e), axis=-1)
    return neg_entropy - q.log_prob(loc) + 0.5 * precision * jnp.sum(scale * scale, axis=-1)


def _independent_normals(d: Independent, other: Distribution) -> tuple[Any, Any]:
    """Means and standard deviations of a vector of independent normal numbers."""
    base = d.base_dist.base_dist if isinstance(d.base_dist, ExpandedDistribution) else d.base_dist
    if not isinstance(base, Normal) or d.event_dim != 1:
        raise NotImplementedError(
            f"no Kullback-Leibler divergence is known between {d!r} of {base!r} and {other!r}; "
            "register one with kl_divergence.register"
        )
    shape = d.base_dist.batch_shape
    return jnp.broadcast_to(base.loc, shape), jnp.broadcast_to(base.scale, shape)


def _diagonal(scale: Any) -> Any:
    return scale[..., None] * np.eye(scale.shape[-1], dtype=scale.dtype)


def _normal_vectors(loc: Any, factor: Any, q_loc: Any, q_factor: Any) -> Any:
    batch = np.broadcast_shapes(factor.shape[:-2], q_factor.shape[:-2])
    factor = jnp.broadcast_to(factor, batch + factor.shape[-2:])
    # Columns of the factor as vectors, in front of the batch.
    columns = jnp.moveaxis(factor, -1, 0)
    trace = jnp.sum(jnp.square(solve_factor(q_factor, columns)), axis=(0, -1))
    log_ratio = jnp.sum(log_diagonal(q_factor) - log_diagonal(factor), axis=-1)
    shift = loc - q_loc
    shape = np.broadcast_shapes(np.shape(shift), q_factor.shape[:-1])
    distance = mahalanobis_squared(q_factor, jnp.broadcast_to(shift, shape))
    return 0.5 * (trace + distance - factor.shape[-1]) + log_ratio
