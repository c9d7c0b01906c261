"""The two ways to give probabilities, `probs` and `logits`, and the choice between them."""

from __future__ import annotations

from typing import Any

__all__ = ["choose"]


def choose(probs_class: Any, logits_class: Any, *, probs: Any, logits: Any, **others: Any) -> Any:
    """Build the class for whichever of `probs` and `logits` is given; exactly one must be."""
    given = [name for name, value in (("probs", probs), ("logits", logits)) if value is not None]
    if len(given) != 1:
        raise ValueError(f"Exactly one of ['probs', 'logits'] must be specified; got {given}.")
    if probs is not None:
        return probs_class(probs=probs, **others)
    return logits_class(logits=logits, **others)
