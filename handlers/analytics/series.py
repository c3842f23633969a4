"""Daily rows into totals, series, comparisons and anomalies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from statistics import median

import msgspec

from handlers.analytics.intervals import Interval, wilson
from handlers.inputs import DayRow

#: Days of the series, and of the two windows that are compared.
SERIES_DAYS = 90
COMPARED_DAYS = 7
#: A day is judged against so many before it, where there are at least this many with a value.
JUDGED_AGAINST, MIN_JUDGED_AGAINST = 28, 8
#: Iglewicz and Hoaglin 1993: a modified z-score beyond 3.5 is an outlier.
OUTLIER = 3.5
#: Days that are all alike have no spread to judge by: it counts as one per cent of what is expected.
LEAST_SPREAD = 0.01
_MAD_TO_SIGMA = 0.6745


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums and the ratios of sums; a ratio without a denominator is None. Money in the rows' currency."""

    impressions: int
    clicks: int
    conversions: int
    spend: float
    #: None where no row says a revenue.
    revenue: float | None
    #: Clicks per impression, cost per click, cost per conversion, conversions per click, revenue per spend.
    ctr: float | None
    cpc: float | None
    cpa: float | None
    conversion_rate: float | None
    roas: float | None


class DayPoint(msgspec.Struct, frozen=True, kw_only=True):
    date: date
    impressions: int
    clicks: int
    conversions: int
    spend: float
    revenue: float | None
    ctr: float | None


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """First and last day, both included."""

    first: date
    last: date
    days: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A measure in the last seven days and in the seven before; `change` is relative, 0.1 is ten per cent
    more, None where there was nothing before.
    """

    measure: str
    current: float | None
    previous: float | None
    change: float | None


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """A day whose value lies far from those before it; `score` is the modified z-score."""

    date: date
    measure: str
    value: float
    expected: float
    score: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    window: Window | None
    totals: Totals | None
    series: list[DayPoint]
    comparisons: list[Comparison]
    ctr_wilson_ci: Interval | None
    anomalies: list[Anomaly]


_EMPTY = Report(window=None, totals=None, series=[], comparisons=[], ctr_wilson_ci=None, anomalies=[])


def report_on(rows: Sequence[DayRow]) -> Report:
    """Everything the rows say; rows of one day are summed. Without rows, nothing is said."""
    if not rows:
        return _EMPTY
    totals = totals_of(rows)
    points = points_of(rows)
    first, last = points[0].date, points[-1].date
    return Report(
        window=Window(first=first, last=last, days=(last - first).days + 1),
        totals=totals,
        series=points[-SERIES_DAYS:],
        comparisons=compare(rows, last),
        ctr_wilson_ci=wilson(totals.clicks, totals.impressions),
        anomalies=find_anomalies(points),
    )


def points_of(rows: Iterable[DayRow]) -> list[DayPoint]:
    """One for each day that has rows, the oldest first."""
    days: dict[date, list[DayRow]] = {}
    for row in rows:
        days.setdefault(row.date, []).append(row)
    return [_point(day, totals_of(found)) for day, found in sorted(days.items())]


def totals_of(rows: Iterable[DayRow]) -> Totals:
    kept = list(rows)
    impressions, clicks = sum(r.impressions for r in kept), sum(r.clicks for r in kept)
    conversions, spend = sum(r.conversions for r in kept), sum(r.spend for r in kept)
    revenues = [r.revenue for r in kept if r.revenue is not None]
    revenue = sum(revenues) if revenues else None
    return Totals(
        impressions=impressions,
        clicks=clicks,
        conversions=conversions,
        spend=round(spend, 4),
        revenue=None if revenue is None else round(revenue, 4),
        ctr=ratio(clicks, impressions),
        cpc=ratio(spend, clicks),
        cpa=ratio(spend, conversions),
        conversion_rate=ratio(conversions, clicks),
        roas=None if revenue is None else ratio(revenue, spend),
    )


def ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole > 0 else None


def compare(rows: Sequence[DayRow], last: date) -> list[Comparison]:
    """The seven days up to `last` against the seven before them."""
    middle = last - timedelta(days=COMPARED_DAYS)
    begin = middle - timedelta(days=COMPARED_DAYS)
    current = totals_of(row for row in rows if row.date > middle)
    previous = totals_of(row for row in rows if begin < row.date <= middle)
    return [
        Comparison(
            measure=name,
            current=getattr(current, name),
            previous=getattr(previous, name),
            change=_change(getattr(current, name), getattr(previous, name)),
        )
        for name in ("impressions", "clicks", "ctr", "conversions", "spend", "revenue", "cpa", "roas")
    ]


def find_anomalies(points: Sequence[DayPoint]) -> list[Anomaly]:
    """Days whose click rate or spend lies far from the four weeks before."""
    measures: dict[str, Callable[[DayPoint], float | None]] = {
        "ctr": lambda point: point.ctr,
        "spend": lambda point: point.spend,
    }
    found = [
        anomaly
        for name, value_of in measures.items()
        for index in range(len(points))
        if (anomaly := _judge(name, value_of, points, index)) is not None
    ]
    return sorted(found, key=lambda one: one.date)


def _judge(
    name: str, value_of: Callable[[DayPoint], float | None], points: Sequence[DayPoint], index: int
) -> Anomaly | None:
    before = [value_of(point) for point in points[max(0, index - JUDGED_AGAINST) : index]]
    known = [value for value in before if value is not None]
    value = value_of(points[index])
    if value is None or len(known) < MIN_JUDGED_AGAINST:
        return None
    expected = median(known)
    spread = max(median(abs(one - expected) for one in known), LEAST_SPREAD * abs(expected))
    if spread == 0:
        return None
    score = _MAD_TO_SIGMA * (value - expected) / spread
    if abs(score) <= OUTLIER:
        return None
    return Anomaly(
        date=points[index].date, measure=name, value=value, expected=round(expected, 6), score=round(score, 2)
    )


def _point(day: date, totals: Totals) -> DayPoint:
    return DayPoint(
        date=day,
        impressions=totals.impressions,
        clicks=totals.clicks,
        conversions=totals.conversions,
        spend=totals.spend,
        revenue=totals.revenue,
        ctr=totals.ctr,
    )


def _change(current: float | None, previous: float | None) -> float | None:
    if current is None or previous is None or previous == 0:
        return None
    return round(current / previous - 1, 6)
