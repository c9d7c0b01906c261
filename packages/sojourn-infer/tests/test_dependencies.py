"""Dependencies of sites follow from the arrows of the model and from what is observed."""

import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_infer.dependencies import get_dependencies
from sojourn_primitives import deterministic, factor, plate, sample

NONE: set[str] = set()


def chain():
    a = sample("a", dist.Normal(0.0, 1.0))
    b = deterministic("b", 2 * a)
    c = sample("c", dist.Delta(b))
    sample("d", dist.Normal(c, 1.0), obs=0.0)


def collider():
    a = sample("a", dist.Normal(0.0, 1.0))
    b = sample("b", dist.LogNormal(0.0, 1.0))
    c = sample("c", dist.Normal(a, b))
    sample("d", dist.Normal(c, 1.0), obs=0.0)


def plates():
    with plate("p", 5):
        a = sample("a", dist.Normal(0.0, 1.0))
        sample("b", dist.Normal(a, 1.0), obs=np.zeros(5))
    with plate("q", 3):
        c = sample("c", dist.Normal(0.0, 1.0))
    factor("f", jnp.sum(a) * jnp.sum(c))


def independent():
    sample("a", dist.Normal(0.0, 1.0))
    sample("b", dist.Normal(0.0, 1.0))


@pytest.mark.parametrize(
    "model, prior, posterior",
    [
        (chain, {"a": ["a"], "d": ["a", "d"]}, {"a": {"a": NONE, "d": NONE}}),
        (
            collider,
            {"a": ["a"], "b": ["b"], "c": ["a", "b", "c"], "d": ["c", "d"]},
            {
                "a": {"a": NONE, "b": NONE, "c": NONE},
                "b": {"b": NONE, "c": NONE},
                "c": {"c": NONE, "d": NONE},
            },
        ),
        (
            plates,
            {"a": ["a"], "b": ["a", "b"], "c": ["c"], "f": ["a", "c", "f"]},
            {
                "a": {"a": {"p"}, "b": NONE, "c": NONE, "f": NONE},
                "c": {"c": {"q"}, "f": NONE},
            },
        ),
        (independent, {"a": ["a"], "b": ["b"]}, {"a": {"a": NONE}, "b": {"b": NONE}}),
    ],
)
def test_dependencies(model, prior, posterior):
    found = get_dependencies(model)
    assert found["prior_dependencies"] == {
        name: dict.fromkeys(others, NONE) for name, others in prior.items()
    }
    assert found["posterior_dependencies"] == posterior
