"""Tables in Markdown from what was measured, with the goals and whether they are met."""

import jobs
from goals import EFFECTIVE_DRAWS_PER_GRADIENT, SPEED_UP_ON_TWO_CORES, Goal, goal
from models import BENCHMARKS
from results import Results, Spread

TITLES = {
    "native": "Native loops on both sides",
    "plain": "Native loops on neither side",
    "shipped": "As shipped: native loops in Sojourn, which asks for them when imported",
}
TIMES = (
    ("first run, s", "first_seconds"),
    ("programs compiled in it", "first_compilations"),
    ("second run, s", "second_seconds"),
    ("programs compiled in it", "second_compilations"),
    ("min bulk ESS/s, second run", "ess_per_second"),
    ("leapfrog step in NUTS, µs", "leapfrog_microseconds"),
)
MORE_IS_BETTER = {"ess_per_second"}


def render(results: Results) -> str:
    """Write all tables for which there are results."""
    header = results.header
    sections = [_machine(results)]
    if header["scale"] != 1:
        sections.append("**A trial with shortened runs: not to be quoted.**")
    for setting in header["settings"]:
        sections += [f"### {TITLES[setting]}", _main_table(results, setting)]
    for title, table in (
        ("Effective draws per gradient", _gradients_table(results)),
        ("Four chains on the cores of this machine", _cores_table(results)),
        ("Other ways to run NumPyro's chains", _variants_table(results)),
        ("With a progress bar on a terminal", _progress_table(results)),
    ):
        if table:
            sections += [f"### {title}", table]
    return "\n\n".join(sections) + "\n"


def _machine(results: Results) -> str:
    header = results.header
    versions = ", ".join(f"{name} {version}" for name, version in results.versions().items())
    return (
        f"`{header['command']}`: repetitions: {header['repeats']}, in "
        f"{header['minutes']:.0f} minutes on {header['cores']} cores ({header['cpu']}, "
        f"{header['system']}), load average {header['load']:.1f} at the start; "
        f"Python {header['python']}, {versions}."
    )


def _main_table(results: Results, setting: str) -> str:
    lines = []
    for model in results.header["models"]:
        ours, theirs = (
            jobs.main_job(library, model, jobs.uses_native_loops(library, setting))
            for library in jobs.LIBRARIES
        )
        for title, quantity in TIMES:
            over, under = (ours, theirs) if quantity in MORE_IS_BETTER else (theirs, ours)
            shown = [show(results.spread(job, quantity)) for job in (ours, theirs)]
            bound = goal(model, setting, quantity)
            if quantity == "second_compilations":  # the goal is zero, which has no ratio
                judged = ("", *_judge(results.spread(ours, quantity), bound))
            else:
                ratio = results.ratio(over, under, quantity)
                judged = (show_ratio(ratio), *_judge(ratio, bound))
            lines.append(["", title, *shown, *judged])
        lines[-len(TIMES)][0] = BENCHMARKS[model].title
        to_floor = [
            results.ratio(job, ours, "leapfrog_microseconds", "floor_microseconds")
            for job in (ours, theirs)
        ]
        lines.append(
            [
                "",
                f"the same over {show(results.spread(ours, 'floor_microseconds'))} µs alone",
                *map(show_ratio, to_floor),
                "",
                *_judge(to_floor[0], goal(model, setting, "leapfrog_over_floor")),
            ]
        )
    return grid(["model", "", "Sojourn", "NumPyro", "ratio", "goal", "met"], lines)


def _gradients_table(results: Results) -> str:
    lines = []
    for model in results.header["models"]:
        ours, theirs = (jobs.main_job(library, model, True) for library in jobs.LIBRARIES)
        if ours not in results or theirs not in results:
            continue
        ratio = results.ratio(ours, theirs, "ess_per_1000_gradients")
        lines.append(
            [
                BENCHMARKS[model].title,
                "min bulk ESS per 1000 gradients",
                show(results.spread(ours, "ess_per_1000_gradients")),
                show(results.spread(theirs, "ess_per_1000_gradients")),
                show_ratio(ratio),
                *_judge(ratio, EFFECTIVE_DRAWS_PER_GRADIENT),
            ]
        )
        for phase in ("warmup", "sampling"):
            shown = [show(results.spread(job, f"{phase}_gradients")) for job in (ours, theirs)]
            lines.append(["", f"gradients in the {phase}", *shown, "", "", ""])
    return grid(["model", "", "Sojourn", "NumPyro", "ratio", "goal", "met"], lines)


