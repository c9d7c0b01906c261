"""The search for a first step size: of the right magnitude, whatever the scale or the gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import HMC, MCMC, NUTS, velocity_verlet
from sojourn_hmc.adaptation.step_size_search import search_step_size
from sojourn_hmc.differentiate import value_and_gradient
from sojourn_hmc.mass_matrix import MassMatrix
from sojourn_hmc.phase_space import Hamiltonian
from sojourn_hmc.start import StartPoint


@pytest.fixture(scope="module")
def search():
    """Search on a normal density of 10 components and a given scale."""

    @jax.jit
    def run(scale, first, key):
        gradient = value_and_gradient(lambda q: 0.5 * jnp.sum((q / scale) ** 2))
        metric = MassMatrix.from_inverse(jnp.ones(10))
        position = scale * jnp.ones(10)
        return search_step_size(
            Hamiltonian(gradient, metric, velocity_verlet),
            StartPoint(position, *gradient(position)),
            first,
            key,
        )

    return run


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("first", [1e-6, 1.0, 1e6])
def test_it_ends_near_the_scale_from_anywhere(search, scale, first):
    for seed in range(5):
        found = float(search(jnp.float32(scale), jnp.float32(first), jax.random.key(seed)))
        assert scale / 8 < found < 4 * scale
        # It is the first one, doubled or halved.
        assert np.log2(found / first) == pytest.approx(round(np.log2(found / first)), abs=1e-4)


def test_an_energy_that_is_not_a_number_halves():
    def narrow(q):
        return jnp.sum(jnp.where(jnp.abs(q - 1) < 1e-3, q, jnp.nan))

    gradient = value_and_gradient(narrow)
    hamiltonian = Hamiltonian(gradient, MassMatrix.from_inverse(jnp.ones(2)), velocity_verlet)
    start = StartPoint(jnp.ones(2), *gradient(jnp.ones(2)))
    found = search_step_size(hamiltonian, start, jnp.float32(1.0), jax.random.key(0))
    assert 1e-4 < float(found) < 1e-2


@pytest.mark.parametrize("kernel", [NUTS, HMC])
def test_a_kernel_starts_from_it(kernel):
    potential = lambda z: 0.5 * jnp.sum((z / 1e-3) ** 2)  # noqa: E731
    state = {
        searched: kernel(potential_fn=potential, find_heuristic_step_size=searched).init(
            jax.random.key(0), 100, jnp.full(3, 1e-3)
        )
        for searched in (False, True)
    }
    assert float(state[False].adapt_state.step_size) == 1.0
    assert 1e-4 < float(state[True].adapt_state.step_size) < 1e-2
    averaging = state[True].adapt_state.ss_state
    expected = np.log(10 * state[True].adapt_state.step_size)
    assert float(averaging.shrinkage_point) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("warmup", ["stan", "fisher"])
def test_it_goes_through_loops_in_forward_mode(warmup):
    """A loop whose length is not known has no gradient in reverse mode."""

    def potential(z):
        def halve(carry):
            return carry[0] + 1, carry[1] + 0.5 * z**2 * 2.0 ** -(carry[0] + 1.0)

        return jax.lax.while_loop(lambda carry: carry[0] < 20 + 0 * z, halve, (0.0 * z, 0.0 * z))[1]

    mcmc = MCMC(
        NUTS(
            potential_fn=potential,
            forward_mode_differentiation=True,
            find_heuristic_step_size=True,
            warmup=warmup,
        ),
        num_warmup=200,
        num_samples=500,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(1), init_params=1.0)
    assert 0.7 < float(mcmc.get_samples().std()) < 1.3
