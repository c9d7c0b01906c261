"""Parameters: stored as leaves, held against constraints, giving a distribution its shapes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import jax
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike, float_dtype, is_concrete, on_host
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.pytree import PytreeNode
from sojourn_distributions.validation import enable_validation, first_violation, is_validating

__all__ = ["Parametrized", "complaint", "derived_parameter"]

Shape = tuple[int, ...]


class derived_parameter:
    """A parameter that, where it was not given, is computed from those that were.

    Unlike a property it gives way to a value stored on the instance, and unlike a cached property
    it stores nothing: a value computed inside `jit` must not outlive the trace.
    """

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else self._compute(instance)


class Parametrized(PytreeNode):
    """An object with parameters under constraints, and the shapes that follow from them.

    A pytree whose leaves are the parameters as given: building one from Python or NumPy numbers
    creates no JAX array.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {}
    reparametrized_params: ClassVar[Sequence[str]] = ()
    # Further attributes that are leaves / static, beside the parameters; gathered over the bases.
    pytree_data_fields: ClassVar[tuple[str, ...]] = ()
    pytree_aux_fields: ClassVar[tuple[str, ...]] = ()

    _given: frozenset[str] = frozenset()

    def __init__(
        self,
        batch_shape: Shape = (),
        event_shape: Shape = (),
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._stored_batch_shape = tuple(batch_shape)
        self._stored_event_shape = tuple(event_shape)
        self._finish(validate_args)

    def _set_parameters(self, validate_args: bool | None, /, **parameters: ArrayLike) -> None:
        """Store the parameters that are not None, derive the shapes and validate."""
        for name, value in parameters.items():
            if value is not None:
                setattr(self, name, np.asarray(value) if isinstance(value, list | tuple) else value)
        self._finish(validate_args)
        try:
            self.batch_shape  # noqa: B018 -- computed here so that a mismatch is reported early
        except ValueError as error:
            shapes = {name: np.shape(value) for name, value in self.get_args().items()}
            raise ValueError(
                f"{type(self).__name__}: parameter shapes {shapes} do not broadcast together; "
                "make their batch dimensions equal or 1"
            ) from error

    def _finish(self, validate_args: bool | None) -> None:
        self._given = frozenset(name for name in self.arg_constraints if name in self.__dict__)
        self._validate_args = validate_args
        if is_validating() if validate_args is None else validate_args:
            self.validate_args(strict=False)

    # --- pytree --------------------------------------------------------------------------

    @classmethod
    def gather_pytree_data_fields(cls) -> tuple[str, ...]:
        """`pytree_data_fields` of the class and its bases."""
        return _gather(cls, "pytree_data_fields")

    @classmethod
    def gather_pytree_aux_fields(cls) -> tuple[str, ...]:
        """`pytree_aux_fields` of the class and its bases."""
        return _gather(cls, "pytree_aux_fields")

    def _data_fields(self) -> tuple[str, ...]:
        # A parameter cached later by a lazy property is not part of the structure.
        parameters = tuple(
            name
            for name in self.arg_constraints
            if name in self._given
            or not isinstance(getattr(type(self), name, None), functools.cached_property)
        )
        return tuple(dict.fromkeys(parameters + self.gather_pytree_data_fields()))

    def _aux_fields(self) -> tuple[str, ...]:
        stored = ("_given", "_validate_args", "_stored_batch_shape", "_stored_event_shape")
        return stored + self.gather_pytree_aux_fields()

    def get_args(self) -> dict[str, Any]:
        """Parameters that were given, by name."""
        return {name: getattr(self, name) for name in self.arg_constraints if name in self._given}

    # --- shapes --------------------------------------------------------------------------

    @property
    def batch_shape(self) -> Shape:
        """Shape of independent draws that may differ in their parameters."""
        stored = self.__dict__.get("_stored_batch_shape")
        if stored is None:
            # Not part of the pytree: under vmap the parameters, and so this shape, change.
            stored = self.__dict__.get("_cached_batch_shape")
            if stored is None:
                stored = self.__dict__["_cached_batch_shape"] = self._batch_shape()
        return stored

    @property
    def event_shape(self) -> Shape:
        """Shape of one draw."""
        stored = self.__dict__.get("_stored_event_shape")
        return self._event_shape() if stored is None else stored

    def _batch_shape(self) -> Shape:
        shapes = []
        for name, value in self.get_args().items():
            constraint = self.arg_constraints[name]
            event_dim = 0 if constraints.is_dependent(constraint) else constraint.event_dim
            shape = np.shape(value)
            shapes.append(shape[: len(shape) - event_dim])
        return np.broadcast_shapes(*shapes)

    def _event_shape(self) -> Shape:
        return ()

    @property
    def event_dim(self) -> int:
        """Number of dimensions of an event."""
        return len(self.event_shape)

    def shape(self, sample_shape: Shape = ()) -> Shape:
        """Shape of a sample: ``sample_shape + batch_shape + event_shape``."""
        return tuple(sample_shape) + self.batch_shape + self.event_shape

    @classmethod
    def infer_shapes(cls, *args: Any, **kwargs: Any) -> tuple[Shape, Shape]:
        """Batch and event shape for given shapes of the parameters.

        Examples
        --------
        >>> import sojourn_distributions as dist
        >>> dist.Normal.infer_shapes((2, 1), scale=(3,))
        ((2, 3), ())
        """

        def stand_in(shape: Any) -> Any:
            return np.broadcast_to(0.0, shape) if isinstance(shape, tuple) else shape

        instance = cls(
            *map(stand_in, args),
            **{name: stand_in(shape) for name, shape in kwargs.items()},
            validate_args=False,
        )
        return instance.batch_shape, instance.event_shape

    @property
    def _dtype(self) -> Any:
        """Floating type of samples: what the parameters promote to."""
        return float_dtype(*jax.tree.leaves(self))

    # --- validation ----------------------------------------------------------------------

    def validate_args(self, strict: bool = True) -> None:
        """Raise ValueError if a concrete parameter violates its constraint.

        With `strict`, a traced parameter, which cannot be checked, is a RuntimeError.
        """
        for name, value in self.get_args().items():
            constraint = self.arg_constraints[name]
            if constraints.is_dependent(constraint):
                continue
            if not is_concrete(value):
                if strict:
                    raise RuntimeError(
                        f"{type(self).__name__}: cannot validate traced parameter {name!r}; "
                        "validate outside jit, or with strict=False"
                    )
                continue
            if np.ndim(value) < constraint.event_dim:
                raise ValueError(
                    f"{type(self).__name__} distribution got invalid {name} parameter: needs at "
                    f"least {constraint.event_dim} dimension(s), got shape {np.shape(value)}"
                )
            found = first_violation(value, constraint)
            if found is not None:
                raise ValueError(
                    f"{type(self).__name__} distribution got invalid {name} parameter: "
                    + complaint(name, found, constraint, np.shape(value))
                )

    def _validate_order(self, lower: str, upper: str, *, strict: bool = True) -> None:
        """Raise ValueError unless one concrete parameter is below (or at) the other."""
        bounds = [self.get_args().get(lower), self.get_args().get(upper)]
        if not all(map(is_concrete, bounds)):
            return
        low, high = np.broadcast_arrays(*map(on_host, bounds))
        violated = ~((low < high) if strict else (low <= high))
        if violated.any():
            index = tuple(int(i) for i in np.argwhere(violated)[0])
            place = f"[{', '.join(map(str, index))}]" if index else ""
            relation = "below" if strict else "at most"
            raise ValueError(
                f"{type(self).__name__} distribution got invalid {lower} and {upper} parameters: "
                f"{lower} must be {relation} {upper}, but {lower}{place} = {low[index]} and "
                f"{upper}{place} = {high[index]}"
            )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Same as `enable_validation`."""
        enable_validation(value)


def _gather(cls: type, name: str) -> tuple[str, ...]:
    """Union over the bases of a class-level tuple of names, the outermost base first."""
    names = (field for base in reversed(inspect.getmro(cls)) for field in vars(base).get(name, ()))
    return tuple(dict.fromkeys(names))


def complaint(name: str, found: tuple[Shape, Any], constraint: Constraint, shape: Shape) -> str:
    """Word what `first_violation` found."""
    index, value = found
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    return f"must satisfy {constraint!r}, but {place} = {value} (shape {shape})"
