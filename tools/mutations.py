"""Break the samplers on purpose, one sign at a time, and see that a test fails.

Each mutation is made in a copy of the packages' sources, which the named tests then import. A
mutation that passes them is one that nobody would notice: ``nox -s mutations``.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Mutation(NamedTuple):
    """A change of one place, and the tests that must notice.

    Attributes
    ----------
    title : str
        What it breaks.
    module : str
        The file, below ``packages``.
    old, new : str
        Text that occurs there once, and what it becomes.
    tests : str
        A file of tests below ``packages``.
    select : str
        Which of them, as for ``pytest -k``.
    """

    title: str
    module: str
    old: str
    new: str
    tests: str
    select: str


HMC, HMC_TESTS = "sojourn-hmc/src/sojourn_hmc", "sojourn-hmc/tests"
INFER, INFER_TESTS = "sojourn-infer/src/sojourn_infer", "sojourn-infer/tests"

MUTATIONS = [
    Mutation(
        "sign of the energy error in the weight of a leaf",
        f"{HMC}/subtree.py",
        "log_weight = jnp.logaddexp(subtree.log_weight, -error)",
        "log_weight = jnp.logaddexp(subtree.log_weight, error)",
        f"{HMC_TESTS}/test_invariance.py",
        "nuts-diagonal",
    ),
    Mutation(
        "the newer half of a trajectory always taken",
        f"{HMC}/tree.py",
        "chosen = complete & (jnp.log(chance) < subtree.log_weight - tree.log_weight)",
        "chosen = complete",
        f"{HMC_TESTS}/test_invariance.py",
        "nuts-diagonal",
    ),
    Mutation(
        "a subtree that turned or diverged is chosen from",
        f"{HMC}/tree.py",
        "chosen = complete & (jnp.log(chance)",
        "chosen = (jnp.log(chance)",
        f"{HMC_TESTS}/test_invariance.py",
        "nuts-diagonal",
    ),
    Mutation(
        "every trajectory of fixed length accepted",
        f"{HMC}/trajectory.py",
        "accepted = uniform(seed, jnp.uint32(0), error.dtype) < accept_prob",
        "accepted = uniform(seed, jnp.uint32(0), error.dtype) < 2.0",
        f"{HMC_TESTS}/test_invariance.py",
        "hmc-diagonal",
    ),
    Mutation(
        "sign of the closing kick",
        f"{HMC}/integrator.py",
        "momentum = point.momentum - kick * step_size * potential_gradient",
        "momentum = point.momentum + kick * step_size * potential_gradient",
        f"{HMC_TESTS}/test_integrator.py",
        "reversal",
    ),
    Mutation(
        "a momentum of the inverse mass matrix",
        f"{HMC}/mass_matrix.py",
        "return sqrt * noise if sqrt.ndim == 1 else sqrt @ noise",
        "return noise / sqrt if sqrt.ndim == 1 else sqrt @ noise",
        f"{HMC_TESTS}/test_invariance.py",
        "hmc-diagonal",
    ),
    Mutation(
        "a momentum with the transposed factor",
        f"{HMC}/mass_matrix.py",
        "return sqrt * noise if sqrt.ndim == 1 else sqrt @ noise",
        "return sqrt * noise if sqrt.ndim == 1 else sqrt.T @ noise",
        f"{HMC_TESTS}/test_invariance.py",
        "nuts-dense",
    ),
    Mutation(
        "a low-rank velocity without its scale",
        f"{HMC}/low_rank.py",
        "return inverse.scale * inverse.middle(inverse.scale * momentum)",
        "return inverse.scale * inverse.middle(momentum)",
        f"{HMC_TESTS}/test_metrics.py",
        "products and low-rank",
    ),
    Mutation(
        "blocks joined in the order of the blocks",
        f"{HMC}/blocks.py",
        "return jnp.concatenate([parts[names] for names in self.indices])[order]",
        "return jnp.concatenate([parts[names] for names in self.indices])",
        f"{HMC_TESTS}/test_metrics.py",
        "products and blocks",
    ),
    Mutation(
        "a momentum of another kinetic energy always refreshed",
        f"{HMC}/kinetic.py",
        "accepted = jnp.log(jax.random.uniform(key_accept, dtype=gain.dtype)) < gain",
        "accepted = jnp.log(jax.random.uniform(key_accept, dtype=gain.dtype)) < 1e9 + 0 * gain",
        f"{HMC_TESTS}/test_metrics.py",
        "refreshed and narrow",
    ),
    Mutation(
        "Fisher's diagonal upside down",
        f"{HMC}/adaptation/fisher.py",
        "variance = moments.positions.sum_squares / moments.gradients.sum_squares",
        "variance = moments.gradients.sum_squares / moments.positions.sum_squares",
        f"{HMC_TESTS}/test_fisher.py",
        "three_draws",
    ),
    Mutation(
        "Barker's proposal without its ratio",
        f"{HMC}/barker.py",
        "log_ratio = energy - new_energy + log_signs.astype(energy.dtype)",
        "log_ratio = energy - new_energy + 0 * log_signs.astype(energy.dtype)",
        f"{HMC_TESTS}/test_invariance.py",
        "barker-diagonal",
    ),
    Mutation(
        "a model's Jacobian dropped",
        f"{INFER}/unconstrain.py",
        "density = density + scaled_sum(site, jacobian)",
        "density = density + 0 * scaled_sum(site, jacobian)",
        f"{INFER_TESTS}/test_unconstrain.py",
        "potential_is_density",
    ),
]


def survives(mutation: Mutation, sources: Path) -> bool:
    """Whether the tests pass in spite of a mutation; the sources are put right again."""
    path = sources / mutation.module
    original = path.read_text(encoding="utf-8")
    if original.count(mutation.old) != 1:
        raise SystemExit(f"{mutation.module} has no single place with {mutation.old!r}")
    path.write_text(original.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        return passes(mutation, sources)
    finally:
        path.write_text(original, encoding="utf-8")


def passes(mutation: Mutation, sources: Path) -> bool:
    """Whether the tests of a mutation pass with these sources."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", f"--rootdir={ROOT}"]
    command += [f"--config-file={ROOT / 'pyproject.toml'}", "-p", "no:cacheprovider"]
    command += ["-k", mutation.select, str(ROOT / "packages" / mutation.tests)]
    paths = os.pathsep.join(str(path) for path in sources.glob("*/src"))
    outcome = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode not in (0, 1):  # neither passed nor failed: nothing was tested
        raise SystemExit(
            f"{mutation.title}: pytest ended with {outcome.returncode}\n{outcome.stdout}"
        )
    return outcome.returncode == 0


def main() -> None:
    """Try every mutation, after the tests have passed without any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="mutations whose title contains this")
    only = parser.parse_args().only
    chosen = [mutation for mutation in MUTATIONS if only in mutation.title]
    unnoticed = 0
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder)
        for package in (ROOT / "packages").iterdir():
            shutil.copytree(package / "src", sources / package.name / "src")
        for mutation in {(m.tests, m.select): m for m in chosen}.values():
            if not passes(mutation, sources):
                raise SystemExit(
                    f"{mutation.tests} -k {mutation.select!r} fails without a mutation"
                )
        for mutation in chosen:
            unnoticed += (survived := survives(mutation, sources))
            print(f"{'UNNOTICED' if survived else 'noticed'}: {mutation.title}", flush=True)
    if unnoticed:
        raise SystemExit(f"{unnoticed} of {len(chosen)} mutations went unnoticed")
    print(f"all {len(chosen)} mutations were noticed")


if __name__ == "__main__":
    main()
