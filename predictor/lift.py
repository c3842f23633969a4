"""What acting on predictions is worth: treatment against holdout, with its uncertainty."""

from __future__ import annotations

import math

import msgspec

#: Of a two-sided 95 % interval.
_Z = 1.959964
#: A split less likely than this by chance means that the groups are not comparable.
SAMPLE_RATIO_ALARM = 0.001


class Lift(msgspec.Struct, frozen=True, kw_only=True):
    """A difference treatment - holdout with its 95 % interval; `trustworthy` is the sample-ratio check's."""

    treatment: float
    holdout: float
    difference: float
    low: float
    high: float
    sample_ratio_p: float
    trustworthy: bool


class Group(msgspec.Struct, frozen=True):
    """Reads of one group: how many, of how many users, and how many were hits."""

    units: int
    reads: int
    hits: int


def hit_rate_lift(treatment: Group, holdout: Group, fraction: float) -> Lift | None:
    """The lift in hit rate; None before either group has been read.

    The interval is Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, method 10).
    """
    if not treatment.reads or not holdout.reads:
        return None
    p, q = treatment.hits / treatment.reads, holdout.hits / holdout.reads
    p_low, p_high = wilson(treatment.hits, treatment.reads)
    q_low, q_high = wilson(holdout.hits, holdout.reads)
    ratio_p = sample_ratio_p(treatment.units, holdout.units, fraction)
    return Lift(
        treatment=p,
        holdout=q,
        difference=p - q,
        low=p - q - math.hypot(p - p_low, q_high - q),
        high=p - q + math.hypot(p_high - p, q - q_low),
        sample_ratio_p=ratio_p,
        trustworthy=ratio_p >= SAMPLE_RATIO_ALARM,
    )


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson, 1927)."""
    share = hits / n
    middle = share + _Z**2 / (2 * n)
    reach = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    scale = 1 + _Z**2 / n
    return max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0)


def mean_lift(treatment: tuple[int, float, float], holdout: tuple[int, float, float]) -> tuple[float, ...]:
    """(difference, low, high) of two means, each given as (n, mean, variance); Welch's normal interval."""
    (n, mean, variance), (m, other, other_variance) = treatment, holdout
    reach = _Z * math.sqrt(variance / max(n, 1) + other_variance / max(m, 1))
    return mean - other, mean - other - reach, mean - other + reach


def sample_ratio_p(treatment: int, holdout: int, fraction: float) -> float:
    """The chance of so uneven a split if the drawing is right (chi-square with one degree of freedom)."""
    total = treatment + holdout
    expected = total * fraction
    if not total or not 0 < fraction < 1:
        return 1.0
    statistic = (holdout - expected) ** 2 / (expected * (1 - fraction))
    return math.erfc(math.sqrt(statistic / 2))
