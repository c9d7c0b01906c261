"""The two ways to give probabilities, `probs` and `logits`, and the choice between them."""

from __future__ import annotations

import math
from typing import Any

from sojourn_distributions.numerics import log_positive

__all__ = ["choose", "log_probability"]


def choose(probs_class: Any, logits_class: Any, *, probs: Any, logits: Any, **others: Any) -> Any:
    """Build the class for whichever of `probs` and `logits` is given; exactly one must be."""
    given = [name for name, value in (("probs", probs), ("logits", logits)) if value is not None]
    if len(given) != 1:
        raise ValueError(f"Exactly one of ['probs', 'logits'] must be specified; got {given}.")
    if probs is not None:
        return probs_class(probs=probs, **others)
    return logits_class(logits=logits, **others)


def log_probability(probs: Any, floor: float = -math.inf) -> Any:
    """``log(probs)``, and ``floor``, with gradient 0, where that would be minus infinity."""
    return log_positive(probs, floor)
