"""The sine model of two dependent angles."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, namespace
from sojourn_distributions.directional.angles import bessel_ratio_deficit, log_i0e, wrap
from sojourn_distributions.directional.von_mises import centered_von_mises
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support
from sojourn_distributions.parameters import derived_parameter
from sojourn_distributions.special import logsumexp

__all__ = ["SineBivariateVonMises"]

Shape = tuple[int, ...]

_NODES = 512


class SineBivariateVonMises(Distribution):
    """Bivariate von Mises distribution of two angles, the sine model.

    The density of angles (phi, psi) between -pi and pi is proportional to
    ``exp(k1 cos(phi - m1) + k2 cos(psi - m2) + c sin(phi - m1) sin(psi - m2))``. It has one mode
    if ``c**2 < k1 k2``, else two (Singh, Hnizdo & Demchuk 2002; Mardia, Taylor & Subramaniam 2007).

    Parameters
    ----------
    phi_loc, psi_loc
        Mean directions m1 and m2, between -pi and pi.
    phi_concentration, psi_concentration
        k1 and k2, positive.
    correlation
        c, real.
    weighted_correlation
        ``c / sqrt(k1 k2)``, in place of `correlation`.

    Raises
    ------
    ValueError
        If not exactly one of `correlation` and `weighted_correlation` is given.

    Notes
    -----
    Given phi, psi has a von Mises distribution; what is left to integrate, and to draw from, is the
    distribution of phi alone. Both use one grid over it: the normalizing constant by the
    trapezoidal rule, draws by rejection from a step function that bounds the density (so they are
    exact). The rule resolves two-moded densities up to correlations of about 1e4 and those of one
    mode for any concentration. Draws have no gradient.

    Examples
    --------
    >>> import jax
    >>> import sojourn_distributions as dist
    >>> d = dist.SineBivariateVonMises(0.0, 1.0, 5.0, 4.0, weighted_correlation=0.5)
    >>> d.sample(jax.random.key(0), (3,)).shape
    (3, 2)
    """

    arg_constraints: ClassVar = {
        "phi_loc": constraints.circular,
        "psi_loc": constraints.circular,
        "phi_concentration": constraints.positive,
        "psi_concentration": constraints.positive,
        "correlation": constraints.real,
        "weighted_correlation": constraints.real,
    }
    support = constraints.independent(constraints.circular, 1)

    phi_loc: ArrayLike
    psi_loc: ArrayLike
    phi_concentration: ArrayLike
    psi_concentration: ArrayLike

    def __init__(
        self,
        phi_loc: ArrayLike,
        psi_loc: ArrayLike,
        phi_concentration: ArrayLike,
        psi_concentration: ArrayLike,
        correlation: ArrayLike | None = None,
        weighted_correlation: ArrayLike | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if (correlation is None) == (weighted_correlation is None):
            raise ValueError(
                "SineBivariateVonMises: give exactly one of correlation and weighted_correlation"
            )
        self._set_parameters(
            validate_args,
            phi_loc=phi_loc,
            psi_loc=psi_loc,
            phi_concentration=phi_concentration,
            psi_concentration=psi_concentration,
            correlation=correlation,
            weighted_correlation=weighted_correlation,
        )

    @derived_parameter
    def correlation(self) -> Any:
        """Factor of the product of sines."""
        weighted = self.weighted_correlation
        product = self.phi_concentration * self.psi_concentration
        return weighted * namespace(product).sqrt(product)

    @derived_parameter
    def weighted_correlation(self) -> Any:
        """Correlation over the geometric mean of the concentrations."""
        product = self.phi_concentration * self.psi_concentration
        return self.correlation / namespace(product).sqrt(product)

    def _event_shape(self) -> Shape:
        return (2,)

    def _marginal(self) -> _Marginal:
        parameters = (self.phi_concentration, self.psi_concentration, self.correlation)
        arrays = (jnp.asarray(x, self._dtype) for x in parameters)
        return _Marginal(*jnp.broadcast_arrays(*arrays))

    @property
    def norm_const(self) -> Any:
        """Log of the normalizing constant; shape of the concentrations and correlation."""
        marginal = self._marginal()
        return marginal.log_mass() + marginal.k1 + marginal.k2

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        value = jnp.asarray(value)
        phi, psi = value[..., 0] - self.phi_loc, value[..., 1] - self.psi_loc
        marginal = self._marginal()
        exponent = (
            -2 * marginal.k1 * jnp.sin(0.5 * phi) ** 2
            - 2 * marginal.k2 * jnp.sin(0.5 * psi) ** 2
            + marginal.correlation * jnp.sin(phi) * jnp.sin(psi)
        )
        inside = jnp.all((value >= -math.pi) & (value <= math.pi), axis=-1)
        return on_support(inside, exponent - marginal.log_mass())

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_phi, key_psi = jax.random.split(key)
        shape = tuple(sample_shape) + self.batch_shape
        marginal = jax.lax.stop_gradient(
            _Marginal(*(jnp.broadcast_to(x, self.batch_shape) for x in self._marginal()))
        )
        phi = _draw_marginal(key_phi, marginal, shape)
        pull = marginal.correlation * jnp.sin(phi)
        offset = jnp.arctan2(pull, marginal.k2)
        psi = offset + centered_von_mises(key_psi, jnp.hypot(pull, marginal.k2))
        return jnp.stack([wrap(phi + self.phi_loc), wrap(psi + self.psi_loc)], axis=-1)

    @property
    def mean(self) -> Any:
        """Mean directions."""
        locs = (jnp.broadcast_to(x, self.batch_shape) for x in (self.phi_loc, self.psi_loc))
        return jnp.stack([wrap(jnp.asarray(x, self._dtype)) for x in locs], axis=-1)


class _Marginal(NamedTuple):
    """The first angle about its mean, the second one integrated out; of equal shapes."""

    k1: Any
    k2: Any
    correlation: Any

    def log_height(self, phi: Any) -> Any:
        """Log density up to a constant that makes it 0 at 0: symmetric in phi.

        ``k1 cos(phi) + log I0(z)`` with ``z**2 = k2**2 + c**2 sin(phi)**2`` (Singh et al. 2002).
        """
        pull = self.correlation * jnp.sin(phi)
        z = jnp.hypot(self.k2, pull)
        gain = pull * pull / (z + self.k2)  # z - k2
        return -2 * self.k1 * jnp.sin(0.5 * phi) ** 2 + gain + log_i0e(z) - log_i0e(self.k2)

    @property
    def _steepest_curvature(self) -> Any:
        """Bound of minus the second derivative of `log_height` over all angles."""
        ratio = (1 - bessel_ratio_deficit(self.k2)) / self.k2
        return self.k1 + 2 * self.correlation**2 * ratio

    def _grid_scale(self) -> Any:
        """Factor of the tangent of the half-angle: a uniform grid becomes close where it matters.

        Any factor gives the same integral; this one is about the width of the density.
        """
        bound = self._steepest_curvature
        at_zero = self.k1 - 0.5 * (bound - self.k1)
        # Where the curvature at 0 vanishes the height is quartic; below it, two-humped.
        width_squared = 1 / (jnp.maximum(at_zero, 0.0) + jnp.sqrt(bound))
        width_squared = width_squared + jnp.maximum(-at_zero, 0.0) / bound
        return jax.lax.stop_gradient(jnp.sqrt(jnp.minimum(width_squared, 1.0)))[..., None]

    def edges(self) -> tuple[Any, Any]:
        """Angles from 0 to pi in a new last dimension, and the log of their spacing's density."""
        scale = self._grid_scale()
        half_angles = np.linspace(0.0, 0.5 * math.pi, _NODES + 1)
        sine, cosine = (f(half_angles).astype(scale.dtype) for f in (np.sin, np.cos))
        log_weights = jnp.log(scale) - jnp.log(cosine**2 + (scale * sine) ** 2)
        return 2 * jnp.arctan2(scale * sine, cosine), log_weights

    def on_grid(self) -> _Marginal:
        """The same with a new last dimension."""
        return _Marginal(*(x[..., None] for x in self))

    def log_mass(self) -> Any:
        """Log of the integral of ``2 pi I0(k2) exp(-k2 + log_height)`` over the circle."""
        phi, log_weights = self.edges()
        ends = np.zeros(_NODES + 1, phi.dtype)
        ends[[0, -1]] = -math.log(2.0)
        terms = self.on_grid().log_height(phi) + log_weights + ends
        spacing = 2 * math.pi / _NODES  # of both halves of the circle
        constant = math.log(spacing) + math.log(2 * math.pi)
        return logsumexp(terms, axis=-1) + log_i0e(self.k2) + constant


