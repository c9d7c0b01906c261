"""`nox -s bump -- VERSION` sets every version and every pin."""

import runpy
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parent.parent


@pytest.fixture
def bump():
    return runpy.run_path(str(ROOT / "tools" / "bump.py"))["bump"]


@pytest.fixture
def packages(tmp_path):
    """A copy of the files in which versions stand."""
    for pattern in ("*/pyproject.toml", "*/src/*/_version.py"):
        for path in (ROOT / "packages").glob(pattern):
            copy = tmp_path / path.relative_to(ROOT / "packages")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return tmp_path


def test_sets_versions_and_pins_and_nothing_else(bump, packages):
    before = {path: path.read_text() for path in packages.rglob("*") if path.is_file()}
    current = (packages / "sojourn/src/sojourn/_version.py").read_text().split('"')[-2]
    changed = bump("7.8.9rc1", packages)
    assert set(changed) == {path for path, text in before.items() if current in text}
    for path in changed:
        assert path.read_text() == before[path].replace(current, "7.8.9rc1")


@pytest.mark.parametrize("version", ["", "1.2.x", "v1.2", "1.2.0-dev", "01.2"])
def test_refuses_what_is_not_a_version(bump, packages, version):
    with pytest.raises(ValueError, match="is not a version"):
        bump(version, packages)
