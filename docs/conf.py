"""Settings of the documentation's build."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from sojourn._version import __version__

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "Sojourn"
author = "Sojourn developers"
copyright = "Sojourn developers"
version = release = __version__

extensions = [
    "distribution_pages",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
exclude_patterns = [
    "_build",
    "_extensions",
    "_templates",
    "jupyter_execute",
    "Thumbs.db",
    ".DS_Store",
]
default_role = "py:obj"
templates_path = ["_templates"]

# Every page with code is run; a page that fails fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True  # a page that is built beside others fails without a word otherwise
nb_execution_timeout = 600  # seconds for a cell: what hangs ends, what is slow does not
nb_output_stderr = "show"
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # the docstrings say what a parameter may be
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
# A name that a package passes on from another is described by the one that it belongs to.
autosummary_context = {
    "passed_on": {
        package: [
            name
            for name, value in vars(import_module(package)).items()
            if getattr(value, "__module__", package).partition(".")[0] != package
        ]
        for package in (
            "sojourn_distributions",
            "sojourn_gibbs",
            "sojourn_hmc",
            "sojourn_infer",
            "sojourn_parallel",
            "sojourn_primitives",
        )
    }
}
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "Sojourn"
html_sidebars = {"*": []}  # only the reference has pages below pages
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
}


def setup(app: Any) -> None:
    app.connect("env-before-read-docs", deal)


def deal(app: Any, env: Any, names: list[str]) -> None:
    """Spread the pages that are executed over all: a process reads a stretch of the list."""
    executed = [name for name in names if "{code-cell}" in env.doc2path(name).read_text("utf-8")]
    others = sorted(set(names) - set(executed))
    groups = (executed, others)
    places = [((i + 0.5) / len(group), name) for group in groups for i, name in enumerate(group)]
    names[:] = [name for _, name in sorted(places)]
