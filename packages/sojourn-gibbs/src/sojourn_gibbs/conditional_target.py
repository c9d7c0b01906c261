"""A model given some of its sites: what one block of a composition samples from.

The values that are fixed travel in the open, as the first argument of the conditioned model. So a
kernel on the conditioned model is a function of them like of any other argument: it is told of new
ones by `MCMCKernel.refresh` and moves on the density that they make.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from sojourn_hmc import ModelBased, Target
from sojourn_primitives import Message, handlers


class Given(NamedTuple):
    """Arguments of a conditioned model: the tuple itself is a kernel's ``model_args``.

    Attributes
    ----------
    fixed : dict
        Values of sites by name, in their own (constrained) space; or indices of plates, ``(m,)``.
    args, kwargs : tuple, dict
        Arguments of the model.
    """

    fixed: dict[str, Any]
    args: tuple
    kwargs: dict


def conditioned(model: Callable) -> Callable:
    """Return the model of ``(fixed, args, kwargs)``, see `Given`, in which what is fixed is data.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import ModelTarget
    >>> from sojourn_primitives import sample
    >>> def model(scale):
    ...     x = sample("x", dist.Normal(0.0, 1.0))
    ...     sample("y", dist.Normal(x, scale))
    >>> setup = ModelTarget(conditioned(model)).setup(Given({"x": 1.0}, (2.0,), {}), {})
    >>> round(float(setup.potential({"y": 3.0})), 3)
    3.531
    """

    @functools.wraps(model)
    def conditioned_model(fixed: dict[str, Any], args: tuple, kwargs: dict) -> Any:
        def indices(message: Message) -> Any:
            return fixed.get(str(message["name"])) if message["type"] == "plate" else None

        with handlers.substitute(substitute_fn=indices), handlers.condition(data=fixed):
            return model(*args, **kwargs)

    return conditioned_model


def conditional_target(target: Target) -> Target:
    """Return the target on the `conditioned` model of a target, to be called with `Given`.

    Raises
    ------
    TypeError
        If the target is not made from a model.
    """
    if not isinstance(target, ModelBased):
        raise TypeError(
            f"{target!r} is not made from a model function, so none of its sites can be fixed: "
            "give the kernel a model"
        )
    return target.with_model(conditioned(target.model))
