"""What a run with subsampling tells of its estimates of the likelihood, in sentences.

Sources: Doucet, Pitt, Deligiannidis and Kohn 2015, "Efficient implementation of Markov chain Monte
Carlo when using an unbiased likelihood estimator" (standard deviations from 1 to 1.7 are best).
"""

from __future__ import annotations

import numpy as np

HIGH_VARIANCE = 3.0
"""The square of 1.7."""
LOW_ACCEPTANCE = 0.1


def imprecise_likelihood(variance: np.ndarray, corrected: bool) -> list[str]:
    """Say that log likelihoods are estimated with too high a variance.

    Parameters
    ----------
    variance : ndarray
        Estimated variance of the estimate at each transition, ``(chains, draws)``; NaN where it is
        not known.
    corrected : bool
        Whether there are control variates and a correction for the variance.

    Examples
    --------
    >>> imprecise_likelihood(np.array([[0.5, 1.2]]), True)
    []
    >>> imprecise_likelihood(np.array([[5e4, 7e4]]), False)[0][:51]
    'the log likelihood is estimated with a variance of '
    """
    known = variance[~np.isnan(variance)]
    if known.size == 0:
        return []
    typical = float(np.median(known))
    if typical <= HIGH_VARIANCE:
        return []
    if not corrected:
        return [
            f"the log likelihood is estimated with a variance of {typical:.3g}, without control "
            "variates: the draws do not follow the posterior. Give HMCECS a proxy, "
            "HMCECS.taylor_proxy(reference_params)"
        ]
    return [
        f"the log likelihood is estimated with a variance of {typical:.3g}, more than "
        f"{HIGH_VARIANCE:g}: the draws are biased and subsamples change rarely. Take a larger "
        "subsample, a reference nearer to the posterior's mode, or degree 2"
    ]


def stuck_subsamples(accept_prob: np.ndarray) -> list[str]:
    """Say that hardly any new subsample is accepted.

    Parameters
    ----------
    accept_prob : ndarray
        Acceptance probability of each proposed subsample, ``(chains, draws)``.

    Examples
    --------
    >>> stuck_subsamples(np.array([[0.01, 0.02]]))[0][:46]
    'new subsamples are accepted with a probability'
    """
    mean = float(np.mean(accept_prob)) if accept_prob.size else 1.0
    if mean >= LOW_ACCEPTANCE:
        return []
    return [
        f"new subsamples are accepted with a probability of {mean:.2g} only: chains see few of "
        "the data. Raise num_blocks, or lower the variance of the estimate (a proxy, a larger "
        "subsample)"
    ]
