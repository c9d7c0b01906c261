"""The stack: order of processing, stop, cleanliness after errors, one stack for each thread."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sojourn_primitives import Messenger, apply_stack, deterministic, handlers, plate, sample
from sojourn_primitives.stack import active_handlers, apply_outer


class Log(Messenger):
    def __init__(self, name, log, stop=False):
        super().__init__()
        self.name, self.log, self.stop = name, log, stop

    def process_message(self, msg):
        self.log.append(f"{self.name}: value {msg['value']}")
        msg["stop"] = self.stop

    def postprocess_message(self, msg):
        self.log.append(f"{self.name} again: value {msg['value']}")


def message(value=None):
    return {"type": "test", "name": "m", "fn": lambda: 7, "args": (), "kwargs": {}, "value": value}


def test_innermost_first_up_and_outermost_first_down():
    log = []
    with Log("outer", log), Log("inner", log):
        assert apply_stack(message())["value"] == 7
    assert log == [
        "inner: value None",
        "outer: value None",
        "outer again: value 7",
        "inner again: value 7",
    ]


def test_stop_hides_the_message_from_handlers_outside():
    log = []
    with Log("outer", log), Log("middle", log, stop=True), Log("inner", log):
        apply_stack(message(1))
    assert log == [
        "inner: value 1",
        "middle: value 1",
        "middle again: value 1",
        "inner again: value 1",
    ]


def test_apply_outer_reaches_only_the_handlers_outside():
    log = []
    middle = Log("middle", log)
    with Log("outer", log), middle, Log("inner", log):
        apply_outer(middle, message(1))
    assert log == ["outer: value 1", "outer again: value 1"]
    with pytest.raises(RuntimeError, match="Log is not open"):
        apply_outer(middle, message())


def test_an_exception_leaves_the_stack_clean(normal):
    def model():
        with plate("N", 3), handlers.mask(mask=False), handlers.scope(prefix="s"):
            sample("x", normal(), obs=np.zeros(3))
            raise KeyError("from the model")

    with pytest.raises(KeyError, match="from the model"):
        handlers.trace(handlers.seed(model, 0)).get_trace()
    assert active_handlers() == ()


def test_an_error_in_a_handler_leaves_the_stack_clean():
    class Broken(Messenger):
        def process_message(self, msg):
            raise ArithmeticError("from the handler")

    with pytest.raises(ArithmeticError), handlers.trace(), Broken():
        deterministic("d", 1.0)
    assert active_handlers() == ()


def test_handlers_left_out_of_order():
    outer, inner = handlers.trace(), handlers.seed(rng_seed=0)
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match=r"trace was left while seed, entered after it"):
        outer.__exit__(None, None, None)
    assert active_handlers() == ()
    with pytest.raises(RuntimeError, match=r"seed was left without being open"):
        inner.__exit__(None, None, None)


def test_threads_trace_at_the_same_time(normal):
    """All threads are inside the model together; none sees another's handlers."""
    workers = 8
    together = threading.Barrier(workers)

    def model(worker):
        with plate("N", worker + 1):
            together.wait(timeout=30)
            x = sample("x", normal(float(worker)))
            together.wait(timeout=30)
            return deterministic(f"own_{worker}", x)

    seeded = handlers.seed(model, 0)  # one handler that all threads share

    def run(worker):
        return handlers.trace(seeded).get_trace(worker)

    with handlers.trace() as outside, ThreadPoolExecutor(workers) as pool:
        traces = list(pool.map(run, range(workers)))
    assert outside == {}
    for worker, trace in enumerate(traces):
        assert list(trace) == ["N", "x", f"own_{worker}"]
        expected = handlers.seed(lambda w=worker: sample("x", normal(float(w)).expand((w + 1,))), 0)
        np.testing.assert_array_equal(trace["x"]["value"], expected())


def test_a_plate_can_be_shared_by_threads(normal):
    shared = plate("N", 3)
    together = threading.Barrier(2)

    def run(nested):
        with handlers.seed(rng_seed=0):
            if nested:
                with plate("M", 2), shared:
                    together.wait(timeout=30)
                    return sample("x", normal()).shape
            with shared:
                together.wait(timeout=30)
                return sample("x", normal()).shape

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, [False, True])) == [(3,), (3, 2)]
