"""Quantiles that intervals rest on.

``scipy.special`` takes longer to import than a first fit takes, so it is imported when asked for.
"""

from __future__ import annotations

from statistics import NormalDist


def t_quantile(freedom: float, share: float) -> float:
    """Return the quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def normal_quantile(share: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(share)
