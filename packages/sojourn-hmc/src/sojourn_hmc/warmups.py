"""The ways to warm up, by the names that users give them."""

from __future__ import annotations

from typing import Any

from sojourn_hmc.adaptation.fisher import FisherWarmup
from sojourn_hmc.adaptation.fisher_low_rank import LowRankWarmup
from sojourn_hmc.adaptation.pooled import Pooled, PooledWarmup
from sojourn_hmc.adaptation.stan import StanWarmup
from sojourn_hmc.adaptation.warmup import Warmup, WarmupSettings

WARMUPS: dict[str, type[Warmup]] = {
    "stan": StanWarmup,
    "fisher": FisherWarmup,
    "low_rank": LowRankWarmup,
}


def choose_warmup(warmup: Any, settings: WarmupSettings) -> Warmup:
    """Make the warmup of a name, of a class of the user's own, or one of these shared by chains.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(warmup, Pooled):
        return PooledWarmup(choose_warmup(warmup.warmup, settings))
    if isinstance(warmup, type) and issubclass(warmup, Warmup):
        return warmup(settings)
    if isinstance(warmup, str) and warmup in WARMUPS:
        return WARMUPS[warmup](settings)
    raise ValueError(
        f"warmup must be one of {sorted(WARMUPS)}, a subclass of Warmup, or Pooled(one of these), "
        f"got {warmup!r}"
    )
