"""Arguments, plans, placement, progress, native loops, diagnostics: the small parts."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sojourn_hmc import diagnostics
from sojourn_hmc.arguments import freeze, split, with_data
from sojourn_hmc.chunk import Plan
from sojourn_hmc.driver import Phase
from sojourn_hmc.placement import place


def test_arrays_and_floats_are_data_the_rest_is_structure():
    tree = {"n": 3, "flag": True, "name": "a", "none": None, "f": len, "x": np.ones(2), "s": 0.5}
    arguments = split(tree)
    assert [np.shape(leaf) for leaf in arguments.data] == [(), (2,)]
    rebuilt = arguments.structure.bind((1.5, "tracer"))
    assert rebuilt == {**tree, "s": 1.5, "x": "tracer"}


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (1, 1, True),
        (1, 2, False),
        (1, True, False),
        ("a", "a", True),
        (np.ones(2), np.zeros(2), True),
        (0.5, 0.7, True),
        (np.array(["a"]), np.array(["a"]), True),
        (np.array(["a"]), np.array(["b"]), False),
    ],
)
def test_structures_are_equal_if_they_are_traced_equally(a, b, equal):
    one, other = split(a).structure, split(b).structure
    assert (one == other) == equal
    assert not equal or hash(one) == hash(other)


def test_frozen_arrays_are_compared_by_value():
    x = np.arange(3.0)
    assert freeze(x).structure == freeze(
        jnp.asarray(x, jnp.float32).astype(float) * 1
    ).structure or (freeze(x).structure == freeze(x.copy()).structure)
    assert freeze(x).structure != freeze(x + 1).structure
    assert freeze(x).structure != freeze(x.astype(np.float32)).structure
    assert freeze(x).data == ()
    assert freeze(jax.random.key(0)).structure != freeze(jax.random.key(1)).structure


def scaled(arguments):
    """Run ``x * factor``, in Python twice that if the factor asks for it; say what was data."""

    def program(data):
        inputs = arguments.structure.bind(data)
        doubled = inputs["asks"] and inputs["factor"] > 1
        return inputs["x"] * inputs["factor"] * (2 if doubled else 1)

    return jax.jit(program)(arguments.data), len(arguments.data)


def test_arrays_are_constants_only_where_their_values_are_read():
    inputs = {"asks": False, "factor": jnp.float32(3), "x": np.arange(3.0, dtype=np.float32)}
    found, num_data = with_data(inputs, scaled)
    np.testing.assert_array_equal(found, [0, 3, 6])
    assert num_data == 2
    found, num_data = with_data({**inputs, "asks": True}, scaled)
    np.testing.assert_array_equal(found, [0, 6, 12])
    assert num_data == 0


def test_tracers_of_an_outer_program_stay_data():
    def outer(x, factor):
        found, num_data = with_data({"asks": True, "factor": factor, "x": x}, scaled)
        assert num_data == 1
        return found

    x = np.arange(3.0, dtype=np.float32)
    found = jax.jit(lambda x: outer(x, np.float32(3)))(x)
    np.testing.assert_array_equal(found, [0, 6, 12])
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(outer)(x, np.float32(3))


def test_other_errors_are_not_tried_again():
    tried = []

    def fails(arguments):
        tried.append(arguments)
        raise ValueError("no value of an array is missing")

    with pytest.raises(ValueError, match="no value"):
        with_data(np.ones(2), fails)
    assert len(tried) == 1


@pytest.mark.parametrize("thinning", [1, 2, 3, 7])
@pytest.mark.parametrize("first", [0, 1, 5])
@pytest.mark.parametrize("chunk", [1, 2, 4, 20])
def test_chunks_keep_what_the_whole_phase_keeps(first, thinning, chunk):
    phase = Phase("sample", 20, first, thinning)
    kept = []
    for done in range(0, 20, chunk):
        plan = phase.plan(done, min(chunk, 20 - done))
        indices = range(plan.first_kept, plan.num_transitions, plan.thinning)
        assert plan.num_kept() == len(indices)
        kept += [done + index for index in indices]
    assert kept == list(range(first, 20, thinning))
    assert phase.num_kept() == len(kept)


def test_a_plan_that_keeps_nothing():
    assert Plan(5, 5, 1).num_kept() == 0
    assert Phase("warmup", 5, 5, 1).num_kept() == 0


@pytest.mark.parametrize(
    ("method", "lanes", "batched"),
    [
        ("sequential", ((0,), (1,), (2,)), False),
        ("parallel", ((0,), (1,), (2,)), False),
        ("vectorized", ((0, 1, 2),), True),
    ],
)
def test_lanes(method, lanes, batched):
    placement = place(method, 3)
    assert placement.lanes == lanes and placement.batched == batched
    assert "3 chains" in placement.description


CASES = {
    "untouched": ("", {}, "True True"),
    "switched off": ("", {"SOJOURN_NATIVE_LOOPS": "0"}, "False False"),
    "the user's own": ("", {"XLA_FLAGS": "--xla_backend_extra_options=xla_a=1"}, "False False"),
    "other flags stay": ("", {"XLA_FLAGS": "--xla_cpu_enable_fast_math=false"}, "True True"),
    "too late": ("jax.devices();", {}, "False False"),
}


@pytest.mark.parametrize("case", CASES)
def test_native_loops(case):
    before, variables, expected = CASES[case]
    program = (
        f"import jax, os; {before} from sojourn_hmc import native_loops;"
        "print(native_loops.enable(), native_loops.is_enabled());"
        "print(os.environ.get('XLA_FLAGS', ''));"
        "print(jax.jit(lambda x: jax.lax.fori_loop(0, 9, lambda i, y: y + i, x))(1.0))"
    )
    clean = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "SOJOURN_NATIVE_LOOPS")}
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**clean, **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    status, flags, value = result.stdout.splitlines()
    assert status == expected and value == "37.0"
    assert variables.get("XLA_FLAGS", "") in flags


def test_summary_of_known_draws():
    rng = np.random.default_rng(0)
    samples = {"x": rng.normal(3.0, 2.0, (4, 1000)), "v": rng.gamma(2.0, size=(4, 1000, 2))}
    table = diagnostics.summary(samples)
    assert list(table["x"]) == ["mean", "std", "median", "5.0%", "95.0%", "n_eff", "r_hat"]
    assert table["x"]["mean"] == pytest.approx(3.0, abs=4.5 * 2 / np.sqrt(4000))
    assert table["x"]["n_eff"] == pytest.approx(4000, rel=0.15)
    assert table["v"]["r_hat"].shape == (2,)
    np.testing.assert_allclose(table["v"]["r_hat"], 1.0, atol=0.01)
    low, high = table["x"]["5.0%"], table["x"]["95.0%"]
    assert stats.norm.cdf(high, 3, 2) - stats.norm.cdf(low, 3, 2) == pytest.approx(0.9, abs=0.03)


def test_r_hat_and_effective_sample_size_see_chains_apart():
    apart = np.random.default_rng(1).normal(size=(4, 500)) + np.arange(4)[:, None]
    assert diagnostics.split_gelman_rubin(apart) > 1.3
    assert diagnostics.effective_sample_size(apart) < 20


def test_hpdi_of_an_exponential_starts_at_its_edge():
    draws = np.random.default_rng(2).exponential(size=50_000)
    low, high = diagnostics.hpdi(draws, 0.5)
    assert low < 0.01 and high == pytest.approx(np.log(2), abs=0.03)


def test_constant_and_few_draws_have_a_summary_without_warnings(capsys):
    diagnostics.print_summary({"c": np.ones((2, 100)), "few": np.ones((2, 2))})
    assert "c" in capsys.readouterr().out