def _cores_table(results: Results) -> str:
    lines = []
    for model in results.header["models"]:
        one, all_ = (jobs.cores_job(model, one_core) for one_core in (True, False))
        if one not in results or all_ not in results:
            continue
        runs = {"usual_seconds": 1000, "long_seconds": BENCHMARKS[model].long_draws}
        for n, (quantity, draws) in enumerate(runs.items()):
            if draws is None:
                continue
            ratio = results.ratio(one, all_, quantity)
            judged = _judge(ratio, SPEED_UP_ON_TWO_CORES)
            lines.append(
                [
                    BENCHMARKS[model].title if n == 0 else "",
                    f"{draws * results.header['scale']:,.0f} draws a chain",
                    show(results.spread(one, quantity)),
                    show(results.spread(all_, quantity)),
                    show_ratio(ratio),
                    *(judged if results.header["cores"] == 2 else ("", "")),
                ]
            )
    return grid(
        ["model", "second run, s", "one core", "all cores", "speed-up", "goal", "met"], lines
    )


def _variants_table(results: Results) -> str:
    lines = []
    for model in results.header["models"]:
        ours = jobs.main_job("sojourn", model, True)
        others = jobs.variant_jobs(model)
        if not any(job in results for job in others.values()):
            continue
        default = {"the default": jobs.main_job("numpyro", model, False)}
        for n, (name, job) in enumerate((default | others).items()):
            if ours not in results or job not in results:
                continue
            line = [BENCHMARKS[model].title if n == 0 else "", name]
            for quantity in ("first_seconds", "second_seconds"):
                line.append(show(results.spread(job, quantity)))
                line.append(show_ratio(results.ratio(job, ours, quantity)))
            lines.append(line)
    columns = ["model", "NumPyro with", "first run, s", "to Sojourn's", "second run, s"]
    return grid([*columns, "to Sojourn's"], lines)


def _progress_table(results: Results) -> str:
    lines = []
    for model in results.header["models"]:
        ours, theirs = (jobs.progress_job(library, model) for library in jobs.LIBRARIES)
        if ours not in results or theirs not in results:
            continue
        for title, quantity in TIMES[:4]:
            shown = [show(results.spread(job, quantity)) for job in (ours, theirs)]
            counts = quantity == "second_compilations"
            ratio = "" if counts else show_ratio(results.ratio(theirs, ours, quantity))
            lines.append(["", title, *shown, ratio])
        lines[-4][0] = BENCHMARKS[model].title
    return grid(["model", "", "Sojourn", "NumPyro", "ratio"], lines)


def _judge(spread: Spread, bound: Goal | None) -> tuple[str, str]:
    if bound is None:
        return "", ""
    return str(bound), "yes" if bound.is_met(spread.median) else "**no**"


def show(spread: Spread) -> str:
    """Write a median with its spread."""
    if spread.low == spread.high:
        return _number(spread.median)
    return f"{_number(spread.median)} ({_number(spread.low)}–{_number(spread.high)})"


def show_ratio(spread: Spread) -> str:
    """Write a ratio with its spread."""
    if spread.low == spread.high:
        return f"{_number(spread.median)}×"
    return f"{_number(spread.median)}× ({_number(spread.low)}–{_number(spread.high)})"


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def grid(columns: list[str], lines: list[list[str]]) -> str:
    """Write lines under their columns; two on the left hold words, the others numbers."""
    if not lines:
        return ""
    ruler = ["---"] * 2 + ["--:"] * (len(columns) - 2)
    rows = [columns, ruler, *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
