"""What a model consists of: relations of its sites, pictures, and tables of shapes."""

from sojourn_primitives.inspection.relations import get_model_relations
from sojourn_primitives.inspection.rendering import render_model, render_text
from sojourn_primitives.inspection.shape_table import format_shapes, print_model

__all__ = [
    "format_shapes",
    "get_model_relations",
    "print_model",
    "render_model",
    "render_text",
]
