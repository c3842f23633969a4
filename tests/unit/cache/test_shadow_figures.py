"""A challenger's figures of several processes, as one."""

from __future__ import annotations

import pytest

from predictor.shadow import ShadowConfig, Verdict
from streams.cache.shadows import ERROR_TOLERANCE, MIN_EVENTS, ShadowFigure, merged_shadow


def figure(
    events: int,
    gain: float,
    reach: float,
    *,
    challenger: str = "v2",
    errors: tuple[float, float] = (0.01, 0.01),
) -> ShadowFigure:
    return ShadowFigure(
        champion="v1",
        challenger=challenger,
        verdict="too_early",
        events=events,
        gain=gain,
        low=gain - reach,
        high=gain + reach,
        champion_error=errors[0],
        challenger_error=errors[1],
    )


def test_nothing_is_nothing_and_one_is_itself() -> None:
    one = figure(7, 0.1, 0.2)
    assert merged_shadow([]) is None
    assert merged_shadow([one]) is one


def test_events_weigh_and_intervals_shrink() -> None:
    found = merged_shadow([figure(3_000, 0.1, 0.05), figure(1_000, 0.3, 0.05)])
    assert found is not None
    assert (found.events, found.gain) == (4_000, pytest.approx(0.15))
    assert found.high - found.gain == pytest.approx(0.05 * (0.75**2 + 0.25**2) ** 0.5)


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ([figure(2_000, 0.2, 0.05)] * 2, Verdict.TOO_EARLY),
        ([figure(3_000, 0.02, 0.05)] * 2, Verdict.NO_GAIN),
        ([figure(3_000, 0.2, 0.05)] * 2, Verdict.BETTER),
        ([figure(3_000, 0.2, 0.05, errors=(0.01, 0.02))] * 2, Verdict.CALIBRATION_REGRESSED),
    ],
)
def test_the_verdict_is_the_predictor_s(figures: list[ShadowFigure], verdict: Verdict) -> None:
    found = merged_shadow(figures)
    assert found is not None
    assert found.verdict == verdict
    config = ShadowConfig()
    assert (config.min_events, config.ece_tolerance) == (MIN_EVENTS, ERROR_TOLERANCE)


def test_the_pair_with_most_events_counts() -> None:
    found = merged_shadow([figure(10, 0.1, 0.1, challenger="v3"), figure(900, 0.2, 0.1)])
    assert found is not None
    assert found.challenger == "v2"
