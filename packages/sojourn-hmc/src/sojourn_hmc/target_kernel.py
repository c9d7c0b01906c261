"""What kernels on a target share: they ask it, and can be had on another one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.target import ModelBased, Potential, Target, target_of


class TargetKernel(MCMCKernel):
    """A kernel that samples from a `Target`.

    Parameters
    ----------
    target : Target or None
        What to sample.
    potential_fn : Callable or None
        In place of ``target``: maps a position (any pytree) to the negative log density.

    Examples
    --------
    >>> from sojourn_hmc import HMC, PotentialTarget
    >>> kernel = HMC(potential_fn=lambda z: 0.5 * z**2, num_steps=5)
    >>> other = kernel.with_target(PotentialTarget(lambda z: z**4))
    >>> other.num_steps, other.target is kernel.target
    (5, False)
    """

    def __init__(self, target: Target | None, potential_fn: Potential | None):
        self.target = target_of(target, potential_fn)

    @property
    def model(self) -> Callable | None:
        """The model that the target is made from, if it is made from one."""
        return self.target.model if isinstance(self.target, ModelBased) else None

    def with_target(self, target: Target) -> Self:
        """Return a kernel with these settings on another target; this one stays as it is."""
        other = copy.copy(self)  # without compiled programs, which belong to the old target
        other.target = target_of(target, None)
        return other

    def wrap_model(self, wrapper: Callable[[Callable], Callable]) -> Self:
        """Return this kernel on the model ``wrapper(model)``; see `MCMCKernel.wrap_model`."""
        if not isinstance(self.target, ModelBased):
            raise NotImplementedError(
                f"{type(self).__name__} is not made from a model function, so there is no model to "
                "wrap: use with_target"
            )
        return self.with_target(self.target.with_model(wrapper(self.target.model)))

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Ask the target whether it can be sampled."""
        self.target.check(model_args, model_kwargs, init_params)

    def get_constrain_fn(
        self,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
        return_deterministic: bool = False,
    ) -> Callable[[Any], Any]:
        """Return the map to constrained values; see `MCMCKernel.get_constrain_fn`.

        Parameters
        ----------
        model_args, model_kwargs
            Arguments of the model.
        return_deterministic : bool
            Whether to give what the target reports besides, such as deterministic sites.
        """
        constrain = self.postprocess_fn(model_args, model_kwargs or {})

        def sampled(position: Any) -> Any:
            values = constrain(position)
            if return_deterministic or not isinstance(position, dict):
                return values
            return {name: values[name] for name in position}

        return sampled

    def postprocess_fn(self, args: tuple, kwargs: dict) -> Callable[[Any], Any]:
        """Return the target's map from unconstrained to constrained values."""
        return self.target.setup(args, kwargs, None).constrain
