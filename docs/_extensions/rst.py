"""Write the few constructs of reStructuredText that generated pages consist of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def heading(title: str, line: str) -> str:
    """A title, underlined with a character that says its level."""
    return f"{title}\n{line * len(title)}"


def list_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, widths: str = "") -> str:
    """A table with a header."""
    lines = [".. list-table::", "   :header-rows: 1"]
    lines += [f"   :widths: {widths}"] * bool(widths)
    lines.append("")
    for row in (columns, *rows):
        for i, cell in enumerate(row):
            lines.append(f"   {'*' if i == 0 else ' '} - {cell}".rstrip())
    return "\n".join(lines)


def field_list(fields: Mapping[str, str]) -> str:
    """Names with what belongs to them; those without anything are left out."""
    return "\n".join(f":{name}: {text}" for name, text in fields.items() if text)
