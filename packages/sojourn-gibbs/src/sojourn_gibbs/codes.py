"""Discrete values as integer codes, and the candidates that a code may be exchanged for.

An element whose support can be listed has the index of its value as its code, and all indices are
candidates. An element with any other integer support is its own code; its candidates are a window

    code + stride * (0 - offset), ..., code + stride * (W - 1 - offset)

with ``offset`` uniform over the window and ``stride`` a power of two, uniform up to one that makes
the window as wide as the prior's bulk. Invariant: each candidate of a window would have offered the
same window with the same probability, so a move that is reversible among the candidates leaves the
target unchanged; values outside of the support have density zero and are never taken.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_gibbs.latents import Latent

WINDOW = 16
LARGEST_DOUBLING = 20  # of a stride
UNKNOWN_DOUBLING = 8  # where the prior does not tell its variance
BULK = 4.0  # standard deviations that a window is to span


class Candidates(NamedTuple):
    """What elements may be exchanged for.

    Attributes
    ----------
    codes : Array
        ``(..., K)``.
    allowed : Array
        Which of them are codes at all, ``(..., K)``.
    current : Array
        Index of the present code among them, ``(...)``.
    """

    codes: jax.Array
    allowed: jax.Array
    current: jax.Array


class Coding(NamedTuple):
    """The code of some discrete sites: all their elements one after the other, ``(N,)`` integers.

    Attributes
    ----------
    sites : tuple of Latent
        The sites.
    """

    sites: tuple[Latent, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return sum(math.prod(site.shape) for site in self.sites)

    @property
    def has_windows(self) -> bool:
        """Whether the support of some site cannot be listed."""
        return any(site.support is None for site in self.sites)

    @property
    def num_candidates(self) -> int:
        """The most candidates of an element."""
        return max(WINDOW if s.support is None else len(s.support) for s in self.sites)

    def encode(self, values: dict[str, Any]) -> jax.Array:
        """Turn values into codes."""
        return jnp.concatenate([_encode(site, values[site.name]).ravel() for site in self.sites])

    def decode(self, codes: jax.Array) -> dict[str, jax.Array]:
        """Turn codes into values."""
        ends = np.cumsum([math.prod(site.shape) for site in self.sites])
        parts = jnp.split(codes, ends[:-1])
        return {
            site.name: _decode(site, part.reshape(site.shape))
            for site, part in zip(self.sites, parts, strict=True)
        }

    def per_element(self, number_of: Any) -> np.ndarray:
        """Repeat a number of each site for each of its elements, ``(N,)``."""
        return np.concatenate(
            [np.full(math.prod(site.shape), number_of(site), np.int32) for site in self.sites]
        )

    def candidates(
        self, key: jax.Array, codes: jax.Array, doublings: jax.Array, which: Any = slice(None)
    ) -> Candidates:
        """Say what elements may be exchanged for.

        Parameters
        ----------
        key : Array
            Decides the windows.
        codes, doublings : Array
            ``(N,)``; the latter from `doublings`.
        which
            Index of the elements that are asked for.
        """
        listed = jnp.asarray(self.per_element(_num_listed))[which][..., None]
        k = jnp.arange(self.num_candidates, dtype=codes.dtype)
        codes, doublings = codes[which], doublings[which]
        allowed = (k < listed) | ((listed == 0) & (k < WINDOW))
        if not self.has_windows:
            return Candidates(jnp.broadcast_to(k, allowed.shape), allowed, codes)
        key_stride, key_offset = jax.random.split(key)
        stride = 1 << jax.random.randint(key_stride, codes.shape, 0, doublings + 1)
        offset = jax.random.randint(key_offset, codes.shape, 0, WINDOW, codes.dtype)
        window = codes[..., None] + stride[..., None] * (k - offset[..., None])
        return Candidates(
            jnp.where(listed > 0, k, window).astype(codes.dtype),
            allowed,
            jnp.where(listed[..., 0] > 0, codes, offset),
        )

    def doublings(self, variances: dict[str, Any]) -> jax.Array:
        """How often a stride may double, for each element ``(N,)``.

        Parameters
        ----------
        variances : dict
            Prior variance of the sites whose support cannot be listed, given what they depend on;
            None where it is not known. They must not depend on the elements that are exchanged.
        """
        return jnp.concatenate(
            [
                jnp.broadcast_to(_doublings(site, variances), site.shape).ravel()
                for site in self.sites
            ]
        )


def _num_listed(site: Latent) -> int:
    return 0 if site.support is None else len(site.support)


def _doublings(site: Latent, variances: dict[str, Any]) -> jax.Array:
    if site.support is not None:
        return jnp.zeros((), jnp.int32)
    variance = variances.get(site.name)
    if variance is None:
        return jnp.full((), UNKNOWN_DOUBLING, jnp.int32)
    widest = jnp.log2(jnp.maximum(BULK / WINDOW * jnp.sqrt(variance), 1.0))
    number = jnp.clip(jnp.ceil(widest), 0, LARGEST_DOUBLING)
    return jnp.where(jnp.isfinite(number), number, UNKNOWN_DOUBLING).astype(jnp.int32)


def _is_range(support: np.ndarray) -> bool:
    return bool(np.all(support == support[0] + np.arange(len(support))))


def _encode(site: Latent, value: Any) -> jax.Array:
    if site.support is None:
        return jnp.asarray(value).astype(jnp.int32)
    if _is_range(site.support):
        return jnp.asarray(value).astype(jnp.int32) - int(site.support[0])
    equal = jnp.asarray(value)[..., None] == site.support
    return jnp.argmax(equal, axis=-1).astype(jnp.int32)


def _decode(site: Latent, codes: jax.Array) -> jax.Array:
    if site.support is None:
        return codes.astype(site.dtype)
    if _is_range(site.support):
        return (codes + int(site.support[0])).astype(site.dtype)
    return jnp.asarray(site.support, site.dtype)[codes]
