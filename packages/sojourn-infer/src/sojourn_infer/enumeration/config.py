"""Which discrete sites are to be summed out: marks on sites, set by hand or for a whole model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sojourn_infer.enumeration.support import has_finite_support, is_discrete
from sojourn_primitives import Message
from sojourn_primitives.handlers import infer_config

MARK = "enumerate"
PARALLEL = "parallel"


def is_marked(site: Message) -> bool:
    """Whether a site is a random variable without data that is to be summed out.

    Raises
    ------
    ValueError
        The mark is not one that is known.
    """
    mark = site["infer"].get(MARK)
    if mark is None or site["is_observed"]:
        return False
    if mark != PARALLEL:
        raise ValueError(
            f"site {site['name']!r}: infer={{'enumerate': {mark!r}}} is not known; write "
            "'parallel', the only strategy there is."
        )
    return True


def elimination_of_steps(site: Message) -> str:
    """How a site of a scan asks for the steps to be summed out: "sequential", if it does not ask.

    Raises
    ------
    ValueError
        The option has another value than those that are known.
    """
    how = site.get("infer", {}).get("chain", "sequential")
    if how not in ("sequential", "blocks", "pairwise"):
        raise ValueError(
            f"site {site['name']!r}: infer={{'chain': {how!r}}} is not known; write 'sequential' "
            "(the default, least work), 'blocks' (least memory, for very many steps) or 'pairwise' "
            "(fewest rounds, for accelerators)."
        )
    return str(how)


def config_enumerate(
    fn: Callable[..., Any] | None = None, default: str | None = PARALLEL
) -> Callable[..., Any]:
    """Mark all discrete latent sites with a finite support to be summed out.

    Sites with a mark of their own, ``infer={"enumerate": ...}``, keep it.

    Parameters
    ----------
    fn : callable, optional
        The model. Without it, returns a decorator.
    default : str or None
        ``"parallel"``, or None to mark nothing.

    Returns
    -------
    callable
        The model with marks.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer.enumeration import config_enumerate
    >>> from sojourn_primitives import handlers, sample
    >>> def model():
    ...     sample("z", dist.Bernoulli(0.5))
    >>> marked = handlers.seed(config_enumerate(model), rng_seed=0)
    >>> handlers.trace(marked).get_trace()["z"]["infer"]
    {'enumerate': 'parallel'}
    """
    if default not in (None, PARALLEL):
        raise ValueError(f"config_enumerate: default must be 'parallel' or None, got {default!r}.")

    def mark(site: Message) -> dict[str, Any]:
        if default is None or MARK in site["infer"] or site["is_observed"]:
            return {}
        if not (is_discrete(site) and has_finite_support(site)):
            return {}
        return {MARK: default}

    return infer_config(fn, config_fn=mark)
