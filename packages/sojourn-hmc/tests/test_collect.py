"""`fori_collect`: what is collected, in what order, and how often it compiles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import fori_collect, hmc


def successor(x):
    return x + 1


@pytest.mark.parametrize(
    ("lower", "upper", "thinning", "size", "expected"),
    [
        (0, 4, 1, None, [1, 2, 3, 4]),
        (2, 10, 3, None, [7, 10]),
        (3, 11, 3, 4, [8, 11, 0, 0]),
        (0, 7, 2, None, [3, 5, 7]),
        (9, 10, 1, None, [10]),
        (4, 4, 1, None, []),
        (0, 2, 5, None, []),
    ],
)
@pytest.mark.parametrize("progbar", [False, True])
def test_values_count_back_from_the_last(lower, upper, thinning, size, expected, progbar):
    collected, last = fori_collect(
        lower,
        upper,
        successor,
        np.float32(0),
        progbar=progbar,
        return_last_val=True,
        collection_size=size,
        thinning=thinning,
    )
    assert collected.tolist() == expected
    assert float(last) == upper


def test_any_pytree_through_a_transform():
    def body(value):
        return {"a": value["a"] * 2, "b": (value["b"][0] + value["a"],)}

    start = {"a": np.ones(2, np.float32), "b": (np.zeros(2, np.float32),)}
    rows = fori_collect(1, 5, body, start, lambda value: value["b"][0].sum(), progbar=False)
    np.testing.assert_array_equal(rows, [6, 14, 30, 62])


def test_lengths_share_a_program(compilations):
    fori_collect(0, 500, successor, np.float32(0), progbar=False)
    before = len(compilations)
    rows = fori_collect(0, 500, successor, np.float32(5), progbar=False, progress_rate=13)
    assert len(compilations) == before
    assert rows[-1] == 505


def test_a_traced_loop_collects_the_same():
    def collect(start):
        return fori_collect(2, 9, successor, start, thinning=2)

    rows = jax.jit(jax.vmap(collect))(np.array([0.0, 10.0], np.float32))
    np.testing.assert_array_equal(rows, [[5, 7, 9], [15, 17, 19]])


def test_what_is_shown(capsys):
    fori_collect(
        0,
        50,
        successor,
        np.float32(0),
        progress_rate=25,
        progbar_desc="count",
        diagnostics_fn=lambda value: f"at {float(value):.0f}",
    )
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(" 50% 25/50") and lines[0].endswith("count: at 25")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"thinning": 0}, ValueError, "thinning must be an integer of at least 1"),
        ({"lower": 5, "upper": 4}, ValueError, "upper must be an integer of at least 5"),
        ({"collection_size": 2}, ValueError, "collection_size=2 is less than the 4 values"),
        ({"colour": "red"}, TypeError, r"no display options \['colour'\]"),
        ({"body_fun": lambda x: jnp.zeros(3)}, TypeError, "body_fun must return a value with"),
    ],
)
def test_bad_input(options, error, message):
    options = {"lower": 0, "upper": 4, "body_fun": successor, "init_val": np.float32(0)} | options
    with pytest.raises(error, match=message):
        fori_collect(**options, progbar=False)


def test_the_documented_way_with_hmc():
    init_kernel, sample_kernel = hmc(lambda z: jnp.sum(jnp.exp(z) - z), algo="NUTS")
    state = init_kernel(jnp.zeros(2), num_warmup=100, rng_key=jax.random.key(0))
    draws, last = fori_collect(
        100, 900, sample_kernel, state, lambda state: state.z, progbar=False, return_last_val=True
    )
    assert draws.shape == (800, 2) and int(last.i) == 900
    # The mean of the log of an Exponential(1); a few hundred draws are effective.
    assert abs(float(draws.mean()) + np.euler_gamma) < 5 * 1.28 / np.sqrt(400)
