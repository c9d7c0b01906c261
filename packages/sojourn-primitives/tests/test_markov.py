"""`markov`: which steps a site sees around it, and that models run as without it."""

import pytest

from sojourn_primitives import Unit, handlers, markov, sample


def frames_of(model):
    """The `markov` frames of each site of a model."""
    trace = handlers.trace(model).get_trace()
    return {name: site.get("markov", ()) for name, site in trace.items()}


def site(name):
    unit = Unit(0.0)
    sample(name, unit, obs=unit.sample())


def test_steps_of_a_loop_are_successive():
    def model():
        site("before")
        for t in markov(range(4), history=1):
            site(f"x_{t}")
        site("after")

    frames = frames_of(model)
    assert frames["before"] == frames["after"] == ()
    paths = [frames[f"x_{t}"][0].path for t in range(4)]
    assert [len(path) for path in paths] == [1, 2, 3, 3]  # history + 2 of them are kept
    assert paths[3][:-1] == paths[2][1:] and paths[3][0] == paths[1][-1]
    assert len({frames[f"x_{t}"][0].context for t in range(4)}) == 1


def test_entries_of_a_context_are_branches_unless_kept():
    def model(keep):
        context = markov(keep=keep)
        for t in range(2):
            with context:
                site(f"x_{t}")

    branches, steps = (
        [frames[0].path for frames in frames_of(lambda: model(keep)).values()]  # noqa: B023
        for keep in (False, True)
    )
    assert [len(path) for path in branches] == [1, 1] and branches[0] != branches[1]
    assert steps[1][0] == steps[0][0] and len(steps[1]) == 2


def test_calls_inside_of_a_call_are_the_steps_that_follow():
    @markov
    def visit(depth):
        site(f"x_{depth}")
        if depth < 2:
            visit(depth + 1)

    frames = frames_of(lambda: visit(0))
    assert [len(frames[f"x_{depth}"][0].path) for depth in range(3)] == [1, 2, 3]
    assert all(len(frames[name]) == 1 for name in frames)


def test_a_loop_that_is_left_early_leaves_its_context():
    def model():
        for t in markov(range(5)):
            site(f"x_{t}")
            if t == 1:
                break
        site("after")

    assert frames_of(model)["after"] == ()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="history counts earlier steps"):
        markov(history=-1)
    with pytest.raises(TypeError, match="a function or what is iterated over, got 3"):
        markov(3)
