"""Every public distribution, constraint and transform has its place in the documentation."""

import sys
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).parents[1] / "docs" / "_extensions"

pytestmark = pytest.mark.checkout


@pytest.fixture
def families(monkeypatch):
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    import distribution_families

    yield distribution_families
    for name in ("distribution_families", "plot_settings"):
        sys.modules.pop(name, None)


def test_every_distribution_is_on_one_page(families):
    import sojourn_distributions as dist

    found = [name for names in families.pages().values() for name in names]
    described = found + [variant for name in found for variant in families.variants(name)]
    assert len(described) == len(set(described))
    classes = {
        name
        for name, value in vars(dist).items()
        if isinstance(value, type) and issubclass(value, dist.Distribution)
    }
    assert classes <= set(described)
    assert set(described) <= set(dist.__all__)


def test_every_example_is_of_its_distribution(families):
    settings = sys.modules["plot_settings"]
    assert set(settings.PLOTS) <= set(families.public())
    for name, plot in settings.PLOTS.items():
        assert all(call.startswith(f"{name}(") for call in plot.calls)
        assert settings.examples(name)


def test_a_distribution_of_an_unknown_module_is_missed(families, monkeypatch):
    class Elsewhere:
        __module__ = "sojourn_distributions.elsewhere"

    known = families.public()
    monkeypatch.setattr(families, "public", lambda: {**known, "Elsewhere": Elsewhere})
    with pytest.raises(LookupError, match="Elsewhere is on no page"):
        families.pages()
