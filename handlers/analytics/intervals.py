"""Intervals: Wilson's for shares, quantiles of the Beta and Gamma distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import msgspec

#: Terms of a continued fraction or a series; both converge in far fewer for what is asked here.
_MAX_TERMS = 500
_TINY = 1e-300
_CLOSE = 1e-12


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """`level` is the share of cases the true value should lie in; `measured_coverage` the share it did
    lie in when this account's own past was predicted, None where there was too little of it to measure.
    """

    lo: float
    hi: float
    level: float
    measured_coverage: float | None = None


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval | None:
    """Wilson's score interval for a share (Wilson 1927); None without trials."""
    if trials <= 0:
        return None
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    lo = max(0.0, (centre - spread) / scale) if successes else 0.0
    hi = min(1.0, (centre + spread) / scale) if successes < trials else 1.0
    return Interval(lo=round(lo, 6), hi=round(hi, 6), level=level)


def beta_quantile(share: float, a: float, b: float) -> float:
    """The value below which a Beta(a, b) variable lies with probability `share`."""
    return _bisect(lambda x: beta_cdf(x, a, b), share, 0.0, 1.0)


def gamma_quantile(share: float, shape: float) -> float:
    """The value below which a Gamma variable of that shape and scale 1 lies with probability `share`."""
    return _bisect(lambda x: gamma_cdf(x, shape), share, 0.0, shape + 20 * math.sqrt(shape) + 50)


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by Lentz's continued fraction (Numerical Recipes 6.4)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _beta_fraction(x, a, b) / a


def _beta_fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1.0 / _apart(1 - (a + b) * x / (a + 1))
    h = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _apart(1 + term * d)
            c = _apart(1 + term / c)
            h *= d * c
        if abs(d * c - 1) < _CLOSE:
            break
    return h


def gamma_cdf(x: float, shape: float) -> float:
    """The regularised lower incomplete gamma function (Numerical Recipes 6.2)."""
    if x <= 0:
        return 0.0
    front = math.exp(-x + shape * math.log(x) - math.lgamma(shape))
    if x < shape + 1:
        return front * _gamma_series(x, shape)
    return 1.0 - front * _gamma_fraction(x, shape)


def _gamma_series(x: float, shape: float) -> float:
    term = total = 1.0 / shape
    step = shape
    while abs(term) > abs(total) * _CLOSE:
        step += 1
        term *= x / step
        total += term
    return total


def _gamma_fraction(x: float, shape: float) -> float:
    b = x + 1 - shape
    c, d = 1 / _TINY, 1 / _apart(b)
    h = d
    for i in range(1, _MAX_TERMS):
        term = -i * (i - shape)
        b += 2
        d = 1 / _apart(term * d + b)
        c = _apart(b + term / c)
        h *= d * c
        if abs(d * c - 1) < _CLOSE:
            break
    return h


def _apart(value: float) -> float:
    """The value, kept away from zero."""
    return value if abs(value) > _TINY else _TINY


def _bisect(cdf: Callable[[float], float], share: float, lo: float, hi: float) -> float:
    for _ in range(100):
        middle = (lo + hi) / 2
        if cdf(middle) < share:
            lo = middle
        else:
            hi = middle
    return (lo + hi) / 2
