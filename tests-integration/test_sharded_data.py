"""A model whose rows lie on several devices is sampled where they are; needs two devices."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import sojourn
import sojourn.distributions as dist
from sojourn.infer import MCMC, NUTS

pytestmark = pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")


@pytest.fixture(scope="module", autouse=True)
def _two_devices():
    if jax.local_device_count() < 2:
        pytest.skip(f"needs two devices, not {jax.local_device_count()}")


def model(x, y):
    weight = sojourn.sample("weight", dist.Normal(0, 1).expand([x.shape[1]]).to_event(1))
    with sojourn.plate("rows", x.shape[0]):
        logits = sojourn.deterministic("logits", x @ weight)
        sojourn.sample("y", dist.Bernoulli(logits=logits), obs=y)


@pytest.mark.parametrize("chain_method", ["parallel", "vectorized"])
def test_rows_on_two_devices_draw_as_on_one(chain_method):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = (rng.uniform(size=60) < 1 / (1 + np.exp(-x @ np.float32([2, -1, 0])))).astype(np.float32)
    rows = NamedSharding(Mesh(np.array(jax.local_devices()[:2]), ("rows",)), PartitionSpec("rows"))
    found = []
    for data in ((x, y), jax.device_put((x, y), rows)):
        mcmc = MCMC(
            NUTS(model),
            num_warmup=0,  # adaptation would let rounding errors grow
            num_samples=10,
            num_chains=2,
            chain_method=chain_method,
            progress_bar=False,
        )
        mcmc.run(jax.random.key(1), *data)
        found.append(mcmc.get_samples(group_by_chain=True))
    text = "2 chains as one batch on the 2 devices that hold the data"
    assert text in mcmc.placement.description
    for site, values in found[0].items():
        assert values.shape == found[1][site].shape
        np.testing.assert_allclose(found[1][site][:, :5], values[:, :5], rtol=1e-2, atol=1e-3)
