"""Control variates from the Taylor expansion of the log likelihood terms about a reference.

Source: Bardenet, Doucet and Holmes 2017, "On Markov chain Monte Carlo methods for tall data". With
``e`` the unconstrained position less the reference,

    q_i = l_i + g_i . e + e . H_i e / 2

where value, gradient and Hessian of the term ``i`` are taken at the reference. Their sums over all
data are one number, a vector and a matrix, so that the sum of all ``q_i`` costs nothing.

Invariant: the expansion that a state keeps is that of its indices, whatever was accepted before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from sojourn_gibbs.ecs.estimator import ControlVariates
from sojourn_gibbs.ecs.likelihood import Indices, LogLikelihood, Plates, PlateSize, Terms
from sojourn_gibbs.ecs.requirements import require_reference, require_terms
from sojourn_infer.unconstrain import unconstrained_values
from sojourn_primitives import Message, Trace

BATCH = 4096
"""Data whose derivatives are held at the same time while the sums over all data are computed."""


class Reference(NamedTuple):
    """The reference, and the sums over all data of all plates there.

    Attributes
    ----------
    position : dict
        Unconstrained values of the latent sites.
    gradient : Array
        ``(D,)``, of the log likelihood.
    hessian : Array or None
        ``(D, D)``; None in an expansion of degree 1.
    """

    position: dict[str, jax.Array]
    gradient: jax.Array
    hessian: jax.Array | None


class TaylorOneProxyState(NamedTuple):
    """Expansion of degree 1 of the terms of each plate's subsample, at the reference.

    Attributes
    ----------
    ref_subsample_log_liks : dict
        Values, ``(m,)`` for each plate.
    ref_subsample_log_lik_grads : dict
        Gradients in the flat unconstrained position, ``(m, D)``.
    """

    ref_subsample_log_liks: Terms
    ref_subsample_log_lik_grads: dict[str, jax.Array]


class TaylorTwoProxyState(NamedTuple):
    """Expansion of degree 2 of the terms of each plate's subsample, at the reference.

    Attributes
    ----------
    ref_subsample_log_liks : dict
        Values, ``(m,)`` for each plate.
    ref_subsample_log_lik_grads : dict
        Gradients in the flat unconstrained position, ``(m, D)``.
    ref_subsample_log_lik_hessians : dict
        Hessians, ``(m, D, D)``.
    """

    ref_subsample_log_liks: Terms
    ref_subsample_log_lik_grads: dict[str, jax.Array]
    ref_subsample_log_lik_hessians: dict[str, jax.Array]


ProxyState = TaylorOneProxyState | TaylorTwoProxyState | None


class TaylorProxy:
    """Taylor expansion of the log likelihood about a reference; made by `taylor_proxy`.

    Parameters
    ----------
    reference_params : dict
        Value of every latent site, in its own (constrained) space.
    degree : int
        1 or 2.
    keep : bool
        Whether a state keeps the expansion of its subsample, see `taylor_proxy`.
    """

    def __init__(self, reference_params: Mapping[str, Any], degree: int, keep: bool):
        self.reference_params = reference_params
        self.degree = degree
        self.keep = keep

    def check(self, trace: Trace, plates: Plates) -> None:
        """Raise if a model, by its abstract trace, has no such expansion.

        Raises
        ------
        ValueError
            If a latent site is discrete or stands in a subsampled plate, data stand in two
            subsampled plates or none do, or the reference does not fit the latent sites.
        """
        require_terms(trace, plates)
        require_reference(trace, self.reference_params)

    def reference(self, likelihood: LogLikelihood, plates: Plates) -> Reference:
        """Sum the derivatives at the reference over all data, in batches of bounded size."""
        values = {name: jnp.asarray(value, float) for name, value in self.reference_params.items()}

        def value(site: Message) -> jax.Array:
            assert site["name"] is not None
            return values[site["name"]]

        position = unconstrained_values(
            likelihood.model,
            likelihood.args,
            likelihood.kwargs,
            jax.random.key(0),  # for subsamples, on which no latent site depends
            value,
        )
        flat, unravel = ravel_pytree(position)
        size = flat.shape[0]
        total = [jnp.zeros(size, flat.dtype)]
        if self.degree == 2:
            total.append(jnp.zeros((size, size), flat.dtype))
        for plate in plates:

            def one_batch(
                flat: jax.Array, indices: jax.Array, counted: jax.Array, plate: Any = plate
            ) -> jax.Array:
                terms = _terms_of_plate(likelihood, plates, plate, indices, unravel(flat))
                return jnp.sum(jnp.where(counted, terms, 0))

            derivatives = [jax.grad(one_batch), jax.hessian(one_batch)][: self.degree]
            sums = _sum_over_plate(plates[plate], derivatives, flat)
            total = jax.tree.map(jnp.add, total, sums)
        return Reference(position, total[0], total[1] if self.degree == 2 else None)

    def expand(
        self, likelihood: LogLikelihood, reference: Reference, indices: Indices
    ) -> ProxyState:
        """Expand the terms of a subsample; None if they are contracted anew at every position."""
        flat, unravel = ravel_pytree(reference.position)
        if not self.keep:
            return None

        def terms(flat: jax.Array) -> Terms:
            return likelihood.terms(indices, unravel(flat))

        values, gradients = terms(flat), jax.jacfwd(terms)(flat)
        if self.degree == 1:
            return TaylorOneProxyState(values, gradients)
        return TaylorTwoProxyState(values, gradients, jax.jacfwd(jax.jacfwd(terms))(flat))

    def control_variates(
        self,
        likelihood: LogLikelihood,
        reference: Reference,
        expansion: ProxyState,
        indices: Indices,
        position: dict[str, jax.Array],
    ) -> ControlVariates:
        """Evaluate the expansion at a position.

        The sum of all control variates at the reference is left out of their total: in single
        precision that constant would swamp what depends on the position.

        Parameters
        ----------
        likelihood : LogLikelihood
            Of the model.
        reference, expansion
            From `reference` and from `expand`.
        indices : dict
            Those that were expanded.
        position : dict
            Unconstrained values of the latent sites.
        """
        at_reference, unravel = ravel_pytree(reference.position)
        step = (ravel_pytree(position)[0] - at_reference).astype(at_reference.dtype)
        total = step @ reference.gradient
        if reference.hessian is not None:
            total = total + step @ (reference.hessian @ step) / 2
        if expansion is not None:
            return ControlVariates(total, _evaluate(expansion, step))

        def slope(flat: jax.Array) -> tuple[Terms, Terms]:
            return jax.jvp(lambda at: likelihood.terms(indices, unravel(at)), (flat,), (step,))

        if self.degree == 1:
            values, slopes = slope(at_reference)
            return ControlVariates(total, jax.tree.map(jnp.add, values, slopes))
        (values, slopes), (_, curvatures) = jax.jvp(slope, (at_reference,), (step,))
        return ControlVariates(
            total, jax.tree.map(lambda a, b, c: a + b + c / 2, values, slopes, curvatures)
        )


def taylor_proxy(
    reference_params: Mapping[str, Any], degree: int = 2, *, keep: bool = False
) -> TaylorProxy:
    """Control variates for `HMCECS` from a Taylor expansion about a reference.

    Derivatives of the log likelihood at the reference are summed over all data once, at the start
    of a chain, in batches. Then a step costs what the subsample costs. The expansion is made in the
    unconstrained space, and it is good where the posterior is: take the posterior's mode for the
    reference, or a draw from near it.

    Parameters
    ----------
    reference_params : dict
        Value of every latent site of the model, in its own (constrained) space.
    degree : int
        1 for gradients; 2, by default, for Hessians too, which costs more and needs far fewer data
        in a subsample.
    keep : bool
        Whether a chain keeps the expansion of its subsample, ``(m, D, D)`` numbers that each new
        subsample computes once, or applies it at each step to the direction from the reference,
        which forms no matrix but evaluates the likelihood a few times more. Keep it where the
        likelihood is dear and parameters are few.

    Returns
    -------
    TaylorProxy
        What `HMCECS` takes as ``proxy``.

    Raises
    ------
    TypeError
        If ``reference_params`` is no dict.
    ValueError
        If the degree is neither 1 nor 2. Whether the reference fits the model is checked when a run
        starts.

    Examples
    --------
    >>> from sojourn_gibbs import HMCECS
    >>> proxy = HMCECS.taylor_proxy({"x": 1.0}, degree=1)
    """
    if not isinstance(reference_params, Mapping):
        raise TypeError(
            "taylor_proxy: reference_params must be a dict of (constrained) values by latent site, "
            f"got {reference_params!r}. Take the posterior's mode, or a draw of a short run"
        )
    if isinstance(degree, bool) or degree not in (1, 2):
        raise ValueError(
            f"taylor_proxy: degree must be 1 (gradients) or 2 (Hessians too), got {degree!r}"
        )
    return TaylorProxy(reference_params, int(degree), keep)


def _evaluate(expansion: TaylorOneProxyState | TaylorTwoProxyState, step: jax.Array) -> Terms:
    values, gradients = expansion[:2]
    terms = {name: values[name] + gradients[name] @ step for name in values}
    if isinstance(expansion, TaylorOneProxyState):
        return terms
    hessians = expansion.ref_subsample_log_lik_hessians
    return {name: terms[name] + (hessians[name] @ step) @ step / 2 for name in terms}


def _terms_of_plate(
    likelihood: LogLikelihood,
    plates: Plates,
    plate: str,
    indices: jax.Array,
    position: dict[str, jax.Array],
) -> jax.Array:
    """Terms of one plate for indices ``(k, m)``; those of the other plates do not matter."""
    others = {name: jnp.zeros(other.subsample_size, jnp.int32) for name, other in plates.items()}
    return jax.vmap(lambda chosen: likelihood.terms({**others, plate: chosen}, position)[plate])(
        indices
    )


def _sum_over_plate(plate: PlateSize, derivatives: list, flat: jax.Array) -> list:
    """Sum functions of ``(flat, indices, counted)`` over a plate, batch after batch."""
    size, subsample_size = plate
    shape = (max(1, min(BATCH, size) // subsample_size), subsample_size)
    batch = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)
    num_batches = -(-size // batch.size)

    def add(total: list, number: jax.Array) -> tuple[list, None]:
        places = number * batch.size + batch
        indices = jnp.minimum(places, size - 1)
        sums = [derivative(flat, indices, places < size) for derivative in derivatives]
        return jax.tree.map(jnp.add, total, sums), None

    zeros = [jnp.zeros(flat.shape * (n + 1), flat.dtype) for n in range(len(derivatives))]
    return lax.scan(add, zeros, jnp.arange(num_batches, dtype=jnp.int32))[0]
