"""The multivariate normal distribution with a circulant covariance matrix."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete, namespace
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.cholesky import only_given
from sojourn_distributions.parameters import derived_parameter

__all__ = ["CirculantNormal"]

Shape = tuple[int, ...]

_LOG_2PI = math.log(2 * math.pi)


class CirculantNormal(Distribution):
    """Normal distribution on the points of a circle, of covariance that depends on distance alone.

    The Fourier transform makes a circulant matrix diagonal (Gray 2006, Toeplitz and Circulant
    Matrices: A Review, section 3), so a draw and a log density cost O(n log n) for n points.
    Exactly one of `covariance_row` and `covariance_rfft` must be given.

    Parameters
    ----------
    loc
        Mean; shape batch_shape + event_shape.
    covariance_row
        First row of the covariance matrix: symmetric about its first element and positive
        definite; shape batch_shape + event_shape. Eigenvalues that rounding has put below the
        precision of the largest are taken to be there.
    covariance_rfft
        Its real Fourier transform, the eigenvalues, positive; shape
        batch_shape + (event_shape[0] // 2 + 1,).

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.CirculantNormal(np.zeros(4), covariance_row=np.array([2.0, 0.5, 0.1, 0.5]))
    >>> print(d.variance)
    [2. 2. 2. 2.]
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "covariance_row": constraints.positive_definite_circulant_vector,
        "covariance_rfft": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    reparametrized_params = ("loc", "covariance_row", "covariance_rfft")

    loc: ArrayLike

    def __init__(
        self,
        loc: ArrayLike,
        covariance_row: ArrayLike | None = None,
        covariance_rfft: ArrayLike | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if np.ndim(loc) < 1:
            raise ValueError("CirculantNormal: loc must have at least one dimension")
        matrices: dict[str, Any] = {
            "covariance_row": covariance_row,
            "covariance_rfft": covariance_rfft,
        }
        given = only_given(**matrices)
        size = np.shape(loc)[-1]
        expected = size if given == "covariance_row" else size // 2 + 1
        if np.shape(matrices[given])[-1:] != (expected,):
            raise ValueError(
                f"CirculantNormal: for loc of shape {np.shape(loc)}, {given} must have a last "
                f"dimension of {expected}, got shape {np.shape(matrices[given])}"
            )
        self._set_parameters(validate_args, loc=loc, **matrices)

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        row = self.get_args().get("covariance_row")
        if row is not None and is_concrete(row):
            row = np.asarray(row)
            if not np.allclose(row[..., 1:], row[..., :0:-1], rtol=1e-5, atol=1e-6):
                raise ValueError(
                    "CirculantNormal distribution got invalid covariance_row parameter: element i "
                    f"must equal element n - i, but covariance_row = {row}"
                )

    def _event_shape(self) -> Shape:
        return np.shape(self.loc)[-1:]

    @derived_parameter
    def covariance_rfft(self) -> Any:
        """Eigenvalues of the covariance matrix that the real Fourier transform keeps."""
        row = self.get_args()["covariance_row"]
        xp = namespace(row)
        spectrum = xp.fft.rfft(row).real.astype(self._dtype)
        floor = float(jnp.finfo(self._dtype).eps) * xp.max(spectrum, axis=-1, keepdims=True)
        return xp.maximum(spectrum, floor)

    @derived_parameter
    def covariance_row(self) -> Any:
        """First row of the covariance matrix."""
        return jnp.fft.irfft(jnp.asarray(self.covariance_rfft), self.event_shape[0])

    @property
    def covariance_matrix(self) -> Any:
        """Covariance matrix, dense."""
        index = np.arange(self.event_shape[0])
        distance = (index[:, None] - index) % self.event_shape[0]
        return jnp.asarray(self.covariance_row)[..., distance]

    @property
    def _multiplicity(self) -> Any:
        """How many eigenvalues of the matrix each one that is kept stands for."""
        size = self.event_shape[0]
        multiplicity = np.full(size // 2 + 1, 2.0)
        multiplicity[0] = 1
        if size % 2 == 0:
            multiplicity[-1] = 1
        return multiplicity.astype(self._dtype)

    def _log_det(self) -> Any:
        return jnp.sum(self._multiplicity * jnp.log(self.covariance_rfft), axis=-1)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.normal(key, self.shape(sample_shape), self._dtype)
        waves = jnp.fft.rfft(noise) * jnp.sqrt(self.covariance_rfft)
        return self.loc + jnp.fft.irfft(waves, self.event_shape[0])

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        waves = jnp.fft.rfft(value - self.loc, norm="ortho")
        power = jnp.square(waves.real) + jnp.square(waves.imag)
        squared = jnp.sum(self._multiplicity * power / self.covariance_rfft, axis=-1)
        return -0.5 * (squared + self._log_det() + self.event_shape[0] * _LOG_2PI)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.loc, self.shape())

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(self.covariance_row[..., :1], self.shape())

    @property
    def mode(self) -> Any:
        return self.mean

    def entropy(self) -> Any:
        entropy = 0.5 * (self._log_det() + self.event_shape[0] * (1 + _LOG_2PI))
        return jnp.broadcast_to(entropy, self.batch_shape)
