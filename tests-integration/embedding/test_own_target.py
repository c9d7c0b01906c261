"""A user's own target: its arguments, its errors, and programs that new data do not recompile."""

import runpy
from pathlib import Path

import jax
import numpy as np
import pytest

from sojourn_hmc import HMC, MCMC, NUTS, Target

pytestmark = pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")

METHODS = ["parallel", "sequential", "vectorized"]
KEY = jax.random.key(3)
X = np.linspace(-1, 1, 20, dtype=np.float32)
Y = 1 + 2 * X


EXAMPLE = Path(__file__).parent / "examples" / "own_target.py"


@pytest.fixture(scope="module")
def example():
    """What is defined when the example has run."""
    return runpy.run_path(str(EXAMPLE))


@pytest.fixture(scope="module")
def regression(example):
    return example["Regression"]()


def make(target, num_chains=2, kernel=NUTS, **settings):
    settings = {"num_warmup": 60, "num_samples": 60, "progress_bar": False} | settings
    return MCMC(kernel(target), num_chains=num_chains, **settings)


def test_the_example_samples_the_known_posterior(example, require_known_posterior):
    samples = example["mcmc"].get_samples()
    require_known_posterior(samples["intercept"], samples["slope"], samples["variance"])


def test_the_class_is_a_target_without_inheriting(regression):
    assert isinstance(regression, Target)
    assert type(regression).__mro__[1:] == (object,)


@pytest.mark.parametrize("kernel", [HMC, NUTS])
def test_chain_methods_agree_and_constrain_is_applied(regression, kernel):
    drawn = []
    for method in METHODS:
        mcmc = make(regression, kernel=kernel, chain_method=method, num_warmup=5)
        mcmc.run(KEY, X, Y, extra_fields=("z.log_variance",))
        samples = mcmc.get_samples(group_by_chain=True)
        assert {site: values.shape for site, values in samples.items()} == {
            "intercept": (2, 60),
            "slope": (2, 60),
            "variance": (2, 60),
        }
        logs = mcmc.get_extra_fields(group_by_chain=True)["z.log_variance"]
        np.testing.assert_allclose(samples["variance"], np.exp(logs), rtol=1e-5)
        drawn.append(np.asarray(samples["slope"]))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_allclose(drawn[0][:, :5], drawn[2][:, :5], rtol=1e-2, atol=1e-2)


def test_new_data_of_the_same_shapes_compile_nothing(regression, compilations):
    mcmc = make(regression)
    mcmc.run(KEY, X, Y)
    first = np.asarray(mcmc.get_samples()["intercept"])
    compilations.settle().clear()
    mcmc.run(KEY, X, Y + 10)
    assert compilations.settle() == []
    assert np.asarray(mcmc.get_samples()["intercept"]).mean() > first.mean() + 5


def test_starts_may_be_given(regression):
    mcmc = make(regression)
    start = {"line": np.ones((2, 2), np.float32), "log_variance": np.zeros(2, np.float32)}
    mcmc.run(KEY, X, Y, init_params=start)
    assert mcmc.get_samples()["slope"].shape == (120,)


def test_check_refuses_before_anything_compiles(regression, compilations):
    with pytest.raises(ValueError, match=r"x and y differ in shape: \(20,\) and \(19,\)"):
        make(regression).run(KEY, X, Y[1:])
    assert compilations.settle() == []


def test_explain_completes_the_message_of_a_bad_start(regression):
    bad = Y.copy()
    bad[[4, 7]] = np.nan
    with pytest.raises(ValueError) as error:
        make(regression).run(KEY, X, bad)
    message = str(error.value)
    assert "cannot start a chain" in message
    assert "y is not finite at 2 places, first at index 4" in message


def test_the_summary_shows_what_constrain_gives(regression, capsys):
    mcmc = make(regression)
    mcmc.run(KEY, X, Y)
    mcmc.print_summary()
    table = capsys.readouterr().out
    assert all(site in table for site in ("intercept", "slope", "variance"))
    assert "log_variance" not in table


def test_a_class_that_lacks_a_method_is_refused_by_name():
    class NoExplain:
        def check(self, model_args, model_kwargs, init_params):
            pass

        def setup(self, model_args, model_kwargs, init_params):
            pass

    with pytest.raises(TypeError, match="lacks check, setup or explain"):
        NUTS(NoExplain())


def test_what_is_nested_in_a_site_is_named_by_its_place(capsys):
    """A layer's weights and biases, say: a dict of dicts and lists is summarised leaf by leaf."""

    def potential(position):
        return sum((leaf**2).sum() / 2 for leaf in jax.tree.leaves(position))

    start = {"layer": {"bias": np.zeros(2, np.float32), "weights": [np.float32(0)]}}
    mcmc = MCMC(NUTS(potential_fn=potential), num_warmup=50, num_samples=200, progress_bar=False)
    mcmc.run(KEY, init_params=start)
    mcmc.print_summary()
    table = capsys.readouterr().out
    assert all(name in table for name in ("layer.bias[0]", "layer.bias[1]", "layer.weights.0"))
