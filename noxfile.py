"""Sessions that check, test, build and measure the packages; see `docs/contributing.md`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = sorted({"3.11", "3.12", "3.13", RUNNING}, key=lambda version: int(version.split(".")[1]))

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"
nox.options.sessions = [
    "lint",
    "imports",
    "typecheck",
    f"tests-{RUNNING}",
    "tests_integration",
    "doctest",
    "docs",
]

# On all cores, a file of tests in one process: tests compile more than they compute.
IN_PARALLEL = ("--numprocesses=auto", "--dist=loadfile")
# Thousands of small programs run once or twice in the tests of these packages: XLA compiles them in
# half the time like this. Everything else, their examples and pages too, compiles as users do.
QUICK_COMPILER = ("--xla_backend_optimization_level=0", "--xla_cpu_use_fusion_emitters=false")
COMPILED_QUICKLY = {"sojourn-distributions", "sojourn-gibbs", "sojourn-infer"}

WORKSPACE = nox.project.load_toml(ROOT / "pyproject.toml")
PROJECTS = {
    path.parent.name: nox.project.load_toml(path)
    for path in sorted((ROOT / "packages").glob("*/pyproject.toml"))
}
SOURCES = [f"packages/{package}/src" for package in PROJECTS]
EXTRAS = "[arviz,jaxns,tfp]"


def add_pyenv_to_path() -> None:
    """Make pyenv's interpreters visible: its shims refuse the versions that are not switched on."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [
        str(folder)
        for version in PYTHONS
        for folder in sorted(root.glob(f"versions/{version}.*/bin"), reverse=True)
    ]
    os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])


add_pyenv_to_path()


def keep_bytecode() -> None:
    """Let processes share compiled sources where the environment says not to write any.

    Sessions start many processes (workers, tests' own, a kernel for each page), and each
    would spend most of its start on compiling the sources of JAX and SciPy again. The bytecode goes
    to nox's folder and not between the sources.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".nox" / "bytecode"))


keep_bytecode()


def requirement_name(requirement: str) -> str:
    """Return the name in a requirement such as `jax>=0.8`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return match.group()


def with_siblings(package: str) -> list[str]:
    """Return a package and every sibling that it needs, directly or not."""
    needed = [package]
    for name in needed:
        for requirement in PROJECTS[name]["project"]["dependencies"]:
            sibling = requirement_name(requirement)
            if sibling in PROJECTS and sibling not in needed:
                needed.append(sibling)
    return needed


def editable(*packages: str, extras: str = "") -> list[str]:
    """Return the installer's arguments for packages of this tree and their siblings."""
    needed = dict.fromkeys(sibling for package in packages for sibling in with_siblings(package))
    arguments = []
    for name in needed:
        arguments += ["--editable", f"./packages/{name}{extras if name in packages else ''}"]
    return arguments


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group of the workspace."""
    return nox.project.dependency_groups(WORKSPACE, name)


def compiler_flags(session: nox.Session) -> str:
    """Return the flags of XLA for tests that compile quickly; what the user has set comes last."""
    python = str(Path(session.bin, "python"))
    flags = [flag for flag in QUICK_COMPILER if knows(python, flag)]
    return " ".join([*flags, os.environ.get("XLA_FLAGS", "")]).strip()


def knows(python: str, flag: str) -> bool:
    """Whether the XLA of an environment knows a flag; if not it would abort."""
    start = [python, "-c", "import jax; jax.devices('cpu')"]
    environ = {**os.environ, "XLA_FLAGS": flag, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(start, env=environ, capture_output=True).returncode == 0


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and the changelog's fragments."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)


@nox.session
def imports(session: nox.Session) -> None:
    """Check who imports whom, between packages and inside them."""
    session.install(*group("imports"))
    session.run("lint-imports", "--no-logo", env={"PYTHONPATH": os.pathsep.join(SOURCES)})


@nox.session
def typecheck(session: nox.Session) -> None:
    """Check the types of all packages."""
    session.install(*editable("sojourn"), *group("typecheck"))
    session.run("mypy", *SOURCES)


@nox.session(python=PYTHONS)
@nox.parametrize("package", [nox.param(name, id=name) for name in PROJECTS])
def tests(session: nox.Session, package: str) -> None:
    """Test one package in an environment that holds only what it declares."""
    needs = nox.project.dependency_groups(PROJECTS[package], "test")
    session.install(*editable(package), *needs)
    environ = {"XLA_FLAGS": compiler_flags(session)} if package in COMPILED_QUICKLY else {}
    tests = f"packages/{package}/tests"
    session.run("pytest", *IN_PARALLEL, tests, *session.posargs, env=environ)


@nox.session
def tests_integration(session: nox.Session) -> None:
    """Test the packages together, and the rules that they share."""
    session.install(*editable("sojourn"), *group("test"))
    session.run("pytest", *IN_PARALLEL, "tests-integration", *session.posargs)


@nox.session
def embedding(session: nox.Session) -> None:
    """Test the sampler core in other libraries' models, with those libraries installed."""
    session.install(*editable("sojourn"), *group("test"), *group("embedding"))
    environ = {"SOJOURN_REQUIRE_FOREIGN": "1"}
    session.run("pytest", "tests-integration/embedding", *session.posargs, env=environ)


