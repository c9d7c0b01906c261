"""Relations, pictures and tables of shapes."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_primitives import (
    deterministic,
    factor,
    format_shapes,
    get_model_relations,
    handlers,
    param,
    plate,
    print_model,
    render_model,
    render_text,
    sample,
)
from sojourn_primitives.control_flow import scan


class Opaque:
    """A distribution that is no pytree."""

    event_shape = ()

    def __init__(self, loc, batch_shape=()):
        self.loc, self.batch_shape = loc, batch_shape

    def __call__(self, rng_key, sample_shape=()):
        return self.loc + jax.random.normal(rng_key, self.batch_shape)

    def expand(self, batch_shape):
        return Opaque(self.loc, batch_shape)

    def mask(self, mask):
        return self


@pytest.fixture
def model(normal):
    def hierarchical(data):
        m = sample("m", normal())
        scale = param("scale", 1.0, constraint="positive")
        unused = param("unused", np.ones(2))
        sd = sample("sd", normal(m, scale))
        ratio = deterministic("ratio", m / sd)
        with plate("groups", 2, dim=-2):
            group = sample("group", Opaque(ratio))
            with plate("rows", len(data)):
                y = sample("y", normal(group, jnp.abs(sd)), obs=data)
        factor("soft", -y.sum())
        return unused

    return hierarchical


DATA = np.zeros(3, np.float32)


def test_relations(model):
    assert get_model_relations(model, (DATA,)) == {
        "sample_sample": {
            "m": [],
            "sd": ["m"],
            "ratio": ["m", "sd"],
            "group": ["ratio"],
            "y": ["sd", "group"],
            "soft": ["y"],
        },
        "sample_param": {
            "m": [],
            "sd": ["scale"],
            "ratio": [],
            "group": [],
            "y": [],
            "soft": [],
        },
        "sample_dist": {
            "m": "NormalByHand",
            "sd": "NormalByHand",
            "ratio": "Deterministic",
            "group": "Opaque",
            "y": "NormalByHand",
            "soft": "Unit",
        },
        "param_constraint": {"scale": "positive", "unused": ""},
        "plate_sample": {"groups": ["group", "y"], "rows": ["y"]},
        "observed": ["y", "soft"],
    }


def test_relations_of_scanned_sites(normal):
    def model(data):
        drift = sample("drift", normal())
        other = sample("other", normal())

        def step(x, y):
            x = sample("x", normal(x + drift))
            sample("y", normal(x), obs=y)
            return x, None

        last, _ = scan(step, 0.0, data)
        sample("after", normal(last, jnp.abs(other)))

    relations = get_model_relations(model, model_kwargs={"data": DATA})
    assert relations["sample_sample"] == {
        "drift": [],
        "other": [],
        "x": ["drift", "x"],
        "y": ["x"],
        "after": ["other", "x"],
    }


def test_render_text(model):
    assert render_text(model, (DATA,)).splitlines() == [
        "scale param positive",
        "unused param",
        "m ~ NormalByHand()",
        "sd ~ NormalByHand(scale, m)",
        "ratio = Deterministic(m, sd)",
        "soft ~ Unit(y), observed",
        "plate groups:",
        "  group ~ Opaque(ratio)",
        "  plate rows:",
        "    y ~ NormalByHand(sd, group), observed",
    ]


def test_render_model(model):
    pytest.importorskip("graphviz")
    plain = render_model(model, (DATA,)).source
    for edge in ("m -> sd", "sd -> y", "group -> y"):
        assert f"\t{edge}\n" in plain
    assert "m -> y" not in plain
    assert plain.index("cluster_groups") < plain.index("cluster_groups/rows") < plain.index("\ty [")
    assert "scale" not in plain
    full = render_model(model, (DATA,), render_distributions=True, render_params=True).source
    assert "\tscale -> sd\n" in full
    assert "y ~ NormalByHand(sd, group), observed" in full


def test_render_model_without_graphviz(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r"sojourn-primitives\[graphviz\].*render_text"):
        render_model(model, (DATA,))


def test_format_shapes(model):
    trace = handlers.trace(handlers.seed(model, 0)).get_trace(DATA)
    assert format_shapes(trace, compute_log_prob=lambda site: site["name"] == "y").splitlines() == [
        "Trace Shapes:",
        " Param Sites:",
        "        scale",
        "       unused   2",
        "Sample Sites:",
        "       m dist     |",
        "        value     |",
        "      sd dist     |",
        "        value     |",
        " groups plate   2 |",
        "   group dist 2 1 |",
        "        value 2 1 |",
        "   rows plate   3 |",
        "       y dist 2 3 |",
        "        value   3 |",
        "     log_prob 2 3 |",
        "    soft dist     | 0",
        "        value     | 0",
    ]
    short = format_shapes(trace, title="T", last_site="m").splitlines()
    assert short[0].strip() == "T"
    assert short[-1] == "        value |"
    with pytest.raises(ValueError, match=r"last_site 'z' is no site"):
        format_shapes(trace, last_site="z")


def test_print_model_computes_nothing(model, capsys):
    print_model(model, data=DATA)
    printed = capsys.readouterr().out
    assert printed.startswith("hierarchical:")
    assert "y dist 2 3 |" in printed
