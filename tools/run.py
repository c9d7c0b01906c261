#!/usr/bin/env python3
"""Run a nox session from a fresh clone: `run.py quickstart`, `run.py tests`, or any other session.

Needs only Python and pip. It makes a virtual environment beside this checkout's files
(`.venv-tools`), installs nox and uv into it and hands over to nox. `tests` means all that the
`noxfile.py` does by default; `run.py nox ARGUMENTS` passes arguments to nox as they are.
"""

import ast
import os
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 (said before what follows fails on an older Python)
    sys.exit("Sojourn needs Python 3.11 or later; this is Python " + sys.version.split()[0])

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-tools"
REQUIREMENTS = ["nox>=2025.5.1"]
OPTIONAL_REQUIREMENTS = ["uv>=0.8"]  # makes environments in seconds; virtualenv serves without it

# What pip calls a setting, and the variable in which uv looks for it.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}


def main(arguments: list[str]) -> int:
    """Make the tools' environment where it is missing and run nox there."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    python = ensure_environment()
    environ = {**uv_settings(python), **os.environ}
    # nox looks for uv on the path as well as beside itself.
    environ["PATH"] = str(python.parent) + os.pathsep + environ.get("PATH", "")
    command = [str(python), "-m", "nox", "-f", str(ROOT / "noxfile.py"), *nox_arguments(arguments)]
    return subprocess.run(command, env=environ, cwd=ROOT).returncode


def nox_arguments(arguments: list[str]) -> list[str]:
    """Translate this command's arguments to nox's."""
    session, *rest = arguments
    if session == "nox":
        return rest
    chosen = [] if session == "tests" else ["--session", session]
    return [*chosen, "--", *rest] if rest else chosen


def ensure_environment() -> Path:
    """Return the Python of an environment that holds the tools, made now if need be."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = ENVIRONMENT / "requirements.txt"
    wanted = "\n".join([sys.version, *REQUIREMENTS, *OPTIONAL_REQUIREMENTS])
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return python
    print(f"Setting up {ENVIRONMENT.name} (once) ...", flush=True)
    # Some systems ship venv without the pip that it would install; then our own pip serves.
    with_pip = find_spec("ensurepip") is not None
    if not with_pip and find_spec("pip") is None:
        sys.exit(
            f"{sys.executable} has neither `ensurepip` nor `pip`, so nothing can be installed. "
            "Install one of them (on Debian and Ubuntu: the package python3-venv) and try again."
        )
    venv.create(ENVIRONMENT, clear=True, with_pip=with_pip)
    pip = [str(python), "-m", "pip"]
    if not with_pip:
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
    install = [*pip, "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *REQUIREMENTS], check=True)
    optional = [*install, "--only-binary", ":all:", *OPTIONAL_REQUIREMENTS]
    if subprocess.run(optional).returncode != 0:
        print("uv cannot be had here: environments are made with virtualenv, which is slower.")
    stamp.write_text(wanted)
    return python


def uv_settings(python: Path) -> dict[str, str]:
    """Read from pip's configuration where packages come from, as variables for uv."""
    listing = subprocess.run(
        [sys.executable if find_spec("pip") else str(python), "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
    )
    settings = {}
    # A line reads `global.index-url='...'`; a later scope (`install`, `:env:`) overrides.
    for line in listing.stdout.splitlines():
        name, _, value = line.partition("=")
        variable = UV_VARIABLES.get(name.rpartition(".")[2])
        if variable is not None:
            settings[variable] = " ".join(str(ast.literal_eval(value)).split())
    if "UV_INDEX" in settings:
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip treats all indexes alike
    return settings


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
