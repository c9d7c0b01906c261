"""Loops that can be switched off, maps in chunks, and small questions."""

import random
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn import util


def test_control_flow_runs_as_python_where_it_is_switched_off():
    seen = []

    def body(state):
        seen.append(util.not_jax_tracer(state))
        return state + 1

    assert int(util.while_loop(lambda state: state < 3, body, 0)) == 3
    assert not any(seen)
    seen.clear()
    with util.control_flow_prims_disabled():
        assert util.while_loop(lambda state: state < 3, body, 0) == 3
        assert util.maybe_jit(body)(1) == 2
    assert seen == [True] * 4


@pytest.mark.parametrize("choice, expected", [(True, 3.0), (False, 10.0)])
def test_each_branch_has_its_operand(choice, expected):
    for switch in (util.identity, jax.jit):
        run = switch(lambda pred: util.cond(pred, 1.0, lambda x: x + 2, 5.0, lambda x: x * 2))
        assert float(run(choice)) == expected


@pytest.mark.parametrize("chunk_size", [None, 1, 4, 6, 100])
def test_chunks_give_what_a_map_gives(chunk_size):
    xs = {"a": jnp.arange(24.0).reshape(2, 3, 4), "b": jnp.arange(6.0).reshape(2, 3)}
    values = util.soft_vmap(
        lambda x: {"sum": x["a"].sum() - x["b"], "row": x["a"]}, xs, 2, chunk_size
    )
    np.testing.assert_allclose(values["sum"], xs["a"].sum(-1) - xs["b"])
    np.testing.assert_allclose(values["row"], xs["a"])
    assert util.soft_vmap(lambda x: x + 1, 1.0, batch_ndims=0) == 2.0


def test_seeds_of_python_and_numpy():
    draws = []
    for _ in range(2):
        util.set_rng_seed(7)
        draws.append((random.random(), np.random.random()))  # noqa: NPY002
    assert draws[0] == draws[1]


def test_an_optional_context():
    entered = []

    @contextmanager
    def context():
        entered.append(True)
        yield

    with util.optional(False, context()):
        pass
    assert entered == []
    with util.optional(True, context()):
        pass
    assert entered == [True]


def test_keys_are_known():
    keys = jax.random.split(jax.random.key(0), 2)
    assert util.is_prng_key(keys[0]) and util.is_prng_key(jax.random.PRNGKey(1))
    assert not util.is_prng_key(keys)
    assert not util.is_prng_key(jnp.zeros(2)) and not util.is_prng_key(None)
