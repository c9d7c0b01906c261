"""What draws say about themselves, from `sojourn_hmc`."""

from sojourn_hmc.diagnostics import (
    SamplingWarning,
    autocorrelation,
    autocovariance,
    e_bfmi,
    effective_sample_size,
    ess_bulk,
    ess_tail,
    gelman_rubin,
    hpdi,
    mcse_mean,
    mcse_quantile,
    print_summary,
    rhat,
    split_gelman_rubin,
    summary,
)

__all__ = [
    "SamplingWarning",
    "autocorrelation",
    "autocovariance",
    "e_bfmi",
    "effective_sample_size",
    "ess_bulk",
    "ess_tail",
    "gelman_rubin",
    "hpdi",
    "mcse_mean",
    "mcse_quantile",
    "print_summary",
    "rhat",
    "split_gelman_rubin",
    "summary",
]
