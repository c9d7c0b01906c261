"""The mean acceptance probability of the phase that a chain is in, warmup or sampling."""

import jax
import jax.numpy as jnp


def mean_of_phase(
    mean: jax.Array, accept_prob: jax.Array, index: jax.Array, num_warmup: jax.Array
) -> jax.Array:
    """Take ``accept_prob`` of transition ``index`` (from 0) into the mean, begun anew after warmup.

    Parameters
    ----------
    mean : Array
        The mean so far.
    accept_prob : Array
        What transition ``index`` reported.
    index, num_warmup : Array
        Integer scalars.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> mean = jnp.float32(0.0)
    >>> for index, accept_prob in enumerate([0.25, 0.75, 0.5, 1.0]):
    ...     mean = mean_of_phase(mean, jnp.float32(accept_prob), jnp.int32(index), jnp.int32(2))
    >>> float(mean)  # of the last two
    0.75
    """
    count = index + 1 - jnp.where(index < num_warmup, 0, num_warmup)
    # The first of a phase replaces what there was, so that a NaN does not outlive its phase.
    later = mean + (accept_prob - mean) / count.astype(mean.dtype)
    return jnp.where(count == 1, accept_prob, later)
