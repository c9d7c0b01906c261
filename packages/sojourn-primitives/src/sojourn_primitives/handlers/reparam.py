"""Handler that replaces sample sites by other sites and a function of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sojourn_primitives.adapted import adapt
from sojourn_primitives.distribution_like import check_distribution_like
from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class Reparameterizer(Protocol):
    """What decides about one site."""

    def __call__(self, name: str, fn: Any, obs: Any) -> tuple[Any, Any]:
        """Return a pair ``(new_fn, value)`` for a site.

        Parameters
        ----------
        name : str
            The site's name.
        fn : DistributionLike
            Its distribution, as expanded and masked by the handlers inside of `reparam`, and by the
            site's ``sample_shape``.
        obs : array or None
            The value that the site has already: data, or what a handler inside gives.

        Returns
        -------
        tuple
            ``(None, value)`` makes the site deterministic, with a value that is computed from
            sites that the call itself states by `sample`. ``(new_fn, None)`` replaces the
            distribution. ``(new_fn, value)`` also sets the value; a site that had none becomes
            observed.
        """


class reparam(Messenger):
    """Reparameterize sample sites.

    The sites that a reparameterizer states go through all handlers, so they lie in the plates of
    the site that they replace, and under its masks and scales. A `scope` inside of this handler
    therefore prefixes them once more than the site; put `reparam` inside the scope to avoid that.

    Parameters
    ----------
    fn : callable, optional
        The model.
    config : dict or callable
        A `Reparameterizer` by site name; or a function of the message that returns one, or None to
        leave the site alone.

    Raises
    ------
    TypeError
        ``config`` or a reparameterizer cannot be called, or does not return a pair.
    ValueError
        A reparameterizer returns neither a distribution nor a value.

    References
    ----------
    Gorinova, Moore and Hoffman 2020, "Automatic reparameterisation of probabilistic programs",
    ICML.
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        config: Mapping[str, Reparameterizer]
        | Callable[[Message], Reparameterizer | None]
        | None = None,
    ) -> None:
        super().__init__(fn)
        if not isinstance(config, Mapping) and not callable(config):
            raise TypeError(
                "handlers.reparam needs config=..., a dict from site names to reparameterizers or "
                f"a function from the message to one, got {config!r}."
            )
        if isinstance(config, Mapping):
            for name, strategy in config.items():
                _check_callable(name, strategy)
        self.config = config

    def process_message(self, msg: Message) -> None:
        if msg["type"] != "sample":
            return
        name: Any = msg["name"]
        config = self.config
        strategy = config.get(name) if isinstance(config, Mapping) else config(msg)
        if strategy is None:
            return
        _check_callable(name, strategy)
        shape = tuple(msg["kwargs"]["sample_shape"])
        if shape:
            # The sites that stand for this one know of it by the distribution alone.
            fn: Any = msg["fn"]
            msg["fn"] = fn.expand(shape + tuple(fn.batch_shape))
            msg["kwargs"]["sample_shape"] = ()
        returned: Any = strategy(name, msg["fn"], msg["value"])
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise TypeError(
                f"handlers.reparam: the reparameterizer {strategy!r} of site {name!r} must return "
                f"a pair (new_fn, value), got {type(returned).__name__}."
            )
        new_fn, value = returned
        if new_fn is None:
            if value is None:
                raise ValueError(
                    f"handlers.reparam: the reparameterizer {strategy!r} of site {name!r} returned "
                    "(None, None). Return (None, value) for a computed value, or (new_fn, None) "
                    "for another distribution."
                )
            msg["type"] = "deterministic"
            for field in ("is_observed", "infer", "scale", "intermediates"):
                del msg[field]  # type: ignore[misc]
            msg["value"] = value
            return
        new_fn = adapt(new_fn)
        check_distribution_like(name, new_fn)
        msg["fn"] = new_fn
        if value is not None:
            msg["is_observed"] = msg["is_observed"] or msg["value"] is None
            msg["value"] = value


def _check_callable(name: str, strategy: Any) -> None:
    if isinstance(strategy, type) or not callable(strategy):
        raise TypeError(
            f"handlers.reparam: the reparameterizer of site {name!r} must be an object that is "
            f"called with (name, fn, obs), got {strategy!r}."
        )
