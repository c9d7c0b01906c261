"""What is shown of a run: on a terminal, in a log, and how much it says."""

import io
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import MCMC, NUTS
from sojourn_hmc.progress import display

KERNEL = NUTS(potential_fn=lambda z: jnp.sum(jnp.exp(z["x"]) - z["x"]))
KEY = jax.random.key(2)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(num_chains=2, **settings):
    shape = (num_chains, 2) if num_chains > 1 else (2,)
    mcmc = MCMC(KERNEL, num_warmup=40, num_samples=60, num_chains=num_chains, **settings)
    start = {"x": np.zeros(shape, np.float32)}
    mcmc.run(KEY, init_params=start, extra_fields=("num_steps",))
    return mcmc


@pytest.mark.parametrize("method", ["parallel", "vectorized"])
def test_a_terminal_has_one_bar_for_all_chains(method, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    run(chain_method=method, progress_rate=10)
    shown = terminal.getvalue()
    assert shown.count("\n") == 1  # at its end
    frames = shown.split("\r")
    assert any(frame.startswith("warmup:") for frame in frames)
    last = frames[-1]
    assert "200/200" in last and last.startswith("sample: 100%")
    assert re.search(r"steps of size \d\.\d+e", last)
    assert re.search(r"\d\.\d steps per draw, 0 divergences", last)


def test_steps_per_draw_are_those_of_the_draws(capsys):
    mcmc = run(progress_rate=10)
    lines = capsys.readouterr().err.splitlines()
    assert all(line.isprintable() for line in lines)  # no control characters
    shown = float(re.search(r"([\d.]+) steps per draw", lines[-1]).group(1))
    steps = np.asarray(mcmc.get_extra_fields()["num_steps"])
    assert shown == pytest.approx(steps.mean(), abs=0.051)


def test_a_log_has_ten_lines_at_most_unless_asked(capsys):
    run()
    assert 1 <= len(capsys.readouterr().err.splitlines()) <= 10
    run(num_chains=1, progress_rate=5)
    assert len(capsys.readouterr().err.splitlines()) == 20


def test_a_run_that_goes_on_begins_where_it_was(capsys, tmp_path):
    shown = display(100, True, done=40)
    shown.show(41, "sample", str)
    shown.show(55, "sample", lambda: "words")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(" 55% 55/100") and lines[0].endswith("sample: words")


def test_nothing_is_described_that_is_not_shown(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    described = []
    shown = display(10_000, True)
    for done in range(1, 10_001):
        shown.show(done, "sample", lambda done=done: described.append(done) or "")
    shown.close()
    assert 2 <= len(described) < 100
