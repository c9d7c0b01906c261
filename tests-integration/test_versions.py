"""All packages carry one version, and pin each other to it."""

import tomllib
from importlib import import_module
from importlib.metadata import requires, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = [
    "sojourn",
    "sojourn-distributions",
    "sojourn-gibbs",
    "sojourn-hmc",
    "sojourn-infer",
    "sojourn-parallel",
    "sojourn-primitives",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_installed_version_is_the_modules(package):
    assert version(package) == version("sojourn")
    module = import_module(package.replace("-", "_") + "._version")
    assert module.__version__ == version("sojourn")


@pytest.mark.parametrize("package", PACKAGES)
def test_siblings_are_pinned_to_this_version(package):
    siblings = [need for need in requires(package) if need.startswith("sojourn")]
    for need in siblings:
        name, _, pinned = need.partition("==")
        assert name in PACKAGES
        assert pinned == version("sojourn")


def test_the_meta_package_needs_every_other():
    needs = {need.partition("==")[0] for need in requires("sojourn")}
    assert needs.issuperset(PACKAGES[1:])


@pytest.mark.checkout
def test_projects_agree_where_they_repeat_each_other():
    projects = {
        path.parent.name: tomllib.loads(path.read_text())["project"]
        for path in (ROOT / "packages").glob("*/pyproject.toml")
    }
    assert sorted(projects) == PACKAGES
    ranges = {}
    for name, project in projects.items():
        assert project["name"] == name
        assert project["requires-python"] == projects["sojourn"]["requires-python"]
        assert project["classifiers"] == projects["sojourn"]["classifiers"]
        for need in project["dependencies"]:
            ranges.setdefault(need.partition(">=")[0], set()).add(need)
    assert all(len(declared) == 1 for declared in ranges.values()), ranges


@pytest.mark.checkout
def test_every_package_ships_the_licence():
    text = (ROOT / "LICENSE").read_text()
    for package in PACKAGES:
        assert (ROOT / "packages" / package / "LICENSE").read_text() == text
