"""What HMCECS cannot sample is refused before anything compiles, with a remedy."""

import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_gibbs import HMCECS
from sojourn_infer import MCMC, NUTS, BarkerMH
from sojourn_primitives import deterministic, plate, sample, subsample

DATA = np.linspace(-1.0, 2.0, 20, dtype=np.float32)


def model(data, subsample_size=5):
    scale = sample("scale", dist.HalfNormal(1.0))
    mean = sample("mean", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
    with plate("N", data.shape[0], subsample_size=subsample_size):
        batch = subsample(data, event_dim=0)
        sample("obs", dist.Normal(mean.sum(), scale), obs=batch)


GOOD = {"scale": 1.0, "mean": np.zeros(2)}


KEY = np.array([0, 1], np.uint32)


def run(kernel, *args):
    MCMC(kernel, num_warmup=1, num_samples=1, progress_bar=False).run(KEY, *args)


def test_the_inner_kernel():
    with pytest.raises(TypeError, match="inner_kernel must be HMC or NUTS on a model"):
        HMCECS(BarkerMH(model))
    with pytest.raises(TypeError, match="inner_kernel must be HMC or NUTS on a model"):
        HMCECS(model)
    with pytest.raises(ValueError, match=r"has no model.*HMCECS\(NUTS\(model\)\)"):
        HMCECS(NUTS(potential_fn=lambda z: z["x"] ** 2))


@pytest.mark.parametrize("num_blocks", [0, -2, 1.5, "two", True])
def test_the_number_of_blocks(num_blocks):
    with pytest.raises(ValueError, match="num_blocks must be"):
        HMCECS(NUTS(model), num_blocks=num_blocks)


def test_more_blocks_than_indices(compilations):
    with pytest.raises(
        ValueError, match=r"num_blocks=6, but the subsample of plate 'N' has only 5"
    ):
        run(HMCECS(NUTS(model), num_blocks=6), DATA)
    assert not compilations


def test_no_subsampled_plate(compilations):
    with pytest.raises(ValueError, match=r"no plate of the model subsamples \(plates: \['N'\]\)"):
        run(HMCECS(NUTS(model)), DATA, 20)
    with pytest.raises(ValueError, match=r"no plate of the model subsamples \(plates: \[\]\)"):
        run(HMCECS(NUTS(lambda: sample("x", dist.Normal(0.0, 1.0)))))
    assert not compilations


def test_settings_of_the_proxy():
    for degree in (0, 3, 1.5, True, None):
        with pytest.raises(ValueError, match=r"degree must be 1 .* or 2 .* got"):
            HMCECS.taylor_proxy(GOOD, degree)
    for params in (None, [1.0], jnp.ones(3)):
        with pytest.raises(TypeError, match="reference_params must be a dict"):
            HMCECS.taylor_proxy(params)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        HMCECS.taylor_proxy()
    with pytest.raises(TypeError, match=r"proxy must come from HMCECS.taylor_proxy"):
        HMCECS(NUTS(model), proxy=lambda *args: None)


@pytest.mark.parametrize(
    "params, error, message",
    [
        ({"scale": 1.0}, ValueError, r"missing sites \['mean'\], unknown sites \[\]"),
        ({**GOOD, "sd": 1.0}, ValueError, r"missing sites \[\], unknown sites \['sd'\]"),
        (
            {**GOOD, "mean": np.zeros(3)},
            ValueError,
            r"\['mean'\] has shape \(3,\), .* shape \(2,\)",
        ),
        ({**GOOD, "scale": -1.0}, ValueError, r"\['scale'\] is not in the site's support"),
        ({**GOOD, "mean": [0.0, np.nan]}, ValueError, r"\['mean'\] is not in the site's support"),
        ({**GOOD, "scale": "one"}, TypeError, r"\['scale'\] must be numbers"),
    ],
)
def test_a_reference_that_does_not_fit(params, error, message, compilations):
    with pytest.raises(error, match=message):
        run(HMCECS(NUTS(model), proxy=HMCECS.taylor_proxy(params)), DATA)
    assert not compilations


def test_latent_sites_in_a_subsampled_plate():
    def local(data):
        with plate("N", 20, subsample_size=5):
            mean = sample("mean", dist.Normal(0.0, 1.0))
            sample("obs", dist.Normal(mean, 1.0), obs=subsample(data, event_dim=0))

    proxy = HMCECS.taylor_proxy({"mean": np.zeros(5)})
    with pytest.raises(ValueError, match="latent site 'mean' stands in the subsampled plate 'N'"):
        run(HMCECS(NUTS(local), proxy=proxy), DATA)


def test_discrete_latent_sites():
    def mixture(data):
        which = sample("which", dist.Bernoulli(0.5))
        with plate("N", 20, subsample_size=5):
            sample("obs", dist.Normal(which, 1.0), obs=subsample(data, event_dim=0))

    proxy = HMCECS.taylor_proxy({"which": 1})
    with pytest.raises(ValueError, match="latent site 'which' is discrete, and a Taylor"):
        run(HMCECS(NUTS(mixture), proxy=proxy), DATA)


def test_data_in_two_subsampled_plates():
    def crossed(data):
        mean = sample("mean", dist.Normal(0.0, 1.0))
        with plate("rows", 20, subsample_size=5, dim=-2), plate("columns", 4, subsample_size=2):
            sample("obs", dist.Normal(mean, 1.0), obs=data[:5, None] * jnp.ones(2))

    proxy = HMCECS.taylor_proxy({"mean": 0.0})
    with pytest.raises(ValueError, match=r"'obs' stands in the subsampled plates \['columns', 'r"):
        run(HMCECS(NUTS(crossed), proxy=proxy), DATA)


def test_a_subsampled_plate_without_data():
    def empty(data):
        mean = sample("mean", dist.Normal(0.0, 1.0))
        with plate("N", 20, subsample_size=5):
            subsample(data, event_dim=0)
        sample("obs", dist.Normal(mean, 1.0), obs=data[0])

    with pytest.raises(ValueError, match="nothing is observed in the subsampled plate 'N'"):
        run(HMCECS(NUTS(empty), proxy=HMCECS.taylor_proxy({"mean": 0.0})), DATA)


def test_a_reference_of_all_samples_may_have_deterministic_sites():
    def with_more(data):
        model(data)
        deterministic("more", 1.0)

    kernel = HMCECS(NUTS(with_more), proxy=HMCECS.taylor_proxy({**GOOD, "more": 3.0}))
    kernel.check((DATA,), {}, None)
