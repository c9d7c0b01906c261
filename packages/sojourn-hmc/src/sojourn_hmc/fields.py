"""Which parts of a kernel's state a run collects, named with dots: ``"adapt_state.step_size"``."""

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
    """

    names: tuple[str, ...]
    excluded: tuple[str, ...]

    def select(self, state: Any) -> tuple:
        """Pick the values of the fields out of a state."""
        return tuple(_follow(state, name) for name in self.names)


def choose_fields(kernel: MCMCKernel, extra_fields: Iterable[str]) -> Fields:
    """Sample field, default fields and what the user adds; ``"~z.site"`` leaves a site out."""
    sample_field = kernel.sample_field
    extra_fields = tuple(extra_fields)
    excluded = tuple(
        name.removeprefix(f"~{sample_field}.") for name in extra_fields if name[0] == "~"
    )
    added = (name for name in extra_fields if name[0] != "~")
    names = dict.fromkeys((sample_field, *kernel.default_fields, *added))
    return Fields(tuple(names), excluded)


def _follow(state: Any, name: str) -> Any:
    value = state
    for part in name.split("."):
        if isinstance(value, dict):
            known = sorted(map(str, value))
            found = part in value
        else:
            known = list(getattr(value, "_fields", ()))
            found = hasattr(value, part)
        if not found:
            raise ValueError(
                f"extra field {name!r}: {part!r} is not among {known}; give the name of a field "
                "of the kernel's state, with dots for fields of fields"
            )
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value
