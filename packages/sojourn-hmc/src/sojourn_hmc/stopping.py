"""Rules that end a run early: enough effective draws, agreement of chains, time.

A rule is called with a `RunView` between two chunks, and ends the run when it says so. Rules
combine with ``&`` and ``|``, also with functions of one's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sojourn_hmc.diagnostics import ess_bulk, ess_tail, named_leaves, rhat
from sojourn_hmc.screening import screen
from sojourn_hmc.view import RunView

LEAST_DRAWS = 100  # of each chain, before draws are judged
GROWTH = 1.2  # of the draws from one judgement to the next, so that all cost as much as a few last


class StoppingRule(ABC):
    """What ends a run. A rule of one's own fills in `__call__`.

    Examples
    --------
    >>> rule = (EffectiveSampleSize(400) & RHat(1.01)) | WallTime(minutes=10)
    >>> rule
    (EffectiveSampleSize(400) & RHat(1.01)) | WallTime(seconds=600)
    """

    @abstractmethod
    def __call__(self, view: RunView) -> bool:
        """Whether the run may end."""

    def __and__(self, other: Callable[[RunView], Any]) -> StoppingRule:
        return Combined(self, other, "&")

    def __or__(self, other: Callable[[RunView], Any]) -> StoppingRule:
        return Combined(self, other, "|")


class Combined(StoppingRule):
    """Two rules of which both, or either, must be fulfilled."""

    def __init__(
        self, one: Callable[[RunView], Any], other: Callable[[RunView], Any], operator: str
    ):
        self.rules = (one, other)
        self.operator = operator

    def __call__(self, view: RunView) -> bool:
        verdicts = [bool(rule(view)) for rule in self.rules]
        return all(verdicts) if self.operator == "&" else any(verdicts)

    def __repr__(self) -> str:
        words = [f"({rule!r})" if isinstance(rule, Combined) else repr(rule) for rule in self.rules]
        return f" {self.operator} ".join(words)


class WallTime(StoppingRule):
    """A time since `MCMC.run` or `MCMC.resume` was called, warmup included.

    Parameters
    ----------
    seconds, minutes, hours : float
        They are added up.
    """

    def __init__(self, seconds: float = 0, minutes: float = 0, hours: float = 0):
        self.seconds = seconds + 60 * minutes + 3600 * hours
        if not self.seconds > 0:
            raise ValueError(f"a time must be positive, got {self.seconds} seconds")

    def __call__(self, view: RunView) -> bool:
        return view.seconds >= self.seconds

    def __repr__(self) -> str:
        return f"WallTime(seconds={self.seconds:g})"


class OfDraws(StoppingRule):
    """A rule that judges the draws of every component, after a hundred draws of each chain.

    They are judged as the run holds them (`RunView.draws`), mostly in the unconstrained space: a
    monotone map changes no statistic of ranks.
    """

    def __init__(self) -> None:
        self._view: RunView | None = None
        self._judged = 0
        self._verdict = False

    def __call__(self, view: RunView) -> bool:
        if view is not self._view:  # another run
            self._view, self._judged, self._verdict = view, 0, False
        num_draws = view.num_draws if view.phase == "sample" else 0
        if num_draws >= max(LEAST_DRAWS, GROWTH * self._judged):
            self._judged = num_draws
            self._verdict = all(map(self.is_fulfilled_by, _components(view.draws())))
        return self._verdict

    @abstractmethod
    def is_fulfilled_by(self, draws: np.ndarray) -> bool:
        """Whether the draws ``(chains, draws, 1)`` of a component fulfil the rule."""

    def __getstate__(self) -> dict:
        """Leave the run behind that is being judged."""
        return {**vars(self), "_view": None}


def _components(samples: Any) -> Iterator[np.ndarray]:
    """Components one by one, those first that look worst, so that most runs are judged by one."""
    leaves = [np.asarray(leaf) for leaf in named_leaves(samples).values()]
    flat = [leaf.reshape(*leaf.shape[:2], -1) for leaf in leaves if leaf.size]
    order = []
    for n, leaf in enumerate(flat):
        suspects = screen(leaf, np.inf)
        order += [(ess, n, k) for ess, k in zip(suspects.ess, suspects.doubtful, strict=True)]
        order += [(-1.0, n, k) for k in suspects.not_finite]
    for _, n, k in sorted(order):
        yield flat[n][:, :, k : k + 1]


class EffectiveSampleSize(OfDraws):
    """An effective sample size that every component has reached, in bulk and in the tails.

    Parameters
    ----------
    least : float
        Of all chains together. Vehtari et al. 2021 ask for 100 from each chain.
    """

    def __init__(self, least: float):
        super().__init__()
        if not least > 0:
            raise ValueError(f"an effective sample size must be positive, got {least}")
        self.least = least

    def is_fulfilled_by(self, draws: np.ndarray) -> bool:
        """Whether bulk and tail have the size; see `OfDraws`."""
        return bool(np.all(ess_bulk(draws) >= self.least) and np.all(ess_tail(draws) >= self.least))

    def __repr__(self) -> str:
        return f"EffectiveSampleSize({self.least:g})"


class RHat(OfDraws):
    """An R-hat that no component exceeds (Vehtari et al. 2021: of ranks, and of folded ones).

    Parameters
    ----------
    most : float
        Chains that agree come down to 1.
    """

    def __init__(self, most: float = 1.01):
        super().__init__()
        if not most > 1:
            raise ValueError(f"R-hat comes down to 1 at best: it must be allowed more than {most}")
        self.most = most

    def is_fulfilled_by(self, draws: np.ndarray) -> bool:
        """Whether chains agree; see `OfDraws`."""
        return bool(np.all(rhat(draws) <= self.most))

    def __repr__(self) -> str:
        return f"RHat({self.most:g})"
