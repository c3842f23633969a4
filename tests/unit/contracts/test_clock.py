from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from streams.contracts.clock import SYSTEM_CLOCK, ManualClock, millis


@given(st.integers(-(10**14), 10**14))
@example(65_526)
def test_milliseconds_survive_being_seconds(ms: int) -> None:
    assert millis(ms / 1000) == ms


def test_wall_time_may_step_back_while_waits_go_on() -> None:
    clock = ManualClock(start=100.0)
    clock.advance(5.0)
    clock.step(-60.0)
    assert (clock.now(), clock.monotonic()) == (45.0, 5.0)


def test_the_system_s_clock_does_not_run_backwards() -> None:
    before = SYSTEM_CLOCK.monotonic()
    assert SYSTEM_CLOCK.monotonic() >= before
    assert SYSTEM_CLOCK.now() > 1_700_000_000
