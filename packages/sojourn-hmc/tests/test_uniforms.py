"""Counter-based uniforms: uniform, and independent along counters and between seeds."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from sojourn_hmc.uniforms import seed_from_words, uniform

N = 1 << 16
THRESHOLD = 1e-4  # four kinds of test, each on a few fixed seeds


def seeds(count):
    keys = jax.random.split(jax.random.key(7), count)
    return jnp.stack([seed_from_words(key) for key in keys])


def test_uniform_along_the_counter():
    for seed in seeds(4):
        u = np.asarray(uniform(seed, jnp.arange(N)))
        assert u.min() >= 0 and u.max() < 1
        assert stats.kstest(u, "uniform").pvalue > THRESHOLD


def test_pairs_of_neighbouring_counters_are_independent():
    for seed in seeds(4):
        u = np.asarray(uniform(seed, jnp.arange(N + 1)))
        cells = (16 * u[:-1]).astype(int) * 16 + (16 * u[1:]).astype(int)
        # Overlapping pairs of independent numbers are too close to independent cells to matter.
        assert stats.chisquare(np.bincount(cells[::2], minlength=256)).pvalue > THRESHOLD


def test_neighbouring_seeds_are_independent():
    base = jnp.array([123456, 654321], jnp.uint32)
    for word in (0, 1):
        other = base.at[word].add(jnp.uint32(1))
        u, v = (np.asarray(uniform(seed, jnp.arange(N))) for seed in (base, other))
        cells = (16 * u).astype(int) * 16 + (16 * v).astype(int)
        assert stats.chisquare(np.bincount(cells, minlength=256)).pvalue > THRESHOLD


def test_the_first_numbers_of_many_seeds_are_uniform():
    many = jax.random.bits(jax.random.key(11), (N, 2), jnp.uint32)
    for counter in (0, 1, 1 << 31, 3 << 30):
        u = jax.vmap(lambda seed, c=counter: uniform(seed, jnp.uint32(c)))(many)
        assert stats.kstest(np.asarray(u), "uniform").pvalue > THRESHOLD


def test_a_pure_function_of_seed_and_counter():
    seed = seeds(1)[0]
    forward = uniform(seed, jnp.arange(10))
    backward = uniform(seed, jnp.arange(10)[::-1])
    assert (forward == backward[::-1]).all()
