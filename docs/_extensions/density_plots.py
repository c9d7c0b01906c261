"""Draw small plots of densities, for the pages of the distributions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from plot_settings import PLOTS, examples

# Okabe and Ito's colours, which differ for colour-blind eyes too.
COLORS = ("#0072B2", "#D55E00", "#009E73")
DASHES = ("-", "--", "-.")
COLORMAP = "GnBu"
WIDTH, HEIGHT = 6.2, 2.6
POINTS = 500
STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "small",
    "font.size": 9,
    "legend.frameon": False,
    "svg.hashsalt": "sojourn",
}

# Most programs run once, so they are compiled quickly rather than well.
_compile = {"compiler_options": {"xla_backend_optimization_level": 0}}
_density = jax.jit(lambda made, value: jnp.exp(made.log_prob(value)), **_compile)

_sample = jax.jit(
    lambda made, shape: made.sample(jax.random.key(1), shape), static_argnums=1, **_compile
)


def draw(name: str, path: Path) -> None:
    """Draw the examples of a distribution into a file."""
    plot = PLOTS[name]
    labels = [_label(name, call) for call in plot.calls]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        KINDS[plot.kind](figure, examples(name), labels, *plot.limits)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def _label(name: str, call: str) -> str:
    """Write a call as a reader would, and not wider than the plot."""
    label = re.sub(r"np\.array\((\[[^()]*\])\)", r"\1", call)
    return label if len(label) < 90 else f"{name}(...)"


def curves(figure: Figure, made: list[Any], labels: list[str], low: float, high: float) -> None:
    """Densities over an interval."""
    grid = np.linspace(low, high, POINTS, dtype=np.float32)
    _lines(figure, grid, [np.asarray(_density(each, grid)) for each in made], labels)


def hurdle(figure: Figure, made: list[Any], labels: list[str], low: float, high: float) -> None:
    """Densities above `low`, which has a probability of its own: a dot on a stem."""
    grid = np.linspace(low, high, POINTS, dtype=np.float32)
    densities = [np.asarray(_density(each, grid)) for each in made]
    axes = _lines(figure, grid[1:], [density[1:] for density in densities], labels)
    for i, density in enumerate(densities):
        x = low + i * 0.012 * (high - low)
        axes.vlines(x, 0, density[0], color=COLORS[i], linewidth=2.5)
        axes.plot(x, density[0], "o", color=COLORS[i], clip_on=False)
    axes.set_xlim(left=low - 0.02 * (high - low))
    axes.set_ylim(top=1.1 * max(density.max() for density in densities))
    axes.set_ylabel("density, probability")


def intervals(figure: Figure, made: list[Any], labels: list[str], low: float, high: float) -> None:
    """Probabilities that pairs of numbers stand for: intervals of width one."""
    grid = np.linspace(low, high, POINTS, dtype=np.float32)
    pairs = np.stack([grid, grid + 1], axis=-1)
    axes = _lines(figure, grid, [np.asarray(_density(each, pairs)) for each in made], labels)
    axes.set_xlabel("lower end x of the pair (x, x + 1)")
    axes.set_ylabel("probability")


def _lines(figure: Figure, grid: Any, densities: list[Any], labels: list[str]) -> Any:
    axes = figure.subplots()
    for density, label, color, dashes in zip(densities, labels, COLORS, DASHES, strict=False):
        axes.plot(grid, density, color=color, linestyle=dashes, label=label)
        axes.fill_between(grid, density, color=color, alpha=0.1, linewidth=0)
    axes.set_xlim(grid[0], grid[-1])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("density")
    _legend(figure)
    return axes


def bars(figure: Figure, made: list[Any], labels: list[str], low: int, high: int) -> None:
    """Masses of the integers from `low` to `high`."""
    values = np.arange(low, high + 1)
    _bars(figure, values, [np.asarray(_density(each, values)) for each in made], labels)


def _bars(figure: Figure, values: Any, masses: list[Any], labels: list[str]) -> Any:
    axes = figure.subplots()
    width = 0.8 / len(masses)
    for i, (mass, label) in enumerate(zip(masses, labels, strict=True)):
        shift = (i - (len(masses) - 1) / 2) * width
        axes.bar(values + shift, mass, 0.9 * width, color=COLORS[i], label=label)
    axes.set_xticks(values)
    axes.set_ylabel("probability")
    _legend(figure)
    return axes


def first_count(figure: Figure, made: list[Any], labels: list[str]) -> None:
    """Masses of counts in two categories, over the first of them."""
    total = int(np.max(made[0].total_count))
    first = np.arange(total + 1)
    pairs = np.stack([first, total - first], axis=-1)
    axes = _bars(figure, first, [np.asarray(_density(each, pairs)) for each in made], labels)
    axes.set_xlabel("count of the first of two categories")


def circle(figure: Figure, made: list[Any], labels: list[str]) -> None:
    """Densities of unit vectors in the plane, over their angle."""
    angle = np.linspace(-np.pi, np.pi, POINTS, dtype=np.float32)
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    axes = _lines(figure, angle, [np.asarray(_density(each, vectors)) for each in made], labels)
    axes.set_xlabel("angle of the unit vector")
    _radians(axes.xaxis)


def correlation(figure: Figure, made: list[Any], labels: list[str]) -> None:
    """Densities of the correlation in a matrix of size two, or in its Cholesky factor."""
    r = np.linspace(-0.995, 0.995, POINTS, dtype=np.float32)
    one, zero = np.ones_like(r), np.zeros_like(r)
    if "cholesky" in repr(made[0].support):
        entries = [[one, zero], [r, np.sqrt(1 - r * r)]]
    else:
        entries = [[one, r], [r, one]]
    matrices = np.moveaxis(np.array(entries), (0, 1), (-2, -1))
    axes = _lines(figure, r, [np.asarray(_density(each, matrices)) for each in made], labels)
    axes.set_xlabel("correlation")


def surface(figure: Figure, made: list[Any], labels: list[str], low: float, high: float) -> None:
    """Densities of pairs of numbers as filled contours, a panel for each example."""
    figure.set_size_inches(WIDTH, 3.2)
    side = np.linspace(low, high, 122, dtype=np.float32)[1:-1]
    pairs = np.stack(np.meshgrid(side, side), axis=-1)
    panels = np.atleast_1d(figure.subplots(1, len(made), sharey=True))
    for axes, each in zip(panels, made, strict=True):
        density = np.asarray(_density(each, pairs))
        axes.contourf(side, side, density, 12, cmap=COLORMAP)
        axes.set_aspect("equal")
        if high == np.pi:
            _radians(axes.xaxis)
            _radians(axes.yaxis)
    _captions(figure, labels)


def simplex(figure: Figure, made: list[Any], labels: list[str]) -> None:
    """Densities of three weights that sum to one, on a triangle."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])
    steps = 60
    weights = np.array(
        [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    )
    inside = np.maximum(weights, 0.05) / np.maximum(weights, 0.05).sum(-1, keepdims=True)
    x, y = (weights / steps @ corners).T
    panels = np.atleast_1d(figure.subplots(1, len(made)))
    for axes, each in zip(panels, made, strict=True):
        density = np.asarray(_density(each, inside.astype(np.float32)))
        axes.tricontourf(x, y, density, 12, cmap=COLORMAP)
        axes.plot(*corners[[0, 1, 2, 0]].T, color="grey", linewidth=0.8)
        axes.set_aspect("equal")
        axes.set_axis_off()
    _captions(figure, labels)


def paths(figure: Figure, made: list[Any], labels: list[str]) -> None:
    """A few draws of a sequence, each a line; of vectors, the first component."""
    axes = figure.subplots()
    draws = np.asarray(_sample(made[0], (3,)))
    draws = draws if draws.ndim == 2 else draws[..., 0]
    for draw_, color in zip(draws, COLORS, strict=True):
        axes.plot(draw_, color=color, linewidth=1.2)
    axes.set_xlim(0, draws.shape[1] - 1)
    axes.set_xlabel("index")
    axes.set_ylabel("three draws")
    _captions(figure, labels)


def scatter(figure: Figure, made: list[Any], labels: list[str]) -> None:
    """Draws of vectors: their first two components."""
    figure.set_size_inches(WIDTH, 3.2)
    axes = figure.subplots()
    draws = np.asarray(_sample(made[0], (1000,)))
    axes.plot(draws[:, 0], draws[:, 1], ".", color=COLORS[0], markersize=3, alpha=0.4)
    axes.set_aspect("equal")
    axes.set_xlabel("first component")
    axes.set_ylabel("second")
    _captions(figure, labels)


def ellipses(figure: Figure, made: list[Any], labels: list[str]) -> None:
    """Draws of covariance matrices (or their factors): the ellipse of one standard deviation."""
    figure.set_size_inches(WIDTH, 3.2)
    axes = figure.subplots()
    draws = np.asarray(_sample(made[0], (25,)))
    is_factor = "cholesky" in repr(made[0].support)
    angle = np.linspace(0, 2 * np.pi, 100)
    unit = np.stack([np.cos(angle), np.sin(angle)])
    for matrix in draws:
        x, y = (matrix if is_factor else np.linalg.cholesky(matrix)) @ unit
        axes.plot(x, y, color=COLORS[0], linewidth=0.9, alpha=0.5)
    axes.set_aspect("equal")
    axes.set_title("the covariances of 25 draws")
    _captions(figure, labels)


def images(figure: Figure, made: list[Any], labels: list[str]) -> None:
    """Draws of matrices, as images."""
    panels = figure.subplots(1, 2)
    draws = np.asarray(_sample(made[0], (2,)))
    for axes, draw_ in zip(panels, draws, strict=True):
        axes.imshow(draw_, cmap="PuOr", vmin=-3, vmax=3)
        axes.set_axis_off()
        axes.set_title("a draw")
    _captions(figure, labels)


def _legend(figure: Figure) -> None:
    figure.legend(loc="outside lower left", prop={"family": "monospace", "size": 8})


def _captions(figure: Figure, labels: list[str]) -> None:
    """Say below the panels which is which."""
    places = {1: ("",), 2: ("left:  ", "right: "), 3: ("left:   ", "middle: ", "right:  ")}
    lines = [place + label for place, label in zip(places[len(labels)], labels, strict=True)]
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", family="monospace", fontsize=8)


def _radians(axis: Any) -> None:
    axis.set_ticks([-np.pi, 0, np.pi], labels=["-π", "0", "π"])


KINDS: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (
        bars,
        circle,
        correlation,
        curves,
        ellipses,
        first_count,
        hurdle,
        images,
        intervals,
        paths,
        scatter,
        simplex,
        surface,
    )
}
