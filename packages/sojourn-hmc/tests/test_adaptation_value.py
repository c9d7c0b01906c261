"""What a warmup has learned as a value: saved, loaded, and given to another run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import MCMC, NUTS, Adaptation, LowRank

SCALE = jnp.array([0.1, 1.0, 10.0])


def potential(z):
    return 0.5 * jnp.sum((z["x"] / SCALE) ** 2) + 0.5 * z["y"] ** 2


def run(num_warmup, num_chains=1, start=1.0, **settings):
    mcmc = MCMC(
        NUTS(potential_fn=potential, **settings),
        num_warmup=num_warmup,
        num_samples=200,
        num_chains=num_chains,
        progress_bar=False,
    )
    shape = (num_chains,) if num_chains > 1 else ()
    init = {"x": jnp.full((*shape, 3), start), "y": jnp.full(shape, start)}
    mcmc.run(jax.random.key(0), init_params=init, extra_fields=("num_steps",))
    return mcmc


KINDS = {
    "diagonal": {},
    "dense": {"dense_mass": True},
    "blocks": {"dense_mass": [("x",)]},
    "low-rank": {"warmup": "low_rank"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_it_is_the_same(kind, tmp_path):
    learned = Adaptation.from_state(run(100, **KINDS[kind]).last_state)
    learned.save(tmp_path / "adaptation.npz")
    loaded = Adaptation.load(tmp_path / "adaptation.npz")
    assert jax.tree.structure(loaded) == jax.tree.structure(learned)
    jax.tree.map(np.testing.assert_array_equal, loaded, learned)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_with_it_without_a_warmup(kind):
    settings = KINDS[kind]
    first = run(300, **settings)
    learned = Adaptation.from_state(first.last_state)
    second = run(0, adaptation=learned, **settings)
    state = second.last_state.adapt_state
    np.testing.assert_allclose(state.step_size, learned.step_size, rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6),
        state.inverse_mass_matrix,
        learned.inverse_mass_matrix,
    )
    steps = [np.mean(mcmc.get_extra_fields()["num_steps"]) for mcmc in (first, second)]
    assert steps[1] < 2 * steps[0]


def test_a_warmup_goes_on_from_it():
    learned = Adaptation(0.5, np.array([0.01, 1.0, 100.0, 1.0]))
    for warmup in ("stan", "fisher", "low_rank"):
        mcmc = run(10, adaptation=learned, warmup=warmup)
        inverse = mcmc.last_state.adapt_state.inverse_mass_matrix
        if isinstance(inverse, LowRank):
            inverse = np.diag(inverse.dense())
        assert 20 < inverse[2] < 500, "ten transitions forget nothing of it"


def test_several_chains_are_pooled():
    state = run(200, num_chains=2).last_state
    learned = Adaptation.from_state(state)
    adapt_state = state.adapt_state
    np.testing.assert_allclose(
        learned.step_size, np.sqrt(np.prod(adapt_state.step_size)), rtol=1e-5
    )
    np.testing.assert_allclose(
        learned.inverse_mass_matrix, np.mean(adapt_state.inverse_mass_matrix, 0), rtol=1e-5
    )


def test_several_matrices_of_low_rank_have_no_mean():
    state = run(50, num_chains=2, warmup="low_rank").last_state
    with pytest.raises(ValueError, match="the state of one"):
        Adaptation.from_state(state)
    one = Adaptation.from_state(jax.tree.map(lambda leaf: leaf[0], state))
    assert one.inverse_mass_matrix.scale.shape == (4,)


def test_clear_refusals(tmp_path):
    learned = Adaptation(0.5, np.ones(4))
    with pytest.raises(ValueError, match="not both"):
        NUTS(potential_fn=potential, adaptation=learned, inverse_mass_matrix=np.ones(4))
    low_rank = Adaptation(0.5, LowRank(np.ones(4), np.zeros((4, 1)), np.ones(1)))
    with pytest.raises(ValueError, match="cannot go on from a mass matrix of low rank"):
        run(100, adaptation=low_rank)
    run(100, adaptation=low_rank, adapt_mass_matrix=False)
    np.savez(tmp_path / "other.npz", x=np.ones(2))
    with pytest.raises(ValueError, match=r"not what Adaptation\.save writes"):
        Adaptation.load(tmp_path / "other.npz")
