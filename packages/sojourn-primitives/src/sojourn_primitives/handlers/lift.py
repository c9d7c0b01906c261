"""Handler that turns parameters into random variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sojourn_primitives.adapted import adapt
from sojourn_primitives.distribution_like import DistributionLike, check_distribution_like
from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class lift(Messenger):
    """Turn `param` sites into `sample` sites with a prior.

    Parameters
    ----------
    fn : callable, optional
        The model.
    prior : DistributionLike or dict
        One prior for every parameter, or priors by name; parameters without one stay parameters.

    Raises
    ------
    ValueError
        No prior is given.
    TypeError
        A prior is not distribution-like.
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        prior: DistributionLike | Mapping[str, DistributionLike] | None = None,
    ) -> None:
        super().__init__(fn)
        if prior is None:
            raise ValueError(
                "handlers.lift needs prior=..., a distribution or a dict of them by parameter name."
            )
        if isinstance(prior, Mapping):
            prior = {name: adapt(distribution) for name, distribution in prior.items()}
            for name, distribution in prior.items():
                check_distribution_like(name, distribution)
        else:
            prior = adapt(prior)
            check_distribution_like("prior", prior)
        self.prior = prior

    def process_message(self, msg: Message) -> None:
        if msg["type"] != "param":
            return
        prior = self.prior
        fn = prior.get(msg["name"]) if isinstance(prior, Mapping) else prior  # type: ignore[arg-type]
        if fn is None:
            return
        msg["type"] = "sample"
        msg["fn"] = fn
        msg["args"] = ()
        msg["kwargs"] = {"rng_key": msg["kwargs"].get("rng_key"), "sample_shape": ()}
        msg["is_observed"] = False
        msg["intermediates"] = []
        msg["infer"] = {}
