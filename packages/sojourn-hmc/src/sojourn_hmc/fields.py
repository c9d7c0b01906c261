"""Which parts of a kernel's state a run collects, named with dots: ``"adapt_state.step_size"``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sojourn_hmc.kernel import MCMCKernel


class Fields(NamedTuple):
    """The collected fields of a run.

    Attributes
    ----------
    names : tuple of str
        Dotted paths into the state; the first is the kernel's sample field.
    excluded : tuple of str
        Sites that are left out of the samples.
    hidden : tuple of str
        Those among ``names`` that are collected for the report only, and not shown.
    """

    names: tuple[str, ...]
    excluded: tuple[str, ...]
    hidden: tuple[str, ...] = ()

    def select(self, state: Any) -> tuple:
        """Pick the values of the fields out of a state."""
        return tuple(_follow(state, name) for name in self.names)

    def shown(self) -> Fields:
        """The fields without the hidden ones."""
        return Fields(tuple(n for n in self.names if n not in self.hidden), self.excluded)

    def check_excluded(self, samples: Any) -> None:
        """Raise a ValueError that names a site which ``samples`` do not have to leave out."""
        sites = list(samples) if isinstance(samples, dict) else []
        for site in self.excluded:
            if site not in sites:
                raise ValueError(
                    f"extra field '~{self.names[0]}.{site}' leaves out a site that is not among "
                    f"{sites}"
                )


def choose_fields(kernel: MCMCKernel, extra_fields: Iterable[Any], watch: bool = False) -> Fields:
    """Sample field, default fields and what the user adds; ``"~z.site"`` leaves a site out.

    With ``watch``, also the fields that the kernel looks at after a run.
    """
    sample_field = kernel.sample_field
    if isinstance(extra_fields, str):
        raise TypeError(f"extra_fields must be a tuple of names: write ({extra_fields!r},)")
    excluded, added = [], []
    for name in extra_fields:
        if not isinstance(name, str) or not name:
            raise TypeError(
                "extra_fields must be names such as 'num_steps' or 'adapt_state.step_size', got "
                f"{name!r}"
            )
        if not name.startswith("~"):
            added.append(name)
        elif name.startswith(f"~{sample_field}."):
            excluded.append(name.removeprefix(f"~{sample_field}."))
        else:
            raise ValueError(
                f"extra field {name!r}: '~' leaves out a site and stands before the sample field, "
                f"as in '~{sample_field}.site'"
            )
    shown = dict.fromkeys((sample_field, *kernel.default_fields, *added))
    watched = dict.fromkeys(kernel.watched_fields if watch else ())
    hidden = tuple(name for name in watched if name not in shown)
    return Fields((*shown, *hidden), tuple(excluded), hidden)


def _follow(state: Any, name: str) -> Any:
    value = state
    for part in name.split("."):
        if isinstance(value, dict):
            members, known = value, sorted(map(str, value))
        elif isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
            members = {str(n): member for n, member in enumerate(value)}
            known = list(members)
        else:
            members = {part: getattr(value, part)} if hasattr(value, part) else {}
            known = list(getattr(value, "_fields", ()))
        if part not in members:
            raise ValueError(
                f"extra field {name!r}: {part!r} is not among {known}; give the name of a field "
                "of the kernel's state, with dots for fields of fields"
            )
        value = members[part]
    return value
