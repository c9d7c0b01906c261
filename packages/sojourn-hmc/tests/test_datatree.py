"""Names of draws and statistics for ArviZ; whom to ask for names of axes and data."""

from collections import namedtuple

import numpy as np

from sojourn_hmc import HMC, NUTS, PotentialTarget
from sojourn_hmc.datatree import by_name, statistics
from sojourn_hmc.variables import Variables, describe


class Labelled(PotentialTarget):
    """A target that names its axes."""

    def describe(self, model_args, model_kwargs):
        return Variables({"x": ("time",)}, {"y": model_args[0]})


def test_parts_of_any_pytree_have_names():
    point = namedtuple("Point", ["x", "y"])
    assert list(by_name(point(np.zeros(2), np.ones(2)))) == ["x", "y"]
    nested = by_name({"a": {"b": np.zeros(1), "c": {"d": np.ones(1)}}, "e": np.zeros(1)})
    assert list(nested) == ["a.b", "a.c.d", "e"]
    assert list(by_name([np.zeros(1), (np.ones(1),)])) == ["Param:0", "Param:1"]


def test_statistics_have_the_names_of_arviz():
    fields = {
        "potential_energy": np.array([[1.5, -2.0]]),
        "num_steps": np.array([[1, 2, 3, 4, 7, 8, 1023]]),
        "accept_prob": np.ones((1, 2)),
        "adapt_state.step_size": np.ones((1, 2)),
        "mean_accept_prob": np.ones((1, 2)),
        "z_grad": {"x": np.zeros((1, 2))},
    }
    named = statistics(NUTS(potential_fn=lambda z: z**2), fields)
    np.testing.assert_array_equal(named["lp"], [[-1.5, 2.0]])
    np.testing.assert_array_equal(named["tree_depth"], [[1, 2, 2, 3, 3, 4, 10]])
    assert set(named) == {
        "lp",
        "n_steps",
        "tree_depth",
        "acceptance_rate",
        "step_size",
        "mean_accept_prob",
        "z_grad.x",
    }
    inside = statistics(
        HMC(potential_fn=lambda z: z**2), {"hmc_state.potential_energy": np.ones(2)}
    )
    np.testing.assert_array_equal(inside["lp"], -np.ones(2))
    # A trajectory of a fixed number of steps is no tree.
    assert "tree_depth" not in statistics(HMC(potential_fn=lambda z: z**2), fields)


def test_a_target_is_asked_through_its_kernel_and_kernels_around_it():
    kernel = NUTS(Labelled(lambda z: z["x"] ** 2))
    assert describe(kernel, (3.0,), {}) == Variables({"x": ("time",)}, {"y": 3.0})

    class Around:
        inner_kernel = kernel

    assert describe(Around(), (3.0,), {}).dims == {"x": ("time",)}
    assert describe(object(), (), {}) == Variables()
