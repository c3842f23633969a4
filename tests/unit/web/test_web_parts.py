"""The API's parts that need no server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.cache.job_walk import JobCursor
from streams.cache.scorecards import Calibration, Scorecard, merged_bins
from streams.contracts.clock import ManualClock
from streams.contracts.errors import ConfigurationError
from streams.contracts.keys import CacheKey
from streams.web.batches import estimate
from streams.web.console.overview import sparkline
from streams.web.console.rendering import duration
from streams.web.cursors import decode_cursor, encode_cursor
from streams.web.forecast import use
from streams.web.letters import Letter, newest_first
from streams.web.models import MOST_LEVELS, sound
from streams.web.off_peak import OffPeak
from streams.web.problems import Problem
from streams.web.rates import RateLimiter
from streams.web.responses import json_bytes, tag_matches
from streams.web.upkeep import Candidate, choose, read_again


def at(text: str) -> float:
    return datetime.strptime(f"2026-11-25 {text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()


class TestOffPeak:
    @pytest.mark.parametrize(
        ("window", "time", "is_open"),
        [
            ("", "12:00", True),
            ("02:00-05:00", "02:00", True),
            ("02:00-05:00", "05:00", False),
            ("22:00-06:00", "23:59", True),
            ("22:00-06:00", "00:00", True),
            ("22:00-06:00", "12:00", False),
        ],
    )
    def test_knows_when_it_is_open(self, window: str, time: str, is_open: bool) -> None:
        assert OffPeak(window).is_open(at(time)) is is_open

    @pytest.mark.parametrize("text", ["25:00-26:00", "10:61-12:00"])
    def test_refuses_what_is_no_time_of_day(self, text: str) -> None:
        with pytest.raises(ConfigurationError):
            OffPeak(text)


class TestRates:
    def test_a_burst_then_a_steady_rate(self) -> None:
        clock = ManualClock()
        limiter = RateLimiter(10.0, clock)
        taken = sum(limiter.take("a") == 0.0 for _ in range(50))
        assert taken == 20
        wait_s = limiter.take("a")
        assert 0 < wait_s <= 0.1
        clock.advance(wait_s)
        assert limiter.take("a") == 0.0

    def test_callers_do_not_share(self) -> None:
        limiter = RateLimiter(1.0, ManualClock())
        for _ in range(10):
            limiter.take("a")
        assert limiter.take("b") == 0.0

    def test_zero_is_no_limit(self) -> None:
        limiter = RateLimiter(0.0, ManualClock())
        assert all(limiter.take("a") == 0.0 for _ in range(1000))


class TestProactiveRefresh:
    def one(self, cost_s: float, probability: float, number: int = 0) -> Candidate:
        return Candidate(CacheKey("ctr_prediction", "video", f"v{number}"), cost_s, probability)

    def test_an_answer_just_read_will_be_read_and_an_old_one_hardly(self) -> None:
        assert read_again(0, 3600) == 1.0
        assert read_again(1800, 3600) == pytest.approx(0.5)
        assert read_again(7200, 3600) < 0.1

    def test_takes_the_most_valuable_within_the_budget(self) -> None:
        cheap, dear, unlikely = self.one(1, 0.9), self.one(8, 0.8), self.one(9, 0.1)
        assert choose([cheap, dear, unlikely], worth=0.3, budget_s=9) == [dear, cheap]
        assert choose([cheap, dear, unlikely], worth=0.3, budget_s=5) == [cheap]
        assert choose([cheap], worth=0.3, budget_s=0) == []

    @given(
        st.lists(st.tuples(st.floats(0.001, 100), st.floats(0, 1)), max_size=30),
        st.floats(0, 1),
        st.floats(0, 200),
    )
    def test_never_spends_more_than_it_may(
        self, costs: list[tuple[float, float]], worth: float, budget_s: float
    ) -> None:
        chosen = choose([self.one(c, p, n) for n, (c, p) in enumerate(costs)], worth, budget_s)
        assert sum(one.cost_s for one in chosen) <= budget_s * (1 + 1e-9)
        assert all(one.probability >= worth for one in chosen)


class TestCursors:
    @given(st.integers(0, 2**53), st.text(max_size=40))
    def test_come_back_as_they_went(self, at_ms: int, name: str) -> None:
        cursor = JobCursor(at_ms, name)
        assert decode_cursor(encode_cursor(cursor), JobCursor) == cursor

    @given(st.text(max_size=600))
    def test_whatever_else_is_a_400(self, text: str) -> None:
        statuses = []
        try:
            decode_cursor(text, JobCursor)
        except Problem as exc:
            statuses.append(exc.status)
        assert set(statuses) <= {400}


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ("", False),
    ],
)
def test_tags_are_compared_as_the_rfc_says(header: str, matches: bool) -> None:
    assert tag_matches(header, "a") is matches


def test_data_is_neither_too_deep_nor_without_end() -> None:
    nested: dict[str, object] = {}
    for _ in range(MOST_LEVELS - 2):
        nested = {"a": nested}
    assert sound(nested) is nested
    with pytest.raises(ValueError, match="deeper"):
        sound({"a": {"b": nested}})
    with pytest.raises(ValueError, match="large"):
        sound({"a": [1.0, float("inf")]})


def test_a_lone_surrogate_is_written_all_the_same() -> None:
    assert b"ud800" in json_bytes({"a": "\ud800"})


def test_an_estimate_leaves_out_what_was_never_computed() -> None:
    found = estimate({"a": 10, "b": 5}, {"a": 2.0}, slots=4)
    assert (found["compute_s"], found["wall_s"], found["never_computed_yet"]) == (20.0, 5.0, ["b"])
    assert estimate({"a": 1}, {"a": 1.0}, slots=0)["wall_s"] is None


def test_scorecards_of_several_processes_are_weighted() -> None:
    def card(n: float, came: float) -> Scorecard:
        return Scorecard(
            process="p", model_version="1", at=0, n=int(n), top1=0, top3=0, log_loss=0, calibration_error=0,
            bins=(Calibration(n, 0.5, came),),
        )  # fmt: skip

    assert merged_bins([card(30, 0.4), card(10, 0.8)]) == [Calibration(40, 0.5, pytest.approx(0.5))]
    assert merged_bins([]) == []


def test_a_sparkline_stays_in_its_box() -> None:
    for points in (sparkline([]), sparkline([0.0] * 60), sparkline([1.0, 5.0, 2.0])):
        for pair in points.split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 240
            assert 0 <= y <= 40


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.004, "4 ms"), (5, "5 s"), (75, "1.25 min"), (7200, "2 h"), (200_000, "2.31 d")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.permutations(range(4)))
def test_letters_of_one_moment_have_one_order(order: list[int]) -> None:
    """However Kafka's partitions come."""
    letters = [letter(number) for number in order]
    assert [one.place for one in sorted(letters, key=newest_first)] == [f"dlq/{n}/7" for n in range(4)]


def letter(partition: int) -> Letter:
    return Letter(
        place=f"dlq/{partition}/7",
        partition=partition,
        offset=7,
        at=1,
        key="k",
        reason="schema",
        error="",
        attempts=1,
        trace="",
        source="",
        value=b"",
        headers=(),
    )


def test_use_is_told_by_task_and_cause() -> None:
    totals = {
        "ahead:caption_generation:upload": 8.0,
        "used:caption_generation:upload": 2.0,
        "withheld:caption_generation:upload": 30.0,
        "ahead:dashboard_data:refresh": 4.0,
        "computed:dashboard_data": 9.0,
    }
    assert use(totals) == [
        {
            "task": "caption_generation",
            "why": "upload",
            "computed": 8,
            "read": 2,
            "share_read": 0.25,
            "withheld": 30,
        },
        {
            "task": "dashboard_data",
            "why": "refresh",
            "computed": 4,
            "read": 0,
            "share_read": 0.0,
            "withheld": 0,
        },
    ]
