"""What a video's creative measures say beside the account's own rate: a factor, where it proves itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from handlers.analytics.rates import RatePrior
from handlers.inputs import PastVideo

#: The measures a past video may carry, in the order of the fit.
MEASURES = ("hook_score", "face_time_ratio", "cuts_per_s")
#: With fewer measured videos a slope is an accident.
MIN_MEASURED = 12
#: The latest so many are fitted: each is left out once, which is quadratic.
MAX_MEASURED = 200
#: Ridge penalty on standardised measures, in videos: a slope needs several videos to speak.
PENALTY = 4.0
#: No creative doubles a rate more than once, in either direction, on so little evidence.
MAX_FACTOR = 2.0


class CreativeFactor(msgspec.Struct, frozen=True, kw_only=True):
    """`factor` multiplies the account's rate; 1 where nothing was proven. Errors are mean squared, of log
    rates, each video predicted from all the others: with the measures and without.
    """

    factor: float
    n_measured: int
    error_with: float | None = None
    error_without: float | None = None
    note: str = ""


def creative_factor(
    past: Sequence[PastVideo], prior: RatePrior, measures: dict[str, float]
) -> CreativeFactor:
    """Fits the account's log rates on the measures; the factor counts only if it predicts better."""
    rows = [_row(one) for one in past]
    known = [(row, _log_rate(one, prior)) for row, one in zip(rows, past, strict=True) if row is not None]
    known = known[-MAX_MEASURED:]
    mine = _values(measures)
    if mine is None or len(known) < MIN_MEASURED:
        return CreativeFactor(
            factor=1.0,
            n_measured=len(known),
            note=f"needs {MIN_MEASURED} past videos with {', '.join(MEASURES)}",
        )
    with_it, without = _cross_errors(known)
    if with_it >= without:
        return CreativeFactor(
            factor=1.0,
            n_measured=len(known),
            error_with=round(with_it, 4),
            error_without=round(without, 4),
            note="the measures do not predict this account's rates better than its mean",
        )
    predict = _Fit(known)
    mean = sum(rate for _, rate in known) / len(known)
    factor = math.exp(predict(mine) - mean)
    return CreativeFactor(
        factor=round(min(MAX_FACTOR, max(1 / MAX_FACTOR, factor)), 4),
        n_measured=len(known),
        error_with=round(with_it, 4),
        error_without=round(without, 4),
        note="fitted on this account's own videos",
    )


Row = tuple[float, ...]
Known = list[tuple[Row, float]]


def _row(one: PastVideo) -> Row | None:
    return _values({name: getattr(one, name) for name in MEASURES}) if one.impressions > 0 else None


def _values(measures: dict[str, float]) -> Row | None:
    values = [measures.get(name) for name in MEASURES]
    return None if None in values else tuple(float(value) for value in values if value is not None)


def _log_rate(one: PastVideo, prior: RatePrior) -> float:
    """The log of a video's rate, shrunk to the account's: a video without clicks has one, too."""
    return math.log((one.clicks + prior.a) / (one.impressions + prior.a + prior.b))


def _cross_errors(known: Known) -> tuple[float, float]:
    with_it = without = 0.0
    for index, (row, rate) in enumerate(known):
        others = known[:index] + known[index + 1 :]
        mean = sum(other for _, other in others) / len(others)
        with_it += (_Fit(others)(row) - rate) ** 2
        without += (mean - rate) ** 2
    return with_it / len(known), without / len(known)


class _Fit:
    """A ridge regression on standardised measures, solved exactly (three unknowns)."""

    def __init__(self, known: Known) -> None:
        count = len(known)
        columns = list(zip(*(row for row, _ in known), strict=True))
        self._means = [sum(column) / count for column in columns]
        self._scales = [_spread(column) for column in columns]
        self._mean = sum(rate for _, rate in known) / count
        scaled = [self._scaled(row) for row, _ in known]
        size = len(columns)
        left = [[sum(x[i] * x[j] for x in scaled) for j in range(size)] for i in range(size)]
        for i in range(size):
            left[i][i] += PENALTY
        right = [
            sum(x[i] * (rate - self._mean) for x, (_, rate) in zip(scaled, known, strict=True))
            for i in range(size)
        ]
        self._slopes = solve(left, right)

    def __call__(self, row: Row) -> float:
        return self._mean + sum(s * x for s, x in zip(self._slopes, self._scaled(row), strict=True))

    def _scaled(self, row: Row) -> list[float]:
        return [(x - m) / s for x, m, s in zip(row, self._means, self._scales, strict=True)]


def _spread(column: tuple[float, ...]) -> float:
    mean = sum(column) / len(column)
    return math.sqrt(sum((x - mean) ** 2 for x in column) / len(column)) or 1.0


def solve(left: list[list[float]], right: list[float]) -> list[float]:
    """Solves a small positive definite system by elimination."""
    size = len(right)
    rows = [[*left[i], right[i]] for i in range(size)]
    for i in range(size):
        for j in range(i + 1, size):
            part = rows[j][i] / rows[i][i]
            rows[j] = [b - part * a for a, b in zip(rows[i], rows[j], strict=True)]
    solution = [0.0] * size
    for i in reversed(range(size)):
        known = sum(rows[i][j] * solution[j] for j in range(i + 1, size))
        solution[i] = (rows[i][size] - known) / rows[i][i]
    return solution
