"""The ratios to NumPyro that Sojourn sets itself; what is not listed has no goal."""

from typing import NamedTuple


class Goal(NamedTuple):
    """A bound on a number in the table."""

    least: float | None = None
    most: float | None = None

    def is_met(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    def __str__(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


# First run and second run: with native loops, without.
_FIRST = {"eight-schools": (8, 4), "logistic": (5, 2.5), "volatility": (3.5, 1.75)}
_SECOND = {"eight-schools": (75, 30), "logistic": (8, 6), "volatility": (8, 6)}
_TINY = "eight-schools"
_EXPENSIVE = "logistic"  # a gradient takes 20 microseconds or more

EFFECTIVE_DRAWS_PER_GRADIENT = Goal(least=1.25)
SPEED_UP_ON_TWO_CORES = Goal(least=1.6)


def goal(model: str, setting: str, quantity: str) -> Goal | None:
    """Look up the goal for a row of the main tables.

    Parameters
    ----------
    model, setting : str
        As in `jobs`; the goals for native loops hold as shipped too.
    quantity : str
        As in `measure`.
    """
    plain = setting == "plain"
    if quantity == "first_seconds":
        return Goal(least=_FIRST[model][plain])
    if quantity == "second_seconds":
        return Goal(least=_SECOND[model][plain])
    if quantity == "second_compilations":
        return Goal(most=0)
    if quantity == "leapfrog_microseconds" and model == _TINY and not plain:
        return Goal(least=8)
    if quantity == "leapfrog_over_floor" and model == _EXPENSIVE:
        return Goal(most=1.2)
    return None
