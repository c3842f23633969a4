from __future__ import annotations

import math
import random
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from handlers.analytics import creative, intervals, poisson, rates, series
from handlers.inputs import DayRow, Delivery, PastVideo

sizes = st.floats(0.05, 5000)


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0.01, 0.99), a=sizes, b=sizes)
def test_beta_quantiles_are_those_of_scipy(share: float, a: float, b: float) -> None:
    x = intervals.beta_quantile(share, a, b)
    assert stats.beta.cdf(x, a, b) == pytest.approx(share, abs=2e-3) or x == pytest.approx(
        stats.beta.ppf(share, a, b), rel=1e-6, abs=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0.01, 0.99), shape=st.floats(0.1, 5000))
def test_gamma_quantiles_are_those_of_scipy(share: float, shape: float) -> None:
    assert intervals.gamma_quantile(share, shape) == pytest.approx(stats.gamma.ppf(share, shape), rel=1e-5)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (3, 700), (1, 1)])
def test_wilson_is_that_of_scipy(successes: int, trials: int) -> None:
    found = intervals.wilson(successes, trials)
    known = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert found is not None
    assert (found.lo, found.hi) == pytest.approx((known.low, known.high), abs=1e-6)


def test_wilson_of_nothing_is_nothing() -> None:
    assert intervals.wilson(0, 0) is None


def account(count: int, *, effect: float, seed: int, spread: float = 0.15) -> list[PastVideo]:
    """Videos whose log click rate follows the hook score with the slope `effect`."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        hook = chance.random()
        rate = 0.015 * math.exp(effect * (hook - 0.5) + chance.gauss(0, spread))
        shown = chance.randint(2000, 9000)
        clicks = sum(chance.random() < rate for _ in range(shown))
        made.append(
            PastVideo(
                impressions=shown,
                clicks=clicks,
                hook_score=hook,
                face_time_ratio=chance.random(),
                cuts_per_s=chance.random(),
            )
        )
    return made


def test_a_prior_lies_between_the_videos_and_leans_on_large_ones() -> None:
    past = [Delivery(impressions=100, clicks=10), Delivery(impressions=100_000, clicks=1000)]
    past.append(Delivery(impressions=1000, clicks=12))
    prior = rates.fit_prior(past)
    assert 0.009 < prior.mean < 0.012
    rate, interval = rates.interval_of(prior, Delivery(impressions=200_000, clicks=8000), None)
    assert interval.lo < 0.04 < interval.hi or rate == pytest.approx(0.04, rel=0.2)


def test_too_little_history_is_not_enough() -> None:
    assert not rates.is_enough([Delivery(impressions=10**6, clicks=10)] * 2)
    assert not rates.is_enough([Delivery(impressions=0, clicks=0)] * 50)
    assert rates.is_enough([Delivery(impressions=400, clicks=4)] * 3)


def test_intervals_of_click_rates_hold_about_as_often_as_they_say() -> None:
    covered = [rates.measure_coverage(account(40, effect=0.0, seed=seed)) for seed in range(6)]
    assert all(one is not None for one in covered)
    assert 0.68 < sum(one or 0 for one in covered) / len(covered) < 0.92


@pytest.mark.parametrize("clicks", [0, 500])
def test_an_account_at_the_edge_has_a_finite_interval(clicks: int) -> None:
    past = [Delivery(impressions=500, clicks=clicks)] * 10
    rate, interval = rates.interval_of(rates.fit_prior(past), None, None)
    assert 0 < rate < 1
    assert 0 <= interval.lo <= rate <= interval.hi <= 1


def test_a_creative_effect_that_is_there_is_found() -> None:
    past = account(60, effect=1.0, seed=3)
    prior = rates.fit_prior(past)
    good = creative.creative_factor(
        past, prior, {"hook_score": 0.95, "face_time_ratio": 0.5, "cuts_per_s": 0.5}
    )
    bad = creative.creative_factor(
        past, prior, {"hook_score": 0.05, "face_time_ratio": 0.5, "cuts_per_s": 0.5}
    )
    assert good.factor > 1.15
    assert bad.factor < 0.9
    assert good.error_with is not None
    assert good.error_without is not None
    assert good.error_with < good.error_without


def test_without_proof_the_creative_counts_for_nothing() -> None:
    few = account(5, effect=1.0, seed=3)
    measures = {"hook_score": 0.95, "face_time_ratio": 0.5, "cuts_per_s": 0.5}
    assert creative.creative_factor(few, rates.fit_prior(few), measures).factor == 1.0
    noise = [
        creative.creative_factor(p := account(60, effect=0.0, seed=s), rates.fit_prior(p), measures)
        for s in range(5)
    ]
    assert sum(one.factor == 1.0 for one in noise) >= 3


def days(count: int, *, seed: int = 1, rate: float = 0.1) -> list[DayRow]:
    chance = random.Random(seed)
    rows = []
    for i in range(count):
        spend = chance.uniform(20, 40)
        conversions = sum(chance.random() < rate for _ in range(int(spend)))
        rows.append(
            DayRow(
                date=date(2026, 1, 1) + timedelta(i),
                impressions=3000,
                clicks=60,
                spend=spend,
                conversions=conversions,
                revenue=30.0 * conversions,
            )
        )
    return rows


def test_roas_intervals_hold_about_as_often_as_they_say() -> None:
    covered = [poisson.measure_coverage(poisson.spent(days(200, seed=seed))) for seed in range(8)]
    assert all(one is not None for one in covered)
    assert 0.7 < sum(one or 0 for one in covered) / len(covered) <= 1.0


def test_a_rate_needs_days_and_conversions() -> None:
    assert "the history has 3 and" in str(poisson.missing(poisson.spent(days(3))))
    assert "and 0" in str(poisson.missing(poisson.spent(days(30, rate=0.0))))
    assert poisson.missing(poisson.spent(days(30))) is None


def test_rows_of_one_day_are_one_observation() -> None:
    rows = days(10)
    assert len(poisson.spent([*rows, *rows])) == 10


def test_a_report_sums_compares_and_finds_the_odd_day() -> None:
    rows = days(40)
    odd = DayRow(date=rows[30].date, impressions=3000, clicks=900, spend=rows[30].spend)
    report = series.report_on([*rows[:30], odd, *rows[31:]])
    assert report.totals is not None
    assert report.totals.clicks == 39 * 60 + 900
    assert report.window is not None
    assert report.window.days == 40
    assert [one.date for one in report.anomalies if one.measure == "ctr"] == [odd.date]
    noisy = [
        DayRow(date=row.date, impressions=3000, clicks=60 + i % 7, spend=row.spend)
        for i, row in enumerate(rows)
    ]
    noisy[30] = odd
    found = [one for one in series.report_on(noisy).anomalies if one.measure == "ctr"]
    assert [one.date for one in found] == [odd.date]


def test_nothing_says_nothing() -> None:
    report = series.report_on([])
    assert report.totals is None
    assert report.ctr_wilson_ci is None


def test_zeros_have_no_ratios() -> None:
    totals = series.totals_of([DayRow(date=date(2026, 1, 1), impressions=0, clicks=0)])
    assert (totals.ctr, totals.cpc, totals.cpa, totals.roas, totals.revenue) == (None,) * 5


def test_weeks_are_compared_with_the_weeks_before() -> None:
    rows = days(14)
    comparison = {one.measure: one for one in series.compare(rows, rows[-1].date)}
    assert comparison["clicks"].change == 0
    assert comparison["spend"].current == pytest.approx(sum(r.spend for r in rows[7:]), abs=1e-3)
