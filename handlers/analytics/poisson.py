"""Return on ad spend of one account: conversions per spend, times what a conversion is worth.

Conversions are Poisson, at a rate per unit of spend that drifts from day to day: a negative binomial, its
dispersion fitted by moments to this account's days. Nothing is carried over between accounts or campaigns:
tried, it predicted worse than the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from handlers.analytics.intervals import Interval, gamma_quantile
from handlers.analytics.series import DayPoint, points_of
from handlers.inputs import DayRow

#: Below these, any rate is an accident.
MIN_DAYS = 7
MIN_CONVERSIONS = 10
MIN_FOR_COVERAGE = 5
#: Days summed into one observation of the next week's return.
HORIZON_DAYS = 7
LEVEL = 0.8


class ConversionRate(msgspec.Struct, frozen=True, kw_only=True):
    """Conversions per unit of spend; `dispersion` is the days' variance over a Poisson's, at least 1."""

    rate: float
    dispersion: float
    conversions: int
    spend: float


def spent(rows: Sequence[DayRow]) -> list[DayPoint]:
    """The days with spend, oldest first: other days say nothing of what spend brings."""
    return [day for day in points_of(rows) if day.spend > 0]


def missing(past: Sequence[DayPoint]) -> str | None:
    """What is missing for a fit, in words; None where there is enough."""
    days, conversions = len(past), sum(day.conversions for day in past)
    if days < MIN_DAYS or conversions < MIN_CONVERSIONS:
        return (
            f"needs {MIN_DAYS} days with spend and {MIN_CONVERSIONS} conversions; "
            f"the history has {days} and {conversions}"
        )
    return None


def fit_rate(past: Sequence[DayPoint]) -> ConversionRate:
    """The rate of all days; they must be enough."""
    spend, conversions = sum(day.spend for day in past), sum(day.conversions for day in past)
    rate = conversions / spend
    chi = sum((day.conversions - rate * day.spend) ** 2 / (rate * day.spend) for day in past if rate > 0)
    return ConversionRate(
        rate=rate,
        dispersion=max(1.0, chi / max(1, len(past) - 1)),
        conversions=conversions,
        spend=spend,
    )


def predict_conversions(fitted: ConversionRate, spend: float, level: float = LEVEL) -> tuple[float, float]:
    """Bounds of the conversions that `spend` will bring: of a Gamma with the same mean and variance as the
    over-dispersed count and the rate's own uncertainty together.
    """
    mean = fitted.rate * spend
    variance = fitted.dispersion * mean * (1 + spend / fitted.spend)
    shape, scale = mean * mean / variance, variance / mean
    tail = (1 - level) / 2
    return scale * gamma_quantile(tail, shape), scale * gamma_quantile(1 - tail, shape)


def roas_interval(fitted: ConversionRate, spend: float, value: float, coverage: float | None) -> Interval:
    lo, hi = predict_conversions(fitted, spend)
    return Interval(
        lo=round(lo * value / spend, 4),
        hi=round(hi * value / spend, 4),
        level=LEVEL,
        measured_coverage=coverage,
    )


def measure_coverage(past: Sequence[DayPoint]) -> float | None:
    """The share of past weeks whose conversions lay in the interval predicted from the days before each."""
    hits = trials = 0
    for start in range(HORIZON_DAYS, len(past) - HORIZON_DAYS + 1, HORIZON_DAYS):
        before, week = past[:start], past[start : start + HORIZON_DAYS]
        if missing(before) is None:
            lo, hi = predict_conversions(fit_rate(before), sum(day.spend for day in week))
            trials += 1
            # A count is whole, the bounds are not: half a conversion of slack, as for any discrete interval.
            hits += lo - 0.5 <= sum(day.conversions for day in week) <= hi + 0.5
    return round(hits / trials, 3) if trials >= MIN_FOR_COVERAGE else None
