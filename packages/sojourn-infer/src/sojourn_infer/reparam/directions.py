"""Coordinates without an edge for angles and directions."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from sojourn_distributions import ImproperUniform, Normal, ProjectedNormal, constraints
from sojourn_infer.reparam.location_scale import unwrapped_support
from sojourn_infer.reparam.strategy import Reparam, unwrap
from sojourn_primitives import factor, sample


class ProjectedNormalReparam(Reparam):
    """Sample the normal vector whose direction a `ProjectedNormal` site is.

    The site ``name_normal`` is a standard normal vector; the value is the direction of its sum with
    ``concentration``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer.reparam import ProjectedNormalReparam
    >>> from sojourn_primitives import handlers, sample
    >>> def model():
    ...     return sample("x", dist.ProjectedNormal(jnp.array([1.0, 2.0])))
    >>> reparametrized = handlers.reparam(model, config={"x": ProjectedNormalReparam()})
    >>> round(float(jnp.linalg.norm(handlers.seed(reparametrized, 0)())), 4)
    1.0
    """

    def __call__(self, name: str, fn: Any, obs: Any) -> tuple[Any, Any]:
        """State ``name_normal``; see `Reparam`."""
        self.check_latent(name, obs)
        inside, rewrap = unwrap(fn)
        if not isinstance(inside, ProjectedNormal):
            raise ValueError(
                f"ProjectedNormalReparam: site {name!r} has a {type(inside).__name__}, not a "
                "ProjectedNormal"
            )
        concentration = inside.concentration
        standard = Normal(jnp.zeros_like(concentration), 1.0).to_event(1)
        vector = concentration + sample(f"{name}_normal", rewrap(standard))
        return None, vector / jnp.linalg.norm(vector, axis=-1, keepdims=True)


class CircularReparam(Reparam):
    """Let an angle go round: sample it on the whole real line, where it has no edge.

    The site ``name_unwrapped`` is flat, the value is it modulo a turn, and ``name_factor`` adds the
    density of the angle. All turns are the same to the posterior, so read ``name`` and not
    ``name_unwrapped``, which has no distribution of its own.
    """

    def __call__(self, name: str, fn: Any, obs: Any) -> tuple[Any, Any]:
        """State ``name_unwrapped`` and ``name_factor``; see `Reparam`."""
        self.check_latent(name, obs)
        element, _ = unwrapped_support(fn.support)
        if element != constraints.circular:
            raise ValueError(
                f"CircularReparam: site {name!r} has the support {fn.support}, not that of angles "
                "(constraints.circular), as VonMises has it"
            )
        flat: Any = ImproperUniform(constraints.real, fn.batch_shape, fn.event_shape)
        unwrapped = sample(f"{name}_unwrapped", flat)
        value = jnp.remainder(unwrapped + math.pi, 2 * math.pi) - math.pi
        factor(f"{name}_factor", fn.log_prob(value))
        return None, value
