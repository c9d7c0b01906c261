"""Many short chains at once, and what their draws say with a standard error."""

import jax
import jax.numpy as jnp
import numpy as np


def draws_of(kernel, args=(), *, key=0, chains=400, burn=20, draws=40, warmup=0, read=None):
    """Draws of ``read(state)``, ``(chains, draws, ...)``; the sample field by default."""
    read = read or (lambda state: getattr(state, kernel.sample_field))

    def run(key):
        state = kernel.init(key, warmup, None, args, {})

        def step(state, _):
            state = kernel.sample(state, args, {})
            return state, read(state)

        state, _ = jax.lax.scan(step, state, None, burn + warmup)
        return jax.lax.scan(step, state, None, draws)[1]

    return jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(key), chains))


def assert_mean(values, expected, errors=4.0):
    """The mean of ``(chains, draws, ...)`` is what is expected, within its standard error."""
    per_chain = np.asarray(values, float).mean(1)
    error = per_chain.std(0, ddof=1) / np.sqrt(len(per_chain))
    difference = np.abs(per_chain.mean(0) - np.asarray(expected))
    assert np.all(difference <= errors * np.maximum(error, 1e-9)), (
        f"mean {per_chain.mean(0)}, expected {expected}, standard errors off: "
        f"{difference / np.maximum(error, 1e-9)}"
    )


def assert_frequencies(draws, support, probabilities, errors=4.0):
    """Each value has its probability; ``probabilities`` is ``(K, ...)``."""
    for value, probability in zip(support, probabilities, strict=True):
        assert_mean(np.asarray(draws) == value, probability, errors)
    assert np.all(np.isin(np.asarray(draws), support))


def normalized(log_density):
    """Probabilities from log densities."""
    log_density = jnp.asarray(log_density)
    return np.asarray(jnp.exp(log_density - jax.scipy.special.logsumexp(log_density)))
