"""Click rates of one account: how much its videos differ, and what that says of the next one.

Each video's clicks are binomial with a rate of its own; the rates of an account follow a Beta distribution,
fitted by moments (Kleinman 1973). A video with few impressions leans on the account, one with many on itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from handlers.analytics.intervals import Interval, beta_quantile
from handlers.inputs import Delivery

#: Fewer videos or impressions do not tell how an account's videos differ.
MIN_VIDEOS = 3
MIN_IMPRESSIONS = 1000
#: Coverage is a share of so many leave-one-out predictions; fewer would only be noise.
MIN_FOR_COVERAGE = 5
#: Bounds of the fitted strength, in impressions: below, one video says all; above, the account does.
MIN_STRENGTH, MAX_STRENGTH = 20.0, 50_000.0
LEVEL = 0.8


class RatePrior(msgspec.Struct, frozen=True, kw_only=True):
    """Beta(mean x strength, (1 - mean) x strength); `strength` counts as impressions."""

    mean: float
    strength: float

    @property
    def a(self) -> float:
        return self.mean * self.strength

    @property
    def b(self) -> float:
        return (1 - self.mean) * self.strength


def is_enough(past: Sequence[Delivery]) -> bool:
    """Whether a prior can be fitted at all."""
    shown = [one for one in past if one.impressions > 0]
    return len(shown) >= MIN_VIDEOS and sum(one.impressions for one in shown) >= MIN_IMPRESSIONS


def fit_prior(past: Sequence[Delivery]) -> RatePrior:
    """The account's distribution of click rates, by moments; `past` must be enough."""
    shown = [one for one in past if one.impressions > 0]
    impressions = sum(one.impressions for one in shown)
    # Half a click each way keeps an account without any click, or with nothing but, off the edge.
    mean = (sum(one.clicks for one in shown) + 0.5) / (impressions + 1.0)
    spread = sum(one.impressions * (one.clicks / one.impressions - mean) ** 2 for one in shown)
    by_chance = mean * (1 - mean) * (len(shown) - 1)
    effective = impressions - sum(one.impressions**2 for one in shown) / impressions
    between = max(0.0, spread - by_chance) / effective if effective > 0 else 0.0
    strength = mean * (1 - mean) / between - 1 if between > 0 else MAX_STRENGTH
    return RatePrior(mean=mean, strength=min(MAX_STRENGTH, max(MIN_STRENGTH, strength)))


def interval_of(prior: RatePrior, own: Delivery | None, coverage: float | None) -> tuple[float, Interval]:
    """The expected rate of a video, and the interval its rate lies in, given what it has earned so far."""
    a = prior.a + (own.clicks if own else 0)
    b = prior.b + (own.impressions - own.clicks if own else 0)
    tail = (1 - LEVEL) / 2
    lo, hi = beta_quantile(tail, a, b), beta_quantile(1 - tail, a, b)
    return a / (a + b), Interval(lo=round(lo, 6), hi=round(hi, 6), level=LEVEL, measured_coverage=coverage)


def _noisy(prior: RatePrior, impressions: int) -> RatePrior:
    """The distribution of a rate as observed in so many impressions: wider than that of the rate."""
    shrink = 1 / (prior.strength + 1) + prior.strength / (prior.strength + 1) / impressions
    return RatePrior(mean=prior.mean, strength=max(MIN_STRENGTH / 2, 1 / shrink - 1))


def measure_coverage(past: Sequence[Delivery]) -> float | None:
    """The share of the account's videos whose rate lay in the interval predicted from all the others.

    Only videos with 100 impressions or more are judged: the rate of others is not known itself.
    """
    judged = [index for index, one in enumerate(past) if one.impressions >= 100]
    hits = trials = 0
    for index in judged[-50:]:
        others = [*past[:index], *past[index + 1 :]]
        if is_enough(others):
            _, interval = interval_of(_noisy(fit_prior(others), past[index].impressions), None, None)
            trials += 1
            hits += interval.lo <= past[index].clicks / past[index].impressions <= interval.hi
    return round(hits / trials, 3) if trials >= MIN_FOR_COVERAGE else None
