"""Sphinx extension that writes the pages of the distributions, constraints and transforms.

Before Sphinx reads its sources, one page for each family is written to ``distributions/generated``,
from the public names of `sojourn_distributions`, their docstrings and their constraints: a new
distribution appears by itself. Nothing is written while the package and these scripts are as they
were.
"""

from __future__ import annotations

import hashlib
import inspect
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bijection_tables
from density_plots import draw
from distribution_families import FAMILIES, Family, pages, public, support_of, variants
from plot_settings import PLOTS
from rst import field_list, heading, list_table

import sojourn_distributions as dist
from sojourn_distributions import constraints

GENERATED = Path("distributions", "generated")
STATISTICS = ("mean", "variance", "mode", "entropy", "cdf", "icdf", "enumerate_support")


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", ensure_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def ensure_pages(app: Any) -> None:
    """Write all pages and plots, unless they are those of the present sources."""
    folder = Path(app.srcdir, GENERATED)
    stamp = folder / "sources.sha256"
    now = digest_of_sources()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == now:
        return
    # In a process of its own: Sphinx forks to read in parallel, which a running JAX forbids.
    subprocess.run([sys.executable, __file__, str(folder)], check=True)
    stamp.write_text(now, encoding="utf-8")


def write_pages(folder: Path) -> None:
    """Write all pages and plots into a folder, and nothing else is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():  # a name may be gone
        old.unlink()
    stale = sorted(set(PLOTS) - set(public()))
    if stale:
        raise LookupError(f"docs/_extensions/plot_settings.py draws what is not public: {stale}")
    found = pages()
    for family in FAMILIES:
        names = found[family.page]
        for name in names:
            if name in PLOTS:
                draw(name, folder / f"{name}.svg")
        (folder / f"{family.page}.rst").write_text(family_page(family, names), encoding="utf-8")
    for page, text in bijection_tables.tables().items():
        (folder / f"{page}.txt").write_text(text, encoding="utf-8")


def digest_of_sources() -> str:
    """Digest of everything that the pages are made of."""
    digest = hashlib.sha256()
    for folder in (Path(dist.__file__).parent, Path(__file__).parent):
        for source in sorted(folder.rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def family_page(family: Family, names: Iterable[str]) -> str:
    """Write a page: its distributions in alphabetical order."""
    parts = [heading(family.title, "="), family.introduction]
    parts += [section(name) for name in names]
    return "\n\n".join(parts) + "\n"


def section(name: str) -> str:
    """Write what there is to say of a distribution and of its parametrizations."""
    parts = [heading(name, "-")]
    if name in PLOTS:
        examples = "; ".join(PLOTS[name].calls)
        parts.append(f".. image:: {name}.svg\n   :alt: Plot of {examples}")
    for each in (name, *variants(name)):
        parts += [documented(each), properties(each)]
    return "\n\n".join(part for part in parts if part)


def documented(name: str) -> str:
    """Write the directive that puts in the docstring."""
    kind = "class" if isinstance(public()[name], type) else "function"
    return f".. auto{kind}:: sojourn_distributions.{name}\n   :no-index:"


def properties(name: str) -> str:
    """Write the table of parameters, and the list of what follows from them."""
    made = public()[name]
    if not isinstance(made, type):
        return ""
    rows = [
        (f"``{parameter}``", f"``{constraint_name(constraint)}``", shape(constraint))
        for parameter, constraint in made.arg_constraints.items()
    ]
    support = support_of(name)
    base = dist.Distribution
    offered = [each for each in STATISTICS if getattr(made, each) is not getattr(base, each)]
    fields = {
        "Support": f"``{constraint_name(support)}``" if support is not None else "",
        "Value": f"shape {shape(support, 'sample_shape + batch_shape')}"
        if support is not None
        else "",
        "Gives": ", ".join(f"``{each}``" for each in offered),
        "Differentiable in": ", ".join(f"``{each}``" for each in made.reparametrized_params),
    }
    table = list_table(("Parameter", "Constraint", "Shape"), rows) if rows else ""
    return "\n\n".join(part for part in (table, field_list(fields)) if part)


def constraint_name(constraint: Any) -> str:
    """Name of a constraint among the public ones, or what it prints as."""
    if constraints.is_dependent(constraint):
        return "depends on the others"
    for name in constraints.__all__:
        public_constraint = getattr(constraints, name)
        if not inspect.isclass(public_constraint) and type(public_constraint) is type(constraint):
            if public_constraint == constraint:
                return name
    return repr(constraint)


def shape(constraint: Any, batch: str = "batch_shape") -> str:
    """Shape of an array under a constraint, in words of the package."""
    try:
        event_dim = constraint.event_dim
    except NotImplementedError:
        return f"``{batch}``"
    events = ("", " + (n,)", " + (m, n)")
    return f"``{batch}{events[event_dim] if event_dim < len(events) else ' + event_shape'}``"


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
