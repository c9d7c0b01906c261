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


@pytest.mark.parametrize("package", sorted(MODULES))
def test_a_package_of_several_modules_has_an_order(package):
    (folder,) = ROOT.glob(f"packages/*/src/{package}")
    modules = [path for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()]
    if {path.stem for path in modules} <= {"__init__", "_version", "__pycache__"}:
        return
    order = contract(package)
    assert order["containers"] == [package]
    assert order["exhaustive"] is True
