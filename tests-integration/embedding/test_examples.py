"""The examples of the page on embedding: one conjugate regression, written in every library."""

import numpy as np
import pytest

SIBLINGS = [
    "sojourn",
    "sojourn_distributions",
    "sojourn_gibbs",
    "sojourn_infer",
    "sojourn_parallel",
    "sojourn_primitives",
]

# For each example: the libraries that it needs, and the three quantities of its posterior:
# intercept, slope, and variance of the noise.
EXAMPLES = {
    "log_density": (
        (),
        "mcmc.get_samples()['intercept']",
        "mcmc.get_samples()['slope']",
        "jnp.exp(mcmc.get_samples()['log_variance'])",
    ),
    "pymc_density": (
        ("pymc",),
        "mcmc.get_samples()['intercept']",
        "mcmc.get_samples()['slope']",
        "mcmc.get_samples()['variance']",
    ),
    "pymc_sampler": (
        ("pymc",),
        "idata.posterior['intercept'].values.ravel()",
        "idata.posterior['slope'].values.ravel()",
        "idata.posterior['variance'].values.ravel()",
    ),
    "tfp_joint_distribution": (
        ("tensorflow_probability",),
        "mcmc.get_samples()['intercept']",
        "mcmc.get_samples()['slope']",
        "mcmc.get_samples()['variance']",
    ),
    "equinox_module": (
        ("equinox",),
        "mcmc.get_samples()[0].bias[:, 0]",
        "mcmc.get_samples()[0].weight[:, 0, 0]",
        "jnp.exp(mcmc.get_samples()[1])",
        "lines",
    ),
    "flax_module": (
        ("flax",),
        "mcmc.get_samples()['parameters']['bias'][...][:, 0]",
        "mcmc.get_samples()['parameters']['kernel'][...][:, 0, 0]",
        "jnp.exp(mcmc.get_samples()['log_variance'])",
        "lines",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_samples_the_known_posterior(name, run_example, require_known_posterior):
    libraries, *expressions = EXAMPLES[name]
    blocked = () if libraries else SIBLINGS
    printed, results = run_example(name, *expressions, libraries=libraries, blocked=blocked)
    require_known_posterior(*results[:3])
    assert "intercept" in printed or "Param:0" in printed or "parameters." in printed
    for lines in results[3:]:  # modules: the line at each x, for each draw
        intercept, slope, _ = results[:3]
        expected = intercept[:, None] + slope[:, None] * np.linspace(-1, 1, 20)
        np.testing.assert_allclose(lines, expected, rtol=1e-3, atol=1e-3)


def test_what_is_blocked_cannot_be_imported(run_example, tmp_path):
    """The control of the example that runs with `sojourn_hmc` alone."""
    program = tmp_path / "needs_a_sibling.py"
    program.write_text("import sojourn_distributions\n")
    with pytest.raises(AssertionError, match="import of sojourn_distributions halted"):
        run_example(program.with_suffix(""), blocked=SIBLINGS)
