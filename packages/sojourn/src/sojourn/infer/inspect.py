"""What a model consists of, from `sojourn_primitives` and `sojourn_infer`."""

from sojourn_infer import get_dependencies
from sojourn_primitives.inspection import (
    format_shapes,
    get_model_relations,
    print_model,
    render_model,
    render_text,
)

__all__ = [
    "format_shapes",
    "get_dependencies",
    "get_model_relations",
    "print_model",
    "render_model",
    "render_text",
]
