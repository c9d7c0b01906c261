"""The contract of reparameterizers, and distributions seen under what wraps them.

Invariant of all of them: the joint density of the new sites, carried through the function that
gives the old site its value, is the old density. So a sampler moves in other coordinates of the
same posterior.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from sojourn_distributions import ExpandedDistribution, Independent, MaskedDistribution

Rewrap = Callable[[Any], Any]
_SHAPES_AND_MASKS = (ExpandedDistribution, Independent, MaskedDistribution)


class Reparam(ABC):
    """Replaces a latent site by others, and says how its value is computed from theirs."""

    @abstractmethod
    def __call__(self, name: str, fn: Any, obs: Any) -> tuple[Any, Any]:
        """Return ``(None, value)``, or ``(fn, obs)`` to leave the site as it is.

        Parameters
        ----------
        name : str
            The site's name; new sites are stated as ``name_...``.
        fn : Distribution
            Its distribution, expanded by plates.
        obs : array or None
            Data, or a value that a handler inside gives: not for a reparameterizer.
        """

    def check_latent(self, name: str, obs: Any) -> None:
        """Raise a ValueError if the site has a value already."""
        if obs is not None:
            raise ValueError(
                f"{type(self).__name__}: site {name!r} has a value; only latent sites have other "
                "coordinates. Leave it out of the config of handlers.reparam"
            )


def unwrap(fn: Any, *kinds: type) -> tuple[Any, Rewrap]:
    """Take off what changes only the shape or the weight of a distribution.

    Parameters
    ----------
    fn : Distribution
        The distribution.
    *kinds : type
        Wrappers to take off; expansions, batches as events and masks by default.

    Returns
    -------
    tuple
        What is inside, and a function that wraps another distribution in the same way.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> inside, rewrap = unwrap(dist.Normal(0.0, 1.0).expand([3]).to_event(1))
    >>> inside, rewrap(dist.Laplace(0.0, 1.0)).event_shape
    (<Normal with batch shape () and event shape ()>, (3,))
    """
    wrappers: list[Any] = []
    inside = fn
    while isinstance(inside, kinds or _SHAPES_AND_MASKS):
        wrappers.append(inside)
        inside = wrappers[-1].base_dist

    def rewrap(inside: Any) -> Any:
        for wrapper in reversed(wrappers):
            inside = wrapper.around(inside)
        return inside

    return inside, rewrap


def under_masks(reparam: Reparam, name: str, fn: Any) -> tuple[Any, Rewrap]:
    """Take off masks and expansions, for a change of variables of what is inside.

    Raises
    ------
    ValueError
        If there is a mask deeper inside: where it counts no density, no volume must count either.
    """
    inside, rewrap = unwrap(fn, ExpandedDistribution, MaskedDistribution)
    deeper: Any = inside
    while (deeper := getattr(deeper, "base_dist", None)) is not None:
        if isinstance(deeper, MaskedDistribution):
            raise ValueError(
                f"{type(reparam).__name__}: the distribution of site {name!r} is masked element by "
                "element of its events; mask it after to_event, or with handlers.mask"
            )
    return inside, rewrap
