"""Diagnostics against closed forms, the literature's definitions, and the table's known form."""

import jax
import numpy as np
import pytest

from sojourn_hmc import diagnostics


@pytest.fixture(scope="module")
def slow():
    """Four chains of an AR(1) process with correlation 0.8: one draw in nine counts."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4, 5000, 2))
    for t in range(1, 5000):
        x[:, t] = 0.8 * x[:, t - 1] + 0.6 * x[:, t]
    return x


@pytest.mark.parametrize("bias", [True, False])
def test_autocovariance_is_the_sum_of_products(bias):
    x = np.random.default_rng(0).normal(size=(3, 17))
    centred = x - x.mean(1, keepdims=True)
    for t, value in enumerate(diagnostics.autocovariance(x, axis=1, bias=bias).T):
        sums = (centred[:, : 17 - t] * centred[:, t:]).sum(1)
        np.testing.assert_allclose(value, sums / (17 if bias else 17 - t), atol=1e-12)
    along_other_axis = diagnostics.autocorrelation(x.T, bias=bias)
    assert along_other_axis.shape == (17, 3)
    np.testing.assert_allclose(along_other_axis[0], 1)
    np.testing.assert_allclose(
        along_other_axis.T * x.var(1)[:, None], diagnostics.autocovariance(x, 1, bias)
    )


def test_sizes_and_errors_of_a_process_with_known_ones(slow):
    """An AR(1) process with correlation r has (1 - r) / (1 + r) effective draws for each draw."""
    size = 20_000 / 9
    for estimate in (
        diagnostics.effective_sample_size(slow),
        diagnostics.effective_sample_size(slow, bias=False),
        diagnostics.ess_bulk(slow),
    ):
        assert estimate.shape == (2,)
        np.testing.assert_allclose(estimate, size, rtol=0.2)
    # The indicator of a tail is less correlated than the draws themselves.
    assert np.all(diagnostics.ess_tail(slow) > size)
    assert np.all(diagnostics.ess_tail(slow, prob=0.5) > size)
    np.testing.assert_allclose(diagnostics.mcse_mean(slow), size**-0.5, rtol=0.2)
    # The median's error comes from the signs, whose correlations are 2/pi arcsin(r**t).
    signs = 1 + 2 * np.sum(2 / np.pi * np.arcsin(0.8 ** np.arange(1, 100)))
    np.testing.assert_allclose(
        diagnostics.mcse_quantile(slow, 0.5), np.sqrt(np.pi / 2 * signs / 20_000), rtol=0.2
    )


def test_classic_r_hat_by_its_definition(slow):
    x = slow[:, :101] + np.arange(4)[:, None, None]
    within = x.var(1, ddof=1).mean(0)
    between = x.mean(1).var(0, ddof=1)
    expected = np.sqrt((within * 100 / 101 + between) / within)
    np.testing.assert_allclose(diagnostics.gelman_rubin(x), expected)
    # The middle draw of an odd number is in neither half.
    halves = np.concatenate([x[:, :50], x[:, 51:]])
    np.testing.assert_allclose(diagnostics.split_gelman_rubin(x), diagnostics.gelman_rubin(halves))


def test_rank_normalised_r_hat_sees_scales_and_heavy_tails():
    rng = np.random.default_rng(1)
    scales = rng.normal(size=(4, 1000)) * np.array([1.0, 1, 1, 3])[:, None]
    assert diagnostics.split_gelman_rubin(scales) < 1.01 < diagnostics.rhat(scales)
    heavy = rng.standard_cauchy(size=(4, 1000))
    assert diagnostics.rhat(heavy) < 1.01
    heavy[0] += 2
    assert diagnostics.rhat(heavy) > 1.05


def test_energy_information_of_a_process_with_a_known_fraction(slow):
    """Changes of an AR(1) process have the variance 2 (1 - r) of the process."""
    np.testing.assert_allclose(diagnostics.e_bfmi(slow[..., 0]), 0.4, rtol=0.1)


def test_the_shortest_interval():
    x = np.random.default_rng(2).exponential(size=(1000, 3))
    interval = diagnostics.hpdi(x, 0.8)
    assert interval.shape == (2, 3)
    np.testing.assert_allclose(interval[0], x.min(0), atol=0.01)
    np.testing.assert_allclose(interval[1], -np.log(0.2), rtol=0.1)
    np.testing.assert_array_equal(diagnostics.hpdi(x.T, 0.8, axis=1), interval.T)
    np.testing.assert_array_equal(diagnostics.hpdi(x[:, 0], 0.8), interval[:, 0])


def test_draws_that_never_change_tell_nothing():
    constant = np.stack([np.ones((2, 50)), np.random.default_rng(0).normal(size=(2, 50))], -1)
    for statistic in (
        diagnostics.ess_bulk,
        diagnostics.ess_tail,
        diagnostics.rhat,
        diagnostics.mcse_mean,
        diagnostics.split_gelman_rubin,
        diagnostics.effective_sample_size,
    ):
        values = statistic(constant)
        assert np.isnan(values[0]) and np.isfinite(values[1]), statistic


@pytest.mark.parametrize(
    ("call", "shape", "message"),
    [
        (diagnostics.gelman_rubin, (1, 10), "there is one: use split_gelman_rubin"),
        (diagnostics.split_gelman_rubin, (2, 3), "at least 4 draws, got"),
        (diagnostics.effective_sample_size, (10,), r"x\[None\]"),
        (diagnostics.e_bfmi, (4, 1), "at least 2 draws"),
    ],
)
def test_draws_of_a_wrong_shape(call, shape, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros(shape))


def test_summary_of_every_kind_of_site(slow):
    samples = {"v": slow[:, :500], "s": slow[:, :500, 0], "n": np.arange(2000).reshape(4, 500)}
    table = diagnostics.summary(samples, prob=0.5)
    assert list(table["v"]) == ["mean", "std", "median", "25.0%", "75.0%", "n_eff", "r_hat"]
    assert table["v"]["r_hat"].shape == (2,) and np.shape(table["s"]["mean"]) == ()
    assert float(table["n"]["mean"]) == 999.5
    np.testing.assert_allclose(table["v"]["std"], slow[:, :500].reshape(-1, 2).std(0, ddof=1))
    ungrouped = diagnostics.summary({"s": slow[0, :500, 0]}, group_by_chain=False)
    np.testing.assert_allclose(ungrouped["s"]["n_eff"], diagnostics.ess_bulk(slow[:1, :500, 0]))


def test_the_table_as_it_is_printed(capsys, slow):
    diagnostics.print_summary({"wide[name]": slow[:, :500], "s": slow[:, :500, 0] * 1000})
    lines = capsys.readouterr().out.split("\n")
    heading = " " * 13 + "      mean       std    median      5.0%     95.0%     n_eff     r_hat"
    assert lines[0] == "" and lines[1] == heading and lines[-2:] == ["", ""]
    assert [line[:13] for line in lines[2:5]] == ["wide[name][0]", "wide[name][1]", " " * 12 + "s"]
    mean = slow[:, :500, 0].mean()
    assert lines[2][13:23] == f"{mean:10.2f}" and lines[4][13:23] == f"{1000 * mean:10.2f}"
    diagnostics.print_summary([slow, (slow[..., 0],)])
    labels = [line[:10] for line in capsys.readouterr().out.split("\n")[2:5]]
    assert labels == ["Param:0[0]", "Param:0[1]", "   Param:1"]
    diagnostics.print_summary({})  # a model without sites


def test_jax_arrays_are_taken():
    assert diagnostics.summary({"x": jax.numpy.zeros((2, 10))})["x"]["mean"] == 0
