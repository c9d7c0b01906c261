"""Terms, control variates, estimates and blocks against what can be computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import sojourn_distributions as dist
from sojourn_gibbs.ecs.blocks import block_of_slots, first_subsamples, redraw_block
from sojourn_gibbs.ecs.estimator import corrected, estimate_sum
from sojourn_gibbs.ecs.likelihood import LogLikelihood, PlateSize, examine
from sojourn_gibbs.ecs.taylor import taylor_proxy
from sojourn_infer import ModelTarget
from sojourn_primitives import factor, handlers, plate, sample, subsample

rng = np.random.default_rng(0)
ROWS = rng.normal(size=(13, 2)).astype(np.float32)
COUNTS = rng.poisson(2.0, size=(13, 3)).astype(np.float32)
TIMES = rng.exponential(size=7).astype(np.float32)
SHOWN = rng.uniform(size=13) < 0.7
WEIGHTS = rng.uniform(0.5, 2.0, size=13).astype(np.float32)
PLATES = {"rows": PlateSize(13, 5), "times": PlateSize(7, 3)}


def model(whole=False):
    """Two subsampled plates; sites in an order that is not the alphabet's; scales and masks."""
    slope = sample("slope", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
    rate = sample("rate", dist.Gamma(2.0, 1.0))
    base = sample("base", dist.Normal(0.0, 2.0))
    with plate("rows", 13, subsample_size=13 if whole else 5, dim=-2):
        x = subsample(ROWS[:, None, :], event_dim=1)
        counts = subsample(COUNTS, event_dim=0)
        shown = subsample(SHOWN[:, None], event_dim=0)
        weights = subsample(WEIGHTS[:, None], event_dim=0)
        log_mean = base + jnp.sum(x * slope, -1)
        with plate("columns", 3, dim=-1):
            with handlers.scale(scale=weights), handlers.mask(mask=shown):
                sample("counts", dist.Poisson(jnp.exp(log_mean)), obs=counts)
            factor("ridge", -0.1 * jnp.sum((x - base) ** 2, -1) * jnp.ones(3))
    with handlers.scale(scale=0.5), plate("times", 7, subsample_size=7 if whole else 3):
        sample("times_seen", dist.Exponential(rate), obs=subsample(TIMES, event_dim=0))
    sample("one more", dist.Normal(base, rate), obs=0.3)


def row_terms(position):
    """The terms of all rows, written down once more."""
    x = ROWS.astype(float)
    log_mean = position["base"] + x @ position["slope"]
    factorials = jax.scipy.special.gammaln(COUNTS + 1.0)
    poisson = COUNTS * log_mean[:, None] - jnp.exp(log_mean)[:, None] - factorials
    seen = jnp.where(SHOWN[:, None], WEIGHTS[:, None] * poisson, 0.0)
    return seen.sum(1) - 0.3 * ((x - position["base"]) ** 2).sum(1)


def time_terms(position):
    return 0.5 * (position["rate"] - jnp.exp(position["rate"]) * TIMES)  # rate is log(rate)


POSITION = {
    "slope": jnp.array([0.3, -0.4]),
    "rate": jnp.array(0.2),
    "base": jnp.array(0.5),
}
INDICES = {"rows": jnp.array([3, 3, 12, 0, 7]), "times": jnp.array([6, 1, 1])}
LIKELIHOOD = LogLikelihood(model, (), {})


def test_plates_and_terms_are_those_of_the_data():
    assert examine(model, (), {}).plates == PLATES
    terms = jax.jit(LIKELIHOOD.terms)(INDICES, POSITION)
    np.testing.assert_allclose(terms["rows"], row_terms(POSITION)[INDICES["rows"]], rtol=1e-5)
    np.testing.assert_allclose(terms["times"], time_terms(POSITION)[INDICES["times"]], rtol=1e-5)


def test_terms_and_the_rest_make_the_density_of_all_data():
    outside = jax.jit(lambda z: LIKELIHOOD.split(INDICES, z).outside)(POSITION)
    potential = jax.jit(ModelTarget(model).setup((True,), {}).potential)(POSITION)
    log_likelihood = row_terms(POSITION).sum() + time_terms(POSITION).sum()
    np.testing.assert_allclose(outside + log_likelihood, -potential, rtol=1e-5)


@pytest.mark.parametrize("degree", [1, 2])
def test_the_reference_sums_derivatives_over_all_data(degree, monkeypatch):
    # Two batches and a rest of either plate.
    monkeypatch.setattr("sojourn_gibbs.ecs.taylor.BATCH", 5)
    params = {"rate": 1.4, "base": 0.3, "slope": np.array([0.1, -0.2])}
    proxy = taylor_proxy(params, degree)
    reference = jax.jit(lambda: proxy.reference(LIKELIHOOD, PLATES))()
    np.testing.assert_allclose(reference.position["rate"], np.log(1.4), rtol=1e-6)
    flat, unravel = ravel_pytree(reference.position)

    def log_likelihood(flat):
        position = unravel(flat)
        return row_terms(position).sum() + time_terms(position).sum()

    np.testing.assert_allclose(
        reference.gradient, jax.jit(jax.grad(log_likelihood))(flat), rtol=1e-4
    )
    if degree == 1:
        assert reference.hessian is None
    else:
        hessian = jax.jit(jax.hessian(log_likelihood))(flat)
        np.testing.assert_allclose(reference.hessian, hessian, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("degree", [1, 2])
def test_control_variates_are_taylor_polynomials_kept_or_not(degree):
    params = {"rate": 1.4, "base": 0.3, "slope": np.array([0.1, -0.2])}

    @jax.jit
    def evaluate():
        results = []
        reference = taylor_proxy(params, degree).reference(LIKELIHOOD, PLATES)
        for keep in (True, False):
            proxy = taylor_proxy(params, degree, keep=keep)
            expansion = proxy.expand(LIKELIHOOD, reference, INDICES)
            assert (expansion is not None) == keep
            results.append(
                proxy.control_variates(LIKELIHOOD, reference, expansion, INDICES, POSITION)
            )
        return reference, *results

    reference, kept, contracted = evaluate()
    flat, unravel = ravel_pytree(reference.position)
    step = ravel_pytree(POSITION)[0] - flat
    total = 0.0
    for name, terms in (("rows", row_terms), ("times", time_terms)):

        def along(s, terms=terms):
            return terms(unravel(flat + s * step))

        first = jax.jit(jax.jacfwd(along))(0.0)
        second = jax.jit(jax.jacfwd(jax.jacfwd(along)))(0.0)
        change = first + (second / 2 if degree == 2 else 0.0)
        expected = (along(0.0) + change)[INDICES[name]]
        total += change.sum()
        np.testing.assert_allclose(kept.terms[name], expected, rtol=2e-5, atol=2e-5)
        np.testing.assert_allclose(contracted.terms[name], expected, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(kept.total, total, rtol=1e-4)
    np.testing.assert_allclose(contracted.total, total, rtol=1e-4)


def test_estimates_average_to_the_sum_and_variances_to_their_variance():
    terms = np.random.default_rng(1).gamma(0.5, size=6)
    pairs = np.stack(np.meshgrid(*[np.arange(6)] * 2)).reshape(2, -1).T  # every subsample of 2
    values, variances = jax.vmap(lambda u: estimate_sum(jnp.asarray(terms)[u], 6))(pairs)
    np.testing.assert_allclose(values.mean(), terms.sum(), rtol=1e-5)
    # The divisor m leaves a bias of (m - 1) / m.
    np.testing.assert_allclose(2 * variances.mean(), values.var(), rtol=1e-5)


def test_the_correction_makes_normal_estimates_unbiased():
    estimates = estimate_sum(jnp.array([0.1, 0.4, 0.2, 0.6]), 4)
    draws = estimates.value + jnp.sqrt(estimates.variance) * jax.random.normal(
        jax.random.key(0), (100_000,)
    )
    weights = jnp.exp(jax.vmap(lambda v: corrected(estimates._replace(value=v)))(draws))
    error = weights.std() / np.sqrt(weights.size)
    assert abs(weights.mean() - jnp.exp(estimates.value)) < 4 * error


def test_blocks_are_even_and_none_is_empty():
    for size in range(1, 12):
        for num_blocks in range(1, size + 1):
            sizes = np.bincount(block_of_slots(size, num_blocks), minlength=num_blocks)
            assert sizes.sum() == size and sizes.min() >= 1 and sizes.max() - sizes.min() <= 1


def test_a_proposal_redraws_one_block_of_each_plate_uniformly():
    old = {"rows": jnp.full(5, 100), "times": jnp.full(3, 100)}
    keys = jax.random.split(jax.random.key(3), 6000)
    new = jax.vmap(lambda key: redraw_block(PLATES, 2, key, old))(keys)
    for name, plate_size in PLATES.items():
        changed = np.asarray(new[name] != 100)
        blocks = block_of_slots(plate_size.subsample_size, 2)
        for row in changed[:50]:
            assert len(set(blocks[row])) == 1 and row.sum() == (blocks == blocks[row][0]).sum()
        drawn = np.asarray(new[name])[changed]
        counts = np.bincount(drawn, minlength=plate_size.size)
        expected = drawn.size / plate_size.size
        assert counts.size == plate_size.size
        assert np.sum((counts - expected) ** 2 / expected) < plate_size.size + 20
        assert abs(changed[:, 0].mean() - 0.5) < 4 * 0.5 / np.sqrt(6000)
    assert np.any(np.asarray(new["rows"] != 100)[:, 0] != np.asarray(new["times"] != 100)[:, 0])


def test_first_subsamples_repeat_indices_and_cover_the_plate():
    keys = jax.random.split(jax.random.key(4), 500)
    drawn = np.asarray(jax.vmap(lambda key: first_subsamples(PLATES, key))(keys)["times"])
    assert drawn.min() == 0 and drawn.max() == 6
    assert np.mean([len(set(row)) < 3 for row in drawn]) > 0.2  # 1 - 6/7 * 5/7 = 0.39
