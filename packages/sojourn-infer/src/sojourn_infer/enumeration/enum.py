"""The handler that gives discrete sites all their values at once, along dims of their own."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_infer.enumeration.config import is_marked
from sojourn_infer.enumeration.dims import Dims
from sojourn_infer.enumeration.factors import Variable
from sojourn_infer.enumeration.nesting import max_plate_nesting
from sojourn_infer.enumeration.notes import Enumeration
from sojourn_infer.enumeration.scan import ScanOfSteps
from sojourn_infer.enumeration.stand_in import StandIns
from sojourn_infer.enumeration.support import along, checked_support
from sojourn_primitives import Message, Messenger
from sojourn_primitives.control_flow import ScanArguments


class enum(Messenger):
    """Give marked discrete sites all values of their supports at once, to be summed out.

    The value of a site marked ``infer={"enumerate": "parallel"}`` gets the shape
    ``(K, 1, ..., 1)``, its K values along a batch dim that no plate uses and that no other site
    has; in a plate the same values serve every element. What the model computes from it has that
    dim too. Sites that have a value already, by `condition`, `substitute` or data, are left alone.

    Parameters
    ----------
    fn : callable, optional
        The model.
    first_available_dim : int, optional
        The rightmost batch dim that may be used, negative: ``-1 - max_plate_nesting``. By default
        it is found from the model, which the handler must then wrap.
    supports : dict, optional
        Arrays that take the place of the values of sites, by name.
    stand_ins : StandIns, optional
        Gives latent sites that are drawn for each value of a discrete site one value for all.

    Raises
    ------
    ValueError
        A marked site is continuous or its support not finite; the dims collide with a plate; no dim
        is left.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer.enumeration import config_enumerate, enum
    >>> from sojourn_primitives import handlers, plate, sample
    >>> def model():
    ...     with plate("data", 5):
    ...         return sample("z", dist.Categorical(logits=[0.0, 1.0, 2.0]))
    >>> enum(config_enumerate(model))().shape
    (3, 1)
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        first_available_dim: int | None = None,
        *,
        supports: dict[str, Any] | None = None,
        stand_ins: StandIns | None = None,
    ) -> None:
        super().__init__(fn)
        if first_available_dim is not None and first_available_dim >= 0:
            raise ValueError(
                "enum: first_available_dim counts batch dims from the right and is negative, got "
                f"{first_available_dim}. With plates nested n deep, write -1 - n."
            )
        self.first_available_dim = first_available_dim
        self.supports = supports or {}
        self.stand_ins = stand_ins
        self._dims: Dims | None = None
        self._scan: ScanOfSteps | None = None
        self._scans = 0
        self._call: tuple[tuple, dict] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the wrapped model; without one yet, wrap ``args[0]``."""
        if self.fn is None:
            return super().__call__(*args, **kwargs)
        bound = copy.copy(self)
        bound._call = (args, kwargs)
        with bound:
            return self.fn(*args, **kwargs)

    def __enter__(self) -> Self:
        self._dims, self._scan, self._scans = None, None, 0
        super().__enter__()
        return self

    @property
    def dims(self) -> Dims:
        """The dims of this run."""
        if self._dims is None:
            self._dims = Dims(self._first_dim())
        return self._dims

    @property
    def is_used(self) -> bool:
        """Whether this run has enumerated a site."""
        return self._dims is not None

    def process_message(self, msg: Message) -> None:
        if msg["type"] == "control_flow":
            self._take_over_scan(msg)
        if msg["type"] != "sample":
            return
        if msg["value"] is None and is_marked(msg):
            self._enumerate(msg)
        elif self.is_used:
            dims = self._visible(msg)
            stand_ins = self.stand_ins
            stand_in = None if stand_ins is None else stand_ins.for_last_steps(msg, dims)
            msg["enumeration"] = Enumeration(None, dims, stand_in=stand_in)
        if self.is_used:
            self._check_plates(msg)

    def _enumerate(self, msg: Message) -> None:
        name = msg["name"]
        assert name is not None
        values = checked_support(msg)
        frames = msg.get("markov", ())
        if "_scan_depth" in msg:
            if self._scan is None or msg["_scan_depth"] > 1:
                raise NotImplementedError(
                    f"discrete site {name!r} lies in a scan inside of another scan's function; "
                    "only the sites of one scan can be summed out. Write the inner one as a Python "
                    "loop over markov(range(n)), or the outer one as a plate."
                )
            variable, dim = self._scan.slot(name, self.dims)
        else:
            variable = Variable(name)
            dim = self.dims.allocate(variable, frames)
        value = self.supports.get(name, along(values, dim))
        if "_scan_depth" in msg and self._scan is not None:
            value = self._scan.support(name, value)
        # An array with numbers, also while a program is traced: who indexes with it can see that it
        # counts through a support.
        if isinstance(value, np.ndarray):
            with jax.ensure_compile_time_eval():
                value = jax.device_put(value.astype(jnp.result_type(value)))
        msg["value"] = value
        msg["enumeration"] = Enumeration(variable, self._visible(msg), value)

    def postprocess_message(self, msg: Message) -> None:
        note = msg.get("enumeration")
        if self.stand_ins is None or msg["type"] != "sample" or msg["is_observed"]:
            return
        if isinstance(note, Enumeration) and note.variable is None:
            self.stand_ins.put(msg, note.dims)

    def _visible(self, msg: Message) -> dict[int, Variable]:
        visible = self.dims.visible(msg.get("markov", ()))
        if self._scan is not None and "_scan_depth" in msg:
            visible.update(self._scan.slots())
        return visible

    def _check_plates(self, msg: Message) -> None:
        first = self.dims.first_available_dim
        for frame in msg["cond_indep_stack"]:
            if frame.dim <= first:
                raise ValueError(
                    f"plate {frame.name!r} (size {frame.size}) uses dim {frame.dim} at site "
                    f"{msg['name']!r}, but discrete sites are enumerated from "
                    f"first_available_dim={first} on to the left. Give enum the "
                    f"first_available_dim {frame.dim - 1} or less (max_plate_nesting "
                    f"{-frame.dim} or more), or leave it out to have it found."
                )

    def _take_over_scan(self, msg: Message) -> None:
        # Not a cond, not a scan within a scan, and none that an enum inside of this one has taken.
        if not isinstance(msg["args"], ScanArguments) or self._scan or "enumeration" in msg:
            return
        msg["enumeration"] = self
        self._scans += 1
        msg["fn"] = functools.partial(self._run_scan, msg["fn"])

    def _run_scan(self, plain: Callable[..., Any], *args: Any, rng_key: Any) -> Any:
        """Run a scan step by step with enumerated states; as it is, if it has nothing to do."""
        self._scan = ScanOfSteps(self, self._scans, *args, rng_key=rng_key)
        try:
            result = self._scan.run()
        finally:
            self._scan = None
        return plain(*args, rng_key=rng_key) if result is None else result

    def _first_dim(self) -> int:
        if self.first_available_dim is not None:
            return self.first_available_dim
        if self.fn is None or self._call is None:
            raise ValueError(
                "enum: without a model to wrap it cannot find the dims that plates use. Write "
                "enum(model), or give first_available_dim, -1 minus the depth of nested plates."
            )
        args, kwargs = self._call
        return -1 - max_plate_nesting(self.fn, args, kwargs)