def _draw_marginal(key: Array, marginal: _Marginal, shape: Shape) -> Any:
    """Draw the first angle, by rejection from steps above its density.

    On a cell where the height is monotone its larger end is the maximum; where a mode lies between
    the ends it exceeds them by at most an eighth of curvature times squared length.
    """
    batch_shape = np.shape(marginal.k1)
    dtype = marginal.k1.dtype
    edges, _ = marginal.edges()
    heights = marginal.on_grid().log_height(edges)
    lengths = jnp.diff(edges, axis=-1)
    slack = marginal._steepest_curvature[..., None] * lengths * lengths / 8
    bounds = jnp.maximum(heights[..., 1:], heights[..., :-1]) + slack
    cumulative = jnp.cumsum(jax.nn.softmax(bounds + jnp.log(lengths), axis=-1), axis=-1)
    # Tables of all batch elements in rows, so that a draw looks its own row up.
    tables = [x.reshape(-1, _NODES) for x in (cumulative, edges[..., :-1], lengths, bounds)]
    row = jnp.broadcast_to(np.arange(math.prod(batch_shape)).reshape(batch_shape), shape).ravel()
    own = _Marginal(*(jnp.broadcast_to(x, shape).ravel() for x in marginal))

    def propose(state: Any) -> Any:
        key, angle, pending = state
        key, key_cell, key_place, key_accept = jax.random.split(key, 4)
        cumulative, left, length, bound = tables
        u = jax.random.uniform(key_cell, row.shape, dtype)
        cell = _count_below(cumulative, row, u)
        place = jax.random.uniform(key_place, row.shape, dtype)
        proposal = left[row, cell] + place * length[row, cell]
        log_u = -jax.random.exponential(key_accept, row.shape, dtype)
        accepted = log_u <= own.log_height(proposal) - bound[row, cell]
        return key, jnp.where(pending & accepted, proposal, angle), pending & ~accepted

    key, key_sign = jax.random.split(key)
    bad = jnp.isnan(own.k1 + own.k2 + own.correlation)
    start = (key, jnp.zeros(row.shape, dtype), ~bad)
    angle = jax.lax.while_loop(lambda state: jnp.any(state[2]), propose, start)[1]
    angle = jnp.where(bad, jnp.nan, angle) * jax.random.rademacher(key_sign, row.shape, dtype)
    return angle.reshape(shape)


def _count_below(cumulative: Any, row: Any, u: Any) -> Any:
    """Index of the cell of each row's table that u falls into, by bisection."""
    low = jnp.zeros(row.shape, int)
    step = _NODES // 2
    while step:
        low = jnp.where(cumulative[row, low + step - 1] <= u, low + step, low)
        step //= 2
    return jnp.minimum(low, _NODES - 1)
