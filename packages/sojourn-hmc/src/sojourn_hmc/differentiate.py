"""A potential becomes a function of one flat vector that gives value and gradient together."""

from collections.abc import Callable

import jax

Gradient = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


def value_and_gradient(
    potential: Callable[[jax.Array], jax.Array], forward_mode: bool = False
) -> Gradient:
    """Differentiate ``potential`` once for use everywhere.

    Parameters
    ----------
    potential : Callable
        Maps a flat unconstrained position of shape ``(D,)`` to a scalar.
    forward_mode : bool
        Use forward-mode differentiation, which costs ``D`` passes but can go through
        ``lax.while_loop``.

    Returns
    -------
    Callable
        Maps ``(D,)`` to ``(potential energy (), gradient (D,))``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> energy, gradient = value_and_gradient(lambda q: 0.5 * jnp.sum(q**2))(jnp.arange(3.0))
    >>> energy.shape, gradient.tolist()
    ((), [0.0, 1.0, 2.0])
    """
    if not forward_mode:
        return jax.value_and_grad(potential)

    def value_with_aux(position: jax.Array) -> tuple[jax.Array, jax.Array]:
        energy = potential(position)
        return energy, energy

    def forward(position: jax.Array) -> tuple[jax.Array, jax.Array]:
        gradient, energy = jax.jacfwd(value_with_aux, has_aux=True)(position)
        return energy, gradient

    return forward
