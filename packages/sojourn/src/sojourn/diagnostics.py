"""What draws say about themselves, from `sojourn_hmc`."""

from sojourn_hmc.diagnostics import (
    SamplingWarning,
    effective_sample_size,
    hpdi,
    print_summary,
    split_gelman_rubin,
    summary,
)

__all__ = [
    "SamplingWarning",
    "effective_sample_size",
    "hpdi",
    "print_summary",
    "split_gelman_rubin",
    "summary",
]
