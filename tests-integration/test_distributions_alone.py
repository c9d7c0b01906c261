"""`pip install sojourn-distributions` brings JAX and NumPy, and that is enough to use it."""

import json
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from importlib.resources import files

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES = [
    "sojourn",
    "sojourn_distributions",
    "sojourn_gibbs",
    "sojourn_hmc",
    "sojourn_infer",
    "sojourn_parallel",
    "sojourn_primitives",
]

ALONE = """
import importlib, json, pkgutil, sys

refused = set(json.loads(sys.argv[1]))

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"{name} does not come with sojourn-distributions", name=name)

sys.meta_path.insert(0, Refuse())
import sojourn_distributions as dist
for module in pkgutil.walk_packages(dist.__path__, dist.__name__ + "."):
    importlib.import_module(module.name)
import jax
draw = dist.Gamma(2.0, 1.0).sample(jax.random.key(0), (3,))
print(float(dist.Gamma(2.0, 1.0).log_prob(draw).sum()) < 0)
"""


def needs(project):
    """Names of the projects that one asks for without extras, here."""
    found = (Requirement(need) for need in requires(project) or ())
    return {
        canonicalize_name(need.name)
        for need in found
        if need.marker is None or need.marker.evaluate({"extra": ""})
    }


def closure(project):
    """Names of all projects that installing one brings."""
    brought = set()
    waiting = [project]
    while waiting:
        new = needs(waiting.pop()) - brought
        brought |= new
        waiting += new
    return brought


def test_it_asks_for_jax_and_numpy():
    assert needs("sojourn-distributions") == {"jax", "numpy"}


def test_it_works_with_nothing_else():
    brought = closure("sojourn-distributions")
    assert not any(name.startswith("sojourn") for name in brought)
    brought.add("sojourn-distributions")
    others = [
        module
        for module, projects in packages_distributions().items()
        if brought.isdisjoint(map(canonicalize_name, projects))
    ]
    assert "pytest" in others
    others += [name for name in PACKAGES if name != "sojourn_distributions"]
    result = subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(others)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "True\n"


def test_a_module_that_does_not_come_with_it_is_refused():
    result = subprocess.run(
        [sys.executable, "-c", ALONE + "import sojourn_hmc", '["sojourn_hmc"]'],
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    assert "sojourn_hmc does not come with sojourn-distributions" in result.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_may_read_it(package):
    assert files(package).joinpath("py.typed").is_file()
