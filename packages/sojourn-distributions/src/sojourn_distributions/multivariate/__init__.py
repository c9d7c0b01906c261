"""Distributions on vectors and matrices, a family per file."""

__all__: list[str] = []
