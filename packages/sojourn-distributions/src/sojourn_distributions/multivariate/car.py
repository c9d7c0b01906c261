"""The conditional autoregressive distribution of values at neighbouring sites."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, float_dtype, is_concrete, namespace
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.adjacency import SparseAdjacency, adjacency_complaint
from sojourn_distributions.multivariate.cholesky import log_diagonal, solve_factor
from sojourn_distributions.parameters import derived_parameter

__all__ = ["CAR"]

Shape = tuple[int, ...]

_LOG_2PI = math.log(2 * math.pi)


class CAR(Distribution):
    """Normal distribution of precision ``tau (D - rho W)`` over sites with adjacency matrix W.

    D is the diagonal matrix of the rows' sums. Given its neighbours a site is normal around
    ``loc_i + rho sum_j W_ij (x_j - loc_j) / D_ii`` with precision ``tau D_ii`` (Besag 1974,
    "Spatial Interaction and the Statistical Analysis of Lattice Systems"). The eigenvalues of
    ``D^(-1/2) W D^(-1/2)``, found once on the host where W is concrete, give the determinant for
    any rho (Jin, Carlin & Banerjee 2005), so that a log density factors no matrix; with `is_sparse`
    it visits the edges alone, and draws come from the eigenvectors. With a traced W, a coefficient
    nearer to 1 or -1 than rounding error counts as one that is not.

    Parameters
    ----------
    loc
        Mean; shape batch_shape + event_shape, or a number for all sites.
    correlation
        The coefficient rho, between -1 and 1; shape batch_shape.
    conditional_precision
        The factor tau, positive; shape batch_shape.
    adj_matrix
        Symmetric, without negative entries, and no row all zero; shape batch_shape + event_shape +
        event_shape. With `is_sparse` one concrete matrix, also a sparse matrix of scipy.
    is_sparse
        Whether to keep the edges of the adjacency matrix instead of the whole of it.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> line = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    >>> d = dist.CAR(0.0, 0.5, 2.0, line, is_sparse=True)
    >>> print(d.precision_matrix)
    [[ 2. -1.  0.]
     [-1.  4. -1.]
     [ 0. -1.  2.]]
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "correlation": constraints.open_interval(-1, 1),
        "conditional_precision": constraints.positive,
        "adj_matrix": constraints.dependent,
    }
    support = constraints.real_vector
    reparametrized_params = ("loc", "correlation", "conditional_precision", "adj_matrix")
    pytree_aux_fields = ("is_sparse", "_sparse")

    loc: ArrayLike
    correlation: ArrayLike
    conditional_precision: ArrayLike

    def __init__(
        self,
        loc: ArrayLike,
        correlation: ArrayLike,
        conditional_precision: ArrayLike,
        adj_matrix: ArrayLike,
        *,
        is_sparse: bool = False,
        validate_args: bool | None = None,
    ) -> None:
        shape = np.shape(adj_matrix)
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ValueError(f"CAR: adj_matrix must be a square matrix, got shape {shape}")
        if is_sparse:
            if not SparseAdjacency.is_readable(adj_matrix) or len(shape) != 2:
                raise ValueError(
                    "CAR: with is_sparse=True, adj_matrix must be one concrete matrix (NumPy's or "
                    f"a sparse one of scipy), got a {type(adj_matrix).__name__} of shape {shape}; "
                    "pass is_sparse=False for traced or batched ones"
                )
            self._sparse = SparseAdjacency(adj_matrix)
        elif hasattr(adj_matrix, "tocoo"):
            raise ValueError(
                "CAR: adj_matrix is a sparse matrix; pass is_sparse=True, or a dense matrix"
            )
        self.is_sparse = bool(is_sparse)
        if np.ndim(loc) == 0:
            # In its own type: that of the weights, which may be on the host, says nothing.
            xp = namespace(loc)
            dtype = float_dtype(loc, correlation, conditional_precision)
            loc = xp.broadcast_to(xp.asarray(loc, dtype), shape[-1:])
        if np.shape(loc)[-1] != shape[-1]:
            raise ValueError(
                f"CAR: loc of shape {np.shape(loc)} does not match adj_matrix of shape {shape}"
            )
        self._set_parameters(
            validate_args,
            loc=loc,
            correlation=correlation,
            conditional_precision=conditional_precision,
            adj_matrix=adj_matrix,
        )

    def _data_fields(self) -> tuple[str, ...]:
        # The edges of a sparse matrix are static: the program is built for them.
        fields = super()._data_fields()
        return tuple(name for name in fields if name != "adj_matrix") if self.is_sparse else fields

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        if self.is_sparse or is_concrete(self.adj_matrix):
            found = adjacency_complaint(
                self._sparse.dense if self.is_sparse else np.asarray(self.adj_matrix)
            )
            if found is not None:
                raise ValueError(f"CAR distribution got invalid adj_matrix parameter: it {found}")

    def _batch_shape(self) -> Shape:
        return np.broadcast_shapes(
            np.shape(self.loc)[:-1],
            np.shape(self.correlation),
            np.shape(self.conditional_precision),
            () if self.is_sparse else np.shape(self.adj_matrix)[:-2],
        )

    def _event_shape(self) -> Shape:
        return np.shape(self.loc)[-1:]

    @derived_parameter
    def adj_matrix(self) -> Any:
        """Adjacency matrix, dense."""
        return self._sparse.dense

    @property
    def _dtype(self) -> Any:
        # Not the type of the weights, which may be integers or doubles kept on the host.
        return float_dtype(self.loc, self.correlation, self.conditional_precision)

    @property
    def _weights(self) -> Any:
        matrix = self._sparse.dense if self.is_sparse else self.adj_matrix
        return jnp.asarray(matrix, self._dtype)

    @property
    def _degrees(self) -> Any:
        if self.is_sparse:
            return self._sparse.degrees.astype(self._dtype)
        return jnp.sum(self._weights, axis=-1)

    def _trailing(self, parameter: Any) -> Any:
        return jnp.asarray(parameter, self._dtype)[..., None]

    def _eigenvalues(self) -> Any:
        """Those of the normalized matrix, in [-1, 1]; None if it is traced."""
        if self.is_sparse:
            eigenvalues = self._sparse.spectrum[0]
        elif is_concrete(self.adj_matrix):
            eigenvalues = self.__dict__.get("_host_eigenvalues")
            if eigenvalues is None:
                matrix = np.asarray(self.adj_matrix, np.float64)
                root = 1 / np.sqrt(matrix.sum(-1))
                eigenvalues = np.linalg.eigvalsh(matrix * root[..., :, None] * root[..., None, :])
                self.__dict__["_host_eigenvalues"] = eigenvalues
        else:
            return None
        return np.clip(eigenvalues, -1, 1).astype(self._dtype)

    def _normalized_factor(self) -> Any:
        """Cholesky factor of ``I - rho D^(-1/2) W D^(-1/2)``."""
        size = self.event_shape[0]
        limit = 1 - max(size, 8) * float(jnp.finfo(self._dtype).eps)
        correlation = jnp.clip(jnp.asarray(self.correlation, self._dtype), -limit, limit)
        root = 1 / jnp.sqrt(self._degrees)
        normalized = self._weights * root[..., :, None] * root[..., None, :]
        identity = np.eye(size, dtype=self._dtype)
        return jnp.linalg.cholesky(identity - correlation[..., None, None] * normalized)

    def _half_log_det(self) -> Any:
        """Half the log determinant of the precision matrix."""
        eigenvalues = self._eigenvalues()
        if eigenvalues is None:
            of_normalized = jnp.sum(log_diagonal(self._normalized_factor()), axis=-1)
        else:
            terms = jnp.log1p(-self._trailing(self.correlation) * eigenvalues)
            of_normalized = 0.5 * jnp.sum(terms, axis=-1)
        of_degrees = 0.5 * jnp.sum(jnp.log(self._degrees), axis=-1)
        of_precision = 0.5 * self.event_shape[0] * jnp.log(self.conditional_precision)
        return of_normalized + of_degrees + of_precision

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.normal(key, self.shape(sample_shape), self._dtype)
        if self.is_sparse:
            vectors = self._sparse.spectrum[1].astype(self._dtype)
            scale = jax.lax.rsqrt(1 - self._trailing(self.correlation) * self._eigenvalues())
            noise = jnp.matmul(scale * noise, vectors.T)
        else:
            noise = solve_factor(self._normalized_factor(), noise, transposed=True)
        precision = self._trailing(self.conditional_precision)
        return self.loc + noise / jnp.sqrt(precision * self._degrees)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        rest = jnp.asarray(value - self.loc)
        correlation = jnp.asarray(self.correlation, self._dtype)
        if self.is_sparse:
            # x^T (D - rho W) x as a sum of squares: (1 - |rho|) sum_i D_ii x_i^2 and, for each
            # edge, |rho| W_ij (x_i -+ x_j)^2; nothing cancels where rho is near 1.
            sign = jnp.where(correlation < 0, -1.0, 1.0).astype(self._dtype)
            edges = self._sparse
            difference = rest[..., edges.rows] - sign[..., None] * rest[..., edges.columns]
            weights = edges.weights.astype(self._dtype)
            between = jnp.sum(weights * jnp.square(difference), axis=-1)
            own = jnp.sum(self._degrees * jnp.square(rest), axis=-1)
            magnitude = sign * correlation
            squared = (1 - magnitude) * own + magnitude * between
        else:
            neighbours = jnp.squeeze(jnp.matmul(self._weights, rest[..., None]), -1)
            centered = self._degrees * rest - correlation[..., None] * neighbours
            squared = jnp.sum(rest * centered, axis=-1)
        log_normalizer = 0.5 * self.event_shape[0] * _LOG_2PI - self._half_log_det()
        return -0.5 * self.conditional_precision * squared - log_normalizer

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.loc, self.shape())

    @property
    def variance(self) -> Any:
        if self.is_sparse:
            squares = np.square(self._sparse.spectrum[1]).astype(self._dtype)
            inverse = 1 / (1 - self._trailing(self.correlation) * self._eigenvalues())
            normalized = jnp.matmul(inverse, squares.T)
        else:
            factor = self._normalized_factor()
            identity = jnp.broadcast_to(
                np.eye(*factor.shape[-2:], dtype=factor.dtype), factor.shape
            )
            inverse = solve_triangular(factor, identity, lower=True)
            normalized = jnp.sum(jnp.square(inverse), axis=-2)
        precision = self._trailing(self.conditional_precision)
        return jnp.broadcast_to(normalized / (precision * self._degrees), self.shape())

    @property
    def mode(self) -> Any:
        return self.mean

    @property
    def precision_matrix(self) -> Any:
        """Inverse of the covariance matrix, dense."""
        correlation = self._trailing(self.correlation)[..., None]
        precision = self._trailing(self.conditional_precision)[..., None]
        diagonal = self._degrees[..., None] * np.eye(self.event_shape[0], dtype=self._dtype)
        return precision * (diagonal - correlation * self._weights)

    def entropy(self) -> Any:
        entropy = 0.5 * self.event_shape[0] * (1 + _LOG_2PI) - self._half_log_det()
        return jnp.broadcast_to(entropy, self.batch_shape)
