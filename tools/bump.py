"""Set the version of all packages, and their pins on each other: `bump.py VERSION`."""

import re
import sys
from pathlib import Path

PACKAGES = Path(__file__).resolve().parent.parent / "packages"
# PEP 440, canonical public form.
VERSION = re.compile(
    r"([1-9][0-9]*!)?(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*"
    r"((a|b|rc)(0|[1-9][0-9]*))?(\.post(0|[1-9][0-9]*))?(\.dev(0|[1-9][0-9]*))?"
)


def bump(version: str, packages: Path = PACKAGES) -> list[Path]:
    """Write `version` wherever it stands and return the files that changed.

    Parameters
    ----------
    version : str
        The new version, in PEP 440's canonical form.
    packages : Path, optional
        The folder of the packages.

    Raises
    ------
    ValueError
        If `version` is not a version, or a file does not hold one where it is expected.
    """
    if VERSION.fullmatch(version) is None:
        raise ValueError(f"{version!r} is not a version such as 1.2.0, 1.2.0rc1 or 1.3.0.dev0")
    names = sorted(path.parent.name for path in packages.glob("*/pyproject.toml"))
    pins = re.compile(rf'"({"|".join(names)})==[^"]*"')
    rewritten = {}
    for name in names:
        source = packages / name / "src" / name.replace("-", "_") / "_version.py"
        text, count = re.subn(
            r'^__version__ = ".*"$', f'__version__ = "{version}"', source.read_text(), flags=re.M
        )
        if count != 1:
            raise ValueError(f"{source} assigns __version__ {count} times, not once")
        rewritten[source] = text
        project = packages / name / "pyproject.toml"
        rewritten[project] = pins.sub(rf'"\1=={version}"', project.read_text())
    changed = [path for path, text in rewritten.items() if path.read_text() != text]
    for path in changed:
        path.write_text(rewritten[path])
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for path in bump(sys.argv[1]):
        print(path)
