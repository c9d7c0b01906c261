"""Every kernel leaves its target invariant, with every mass matrix, on laws of every kind."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from invariance import ANY_LAW, COVARIANCE, LAWS, invariance, p_values

from sojourn_hmc import (
    HMC,
    NUTS,
    SA,
    Adaptation,
    BarkerMH,
    LowRank,
    three_stage,
    two_stage,
    two_stage_minimum_error,
)
from sojourn_hmc.sa import fit

# A mass matrix that fits no law: invariance does not depend on it, nor on a good step size.
DENSE = {"dense_mass": True, "inverse_mass_matrix": COVARIANCE.astype(np.float32)}
DIAGONAL = {"inverse_mass_matrix": np.array([0.25, 1.0, 4.0], np.float32)}
BLOCKS = {
    "inverse_mass_matrix": {
        ("y",): np.array([3.0], np.float32),
        ("x",): COVARIANCE[:2, :2].astype(np.float32),
    }
}
LOW_RANK = LowRank(
    np.array([0.5, 1.0, 2.0], np.float32),
    np.array([[0.6], [0.8], [0.0]], np.float32),
    np.array([3.0], np.float32),
)


def relativistic(inverse_mass_matrix, momentum):
    scaled = inverse_mass_matrix * jnp.append(momentum["x"], momentum["y"]) ** 2
    return jnp.sum(jnp.sqrt(1 + scaled))


def light_tailed(inverse_mass_matrix, momentum):
    scaled = inverse_mass_matrix * jnp.append(momentum["x"], momentum["y"]) ** 2
    return 0.25 * jnp.sum(scaled**2)


# Settings so coarse that many proposals are refused.
KERNELS = {
    "nuts-diagonal": lambda: NUTS(ANY_LAW, step_size=0.8, max_tree_depth=4, **DIAGONAL),
    "nuts-dense": lambda: NUTS(ANY_LAW, step_size=0.8, max_tree_depth=4, **DENSE),
    "nuts-blocks": lambda: NUTS(ANY_LAW, step_size=0.8, max_tree_depth=4, **BLOCKS),
    "nuts-low-rank": lambda: NUTS(
        ANY_LAW, max_tree_depth=4, warmup="low_rank", adaptation=Adaptation(0.8, LOW_RANK)
    ),
    "nuts-two-stage": lambda: NUTS(
        ANY_LAW, step_size=1.6, max_tree_depth=3, integrator=two_stage, **DIAGONAL
    ),
    "nuts-three-stage": lambda: NUTS(
        ANY_LAW, step_size=2.8, max_tree_depth=3, integrator=three_stage, **DIAGONAL
    ),
    "nuts-relativistic": lambda: NUTS(
        ANY_LAW, step_size=1.3, max_tree_depth=4, kinetic_fn=relativistic, **DIAGONAL
    ),
    "hmc-light-tailed": lambda: HMC(
        ANY_LAW, step_size=0.5, num_steps=3, kinetic_fn=light_tailed, **DIAGONAL
    ),
    "hmc-two-stage": lambda: HMC(
        ANY_LAW, step_size=1.6, num_steps=2, integrator=two_stage_minimum_error, **DIAGONAL
    ),
    "hmc-diagonal": lambda: HMC(ANY_LAW, step_size=0.8, num_steps=3, **DIAGONAL),
    "hmc-dense": lambda: HMC(ANY_LAW, step_size=0.8, trajectory_length=2.0, **DENSE),
    "barker-diagonal": lambda: BarkerMH(ANY_LAW, step_size=1.5, **DIAGONAL),
    "barker-dense": lambda: BarkerMH(ANY_LAW, step_size=1.5, **DENSE),
    "barker-bimodal": lambda: BarkerMH(ANY_LAW, step_size=1.0, noise="bimodal", **DENSE),
    "sa-dense": lambda: SA(ANY_LAW, adapt_state_size=6),
    "sa-diagonal": lambda: SA(ANY_LAW, adapt_state_size=4, dense_mass=False),
}


def with_exact_momentum(kernel):
    """How a chain begins whose momentum is exact too, by the quantiles of one component."""
    grid = np.linspace(-40, 40, 100_001)
    as_momentum = jax.vmap(
        lambda r: kernel.kinetic_fn(1.0, {"x": jnp.array([r, 0.0]), "y": jnp.zeros(())})
    )
    law = np.cumsum(np.exp(-np.asarray(as_momentum(grid.astype(np.float32)), float)))
    law /= law[-1]
    inside = (law > 1e-9) & (law < 1 - 1e-9)
    quantiles, values = (np.asarray(x[inside], np.float32) for x in (law, grid))

    def first_state(key, draws, model_args):
        state = kernel.init(key, 0, draws, model_args, {})
        uniforms = jax.random.uniform(jax.random.fold_in(key, 12345), (3,))
        scaled = jnp.interp(uniforms, quantiles, values)
        r = scaled / jnp.sqrt(state.adapt_state.inverse_mass_matrix)
        return state._replace(r={"x": r[:2], "y": r[2]})

    return first_state


def set_of_points(kernel):
    """How a chain of SA begins whose points are exact draws, all of them."""

    def first_state(key, draws, model_args):
        one = jax.tree.map(lambda leaf: leaf[0], draws)
        state = kernel.init(key, 0, one, model_args, {})
        points = jnp.concatenate([draws["x"], draws["y"][:, None]], -1)
        energies = jax.vmap(ANY_LAW.setup(model_args, {}, None).potential)(draws)
        adapt_state = state.adapt_state._replace(zs=points, pes=energies)
        loc, factor = fit(points, kernel.dense_mass)
        return state._replace(
            adapt_state=adapt_state._replace(loc=loc, inv_mass_matrix_sqrt=factor)
        )

    return first_state


@functools.cache
def outcomes(kernel):
    """One program moves the chains of all laws."""
    kernel = KERNELS[kernel]()
    if getattr(kernel, "kinetic_fn", None) is not None:
        return invariance(kernel, first_state=with_exact_momentum(kernel))
    if not isinstance(kernel, SA):
        return invariance(kernel)
    return invariance(
        kernel,
        num_transitions=12,
        draws_per_chain=(kernel.adapt_state_size,),
        first_state=set_of_points(kernel),
    )


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_exact_draws_stay_exact(kernel, law):
    outcome = outcomes(kernel)[law]
    assert outcome.moved > 0.5, "chains that stand still keep any law"
    assert outcome.accept_prob < 0.97, "too fine to test what is done with a refusal"
    assert outcome.smallest_p_value > 1e-4, outcome.p_values


@pytest.mark.parametrize("law", LAWS)
def test_the_laws_are_what_they_say(law):
    """The potential is the density of the draws, and draws pass the comparison."""
    law = LAWS[law]
    flat = law.draw((2,), seed=5)
    flat = np.concatenate([flat["x"], flat["y"][:, None]], -1)
    normal, step = law.to_normal(flat.astype(float)), 1e-5 * np.eye(3)
    # By the change of variables, -log density is |z|^2 / 2 + log |dq/dz|, up to one constant.
    energy = [
        z @ z / 2
        + np.linalg.slogdet((law.from_normal(z + step) - law.from_normal(z - step)) / 2e-5)[1]
        for z in normal
    ]
    potential = [float(law.flat_potential(jnp.asarray(q))) for q in flat]
    assert np.diff(potential) == pytest.approx(np.diff(energy), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("law", LAWS)
def test_a_shift_of_a_twentieth_is_seen(law):
    """The comparison has the power that it is trusted for."""
    normal = np.random.default_rng(1).normal(size=(16384, 3))
    exact = p_values(LAWS[law], LAWS[law].from_normal(normal))
    assert min(exact.values()) > 1e-3
    for shifted in (normal + [0.05, 0, 0], normal * [1, 1.05, 1]):
        assert min(p_values(LAWS[law], LAWS[law].from_normal(shifted)).values()) < 1e-4