@nox.session
def extras(session: nox.Session) -> None:
    """Test what wraps other packages, with the extras of `sojourn` that install those."""
    # NumPyro as well: ArviZ's converter of its runs, which reads ours, imports it.
    session.install(*editable("sojourn", extras=EXTRAS), *group("test"), *group("benchmarks"))
    environ = {"SOJOURN_REQUIRE_FOREIGN": "1"}
    session.run("pytest", *IN_PARALLEL, "tests-integration/extras", *session.posargs, env=environ)


@nox.session
def doctest(session: nox.Session) -> None:
    """Run the examples in the docstrings."""
    session.install(*editable("sojourn", extras=EXTRAS), *group("test"))
    session.run("pytest", *IN_PARALLEL, "--doctest-modules", *(session.posargs or SOURCES))


@nox.session
def statistics(session: nox.Session) -> None:
    """Compare draws with known posteriors, at length."""
    session.install(*editable("sojourn"), *group("test"))
    session.run("pytest", *IN_PARALLEL, "-m", "statistics", *session.posargs)


@nox.session
def mutations(session: nox.Session) -> None:
    """Break the samplers on purpose and see that the tests notice."""
    session.install(*editable("sojourn"), *group("test"))
    session.run("python", "tools/mutations.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Test all packages with the oldest releases that they declare."""
    declared = {
        requirement
        for project in PROJECTS.values()
        for requirement in project["project"]["dependencies"]
        if requirement_name(requirement) not in PROJECTS
    }
    oldest = [re.sub(r">=([^,;]+)[^;]*", r"==\1", requirement) for requirement in sorted(declared)]
    session.install(*editable("sojourn"), *group("test"), *oldest)
    failed = []
    for folder in [*(f"packages/{name}/tests" for name in PROJECTS), "tests-integration"]:
        try:
            session.run("pytest", *IN_PARALLEL, folder, *session.posargs)
        except nox.command.CommandFailed:
            failed.append(folder)
    if failed:
        session.error("failed: " + ", ".join(failed))


@nox.session
@nox.parametrize(
    "device", [nox.param(name, id=name) for name in ("cpu", "cpu-multi", "cuda12", "cuda13", "tpu")]
)
def accelerator(session: nox.Session, device: str) -> None:
    """Run the integration tests on one kind of device; skip where it is missing."""
    platform = {"cuda12": "cuda", "cuda13": "cuda"}.get(device, device.partition("-")[0])
    if platform == "cuda" and shutil.which("nvidia-smi") is None:
        session.skip("no NVIDIA driver here: nvidia-smi is not on the path")
    if platform == "tpu" and not [*Path("/dev").glob("accel*"), *Path("/dev").glob("vfio/[0-9]*")]:
        session.skip("no TPU here: neither /dev/accel* nor /dev/vfio/* exists")
    extras = "" if platform == "cpu" else f"[{device}]"
    session.install(*editable("sojourn", extras=extras), *group("test"))
    environ = {"JAX_PLATFORMS": platform}
    session.run("python", "-c", "import jax; print(jax.devices())", env=environ)
    meshes = "packages/sojourn-hmc/tests/test_devices.py"  # needs four devices
    four = {"JAX_NUM_CPU_DEVICES": "4"} if device == "cpu-multi" else {}
    session.run("pytest", meshes, *session.posargs, env=environ | four)
    # Two, because more devices than cores are left alone.
    two = {"JAX_NUM_CPU_DEVICES": "2"} if device == "cpu-multi" else {}
    session.run("pytest", "tests-integration", *session.posargs, env=environ | two)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, executing its pages; any warning is an error."""
    session.install(*editable("sojourn", extras="[arviz,tfp,zarr]"), *group("docs"))
    shutil.rmtree(ROOT / "docs/api/generated", ignore_errors=True)  # a name may be gone
    options = ("-W", "--keep-going", "-j", "auto", "-b", "html")
    session.run("sphinx-build", *options, "docs", "docs/_build/html")


@nox.session
def build(session: nox.Session) -> None:
    """Build every package, the wheels from the source archives, and test the wheels."""
    session.install(*group("build"), *group("test"))
    distributions = ROOT / "dist"
    shutil.rmtree(distributions, ignore_errors=True)
    for package in PROJECTS:
        # Without options, `build` makes the wheel from the source archive that it just made.
        session.run(
            "python", "-m", "build", "--no-isolation", "--outdir", "dist", f"packages/{package}"
        )
    wheels = sorted(str(path) for path in distributions.glob("*.whl"))
    # First the wheels, then what they need: an older copy of the same version must not stay.
    session.install("--force-reinstall", "--no-deps", *wheels)
    session.install(*wheels)
    with tempfile.TemporaryDirectory() as outside:
        shutil.copytree(ROOT / "tests-integration", Path(outside, "tests-integration"))
        shutil.copy(ROOT / "pyproject.toml", outside)
        with session.chdir(outside):
            session.run("pytest", "tests-integration", "-m", "not statistics and not checkout")


@nox.session
def quickstart(session: nox.Session) -> None:
    """Sample a real posterior, print its summary and draw it."""
    session.install(*editable("sojourn", extras="[arviz]"))
    session.run("python", "tools/quickstart.py", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure against NumPyro, installed beside; print the ratios.

    `-- PART` runs a part of tools/benchmarks alone: adaptation, driver, placement, many_chains,
    tracing, distributions and others, each a file of that name.
    """
    session.install(*editable("sojourn"), *group("benchmarks"))
    script, rest = "tools/benchmarks", session.posargs
    if rest and (ROOT / script / f"{rest[0]}.py").exists():
        script, rest = f"{script}/{rest[0]}.py", rest[1:]
    session.run("python", script, *rest)


@nox.session(venv_backend="none")
def bump(session: nox.Session) -> None:
    """Set the version of all packages: `nox -s bump -- VERSION`."""
    session.run(sys.executable, "tools/bump.py", *session.posargs, external=True)


@nox.session
def changelog(session: nox.Session) -> None:
    """Show what the fragments say, or with `-- VERSION` write it into CHANGELOG.md."""
    session.install(*group("changelog"))
    if session.posargs:
        session.run("towncrier", "build", "--yes", "--version", *session.posargs)
    else:
        session.run("towncrier", "build", "--draft", "--version", "next")
