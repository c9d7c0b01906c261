"""The import contracts name every package of the tree."""

import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parent.parent
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
MODULES = {path.parent.name for path in ROOT.glob("packages/*/src/*/__init__.py")}


def contract(name):
    return next(contract for contract in CONTRACTS["contracts"] if contract["id"] == name)


def test_every_package_is_checked():
    assert set(CONTRACTS["root_packages"]) == MODULES


def test_every_package_has_its_layer():
    layers = [name for layer in contract("packages")["layers"] for name in layer.split(" | ")]
    assert sorted(layers) == sorted(MODULES)
