"""Tables of the constraints and of the transforms, each with a value that is computed."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import numpy as np
from rst import list_table

from sojourn_distributions import constraints, transforms
from sojourn_distributions.transforms import biject_to

# Those that take arguments, by what they are written as in the table.
CONSTRAINTS = {
    "cat": "cat([positive, unit_interval], dim=-1)",
    "greater_than": "greater_than(1.0)",
    "greater_than_eq": "greater_than_eq(1.0)",
    "independent": "independent(positive, 1)",
    "integer_greater_than": "integer_greater_than(1)",
    "integer_interval": "integer_interval(1, 6)",
    "interval": "interval(-1.0, 3.0)",
    "less_than": "less_than(1.0)",
    "less_than_eq": "less_than_eq(1.0)",
    "multinomial": "multinomial(10)",
    "open_interval": "open_interval(-1.0, 3.0)",
    "stack": "stack([positive, unit_interval], dim=-1)",
    "zero_sum": "zero_sum(1)",
}
TRANSFORMS = {
    "AffineTransform": "AffineTransform(1.0, 2.0)",
    "CatTransform": "CatTransform([ExpTransform(), SigmoidTransform()], lengths=[1, 2])",
    "ComposeTransform": "ComposeTransform([ExpTransform(), AffineTransform(1.0, 2.0)])",
    "IndependentTransform": "IndependentTransform(ExpTransform(), 1)",
    "LowerCholeskyAffine": "LowerCholeskyAffine(np.zeros(2), np.array([[1.0, 0.0], [0.5, 2.0]]))",
    "PackRealFastFourierCoefficientsTransform": "PackRealFastFourierCoefficientsTransform((3,))",
    "PermuteTransform": "PermuteTransform(np.array([2, 0, 1]))",
    "PowerTransform": "PowerTransform(2.0)",
    "RecursiveLinearTransform": "RecursiveLinearTransform(np.array([[0.5]]))",
    "ReshapeTransform": "ReshapeTransform((3, 1), (3,))",
    "StackTransform": "StackTransform([ExpTransform(), SigmoidTransform()], dim=-1)",
    "UnpackTransform": 'UnpackTransform(lambda x: {"a": x[0], "b": x[1:]})',
}
# What a docstring says of a class and not of the one set that has this name.
OWN_WORDS = {"real_matrix": "Matrices of real numbers.", "real_vector": "Vectors of real numbers."}
# What is no set of values, or no map, but makes or describes one.
NO_CONSTRAINT = {"Constraint", "dependent", "dependent_property", "is_dependent"}
NO_TRANSFORM = {"ConstraintRegistry", "Transform", "biject_to"}
# Shapes of an example's value: by its dimensions, and where these do not tell.
SHAPES = ((), (3,), (2, 2), (2, 2, 2))
SHAPE_OF = {
    "cat": (2,),
    "stack": (2,),
    "CatTransform": (3,),
    "ComplexTransform": (2,),
    "HaarTransform": (2,),
    "LowerCholeskyAffine": (2,),
    "PermuteTransform": (3,),
    "ReshapeTransform": (3,),
    "StackTransform": (2,),
    "UnpackTransform": (3,),
}


def tables() -> dict[str, str]:
    """Both tables, by the name of their file.

    Raises
    ------
    LookupError
        If a public constraint or transform takes arguments and no example is given here.
    """
    return {"table-of-constraints": of_constraints(), "table-of-transforms": of_transforms()}


def of_constraints() -> str:
    """Each constraint with its transform by `biject_to`, and a value of the transform."""
    rows = []
    for name in sorted(set(constraints.__all__) - NO_CONSTRAINT):
        written = _written(name, constraints, CONSTRAINTS)
        constraint = eval(written, vars(constraints))
        summary = OWN_WORDS.get(name) or _summary(type(constraint))
        rows.append((f"``{written}``", summary, _unconstrained(name, constraint)))
    columns = ("Constraint", "Values", "``biject_to``, and a value of it")
    return list_table(columns, rows, widths="26 34 40")


def _unconstrained(name: str, constraint: Any) -> str:
    try:
        transform = biject_to(constraint)
    except NotImplementedError:
        return "none"
    shape = transform.inverse_shape(SHAPE_OF.get(name, SHAPES[constraint.event_dim]))
    return f"{_described(transform)}: {_example(transform, _points(shape))}"


def of_transforms() -> str:
    """Each transform with the sets it maps between and a value."""
    rows = []
    names = {**vars(transforms), "np": np}
    for name in sorted(set(transforms.__all__) - NO_TRANSFORM):
        if not inspect.isclass(getattr(transforms, name)):
            continue
        written = _written(name, transforms, TRANSFORMS)
        transform = eval(written, names)
        sets = f"``{_short(transform.domain)}`` to ``{_short(transform.codomain)}``"
        example = _example(transform, _inside(name, transform.domain))
        rows.append((f"``{written}``", f"{_summary(type(transform))} From {sets}.", example))
    columns = ("Transform", "What it does", "Example")
    return list_table(columns, rows, widths="28 42 30")


def _inside(name: str, domain: Any) -> Any:
    """A value of the domain of a transform."""
    shape = SHAPE_OF.get(name) or SHAPES[domain.event_dim]
    try:
        transform = biject_to(domain)
    except NotImplementedError:
        return np.float32(domain.feasible_like(np.zeros(shape, np.float32)))
    return np.asarray(transform(_points(transform.inverse_shape(shape))))


def _points(shape: tuple[int, ...]) -> Any:
    """Unconstrained numbers that differ."""
    size = int(np.prod(shape, dtype=int))
    return (0.5 + np.linspace(-1.0, 1.0, size) * (size > 1)).astype(np.float32).reshape(shape)


def _example(transform: Any, x: Any) -> str:
    y = jax.jit(transform)(x)
    return f"``{_numbers(x)}`` → ``{_numbers(y)}``"


def _numbers(x: Any) -> str:
    """Numbers with two digits, on one line."""
    if isinstance(x, dict):
        return "{" + ", ".join(f"{key}: {_numbers(value)}" for key, value in x.items()) + "}"
    text = np.array2string(np.asarray(x), precision=2, suppress_small=True, separator=", ")
    return " ".join(text.split())


def _written(name: str, module: Any, examples: dict[str, str]) -> str:
    if name in examples:
        return examples[name]
    if not inspect.isclass(getattr(module, name)):
        return name
    parameters = inspect.signature(getattr(module, name)).parameters.values()
    if any(parameter.default is parameter.empty for parameter in parameters):
        raise LookupError(f"docs/_extensions/bijection_tables.py has no example of {name}")
    return f"{name}()"


def _described(transform: Any) -> str:
    """Name of a transform; the parts of one that is composed, in the order in which they act."""
    if isinstance(transform, transforms.ComposeTransform):
        return ", ".join(_described(part) for part in transform.parts)
    if isinstance(transform, transforms.IndependentTransform):
        return f"{_described(transform.base_transform)} for each element"
    if type(transform).__name__ == "InverseTransform":
        return f"``{type(transform.transform).__name__}().inv``"
    return f"``{type(transform).__name__}``"


def _short(constraint: Any) -> str:
    for name in constraints.__all__:
        known = getattr(constraints, name)
        if not inspect.isclass(known) and type(known) is type(constraint) and known == constraint:
            return name
    if isinstance(constraint, constraints.independent):
        return f"{_short(constraint.base_constraint)} (each element)"
    return repr(constraint)


def _summary(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
