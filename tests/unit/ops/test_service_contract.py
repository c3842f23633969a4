from __future__ import annotations

import asyncio
import random

import pytest

from streams.ops import service
from streams.ops.service import BackgroundService, Service, ServiceGroup


async def a_turn() -> None:
    """Lets everybody who is ready go on once."""
    loop = asyncio.get_running_loop()
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)
    await turn


class Ticking(BackgroundService):
    """Puts up a task, waits, and puts up another: the worst place to be stopped at."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = self.stops = self.running = 0

    async def on_start(self) -> None:
        self.starts += 1
        self.spawn(self._tick(), "first")
        await a_turn()
        self.spawn(self._tick(), "second")

    async def on_stop(self) -> None:
        self.stops += 1

    async def _tick(self) -> None:
        self.running += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.running -= 1


async def test_start_and_stop_are_safe_in_any_number() -> None:
    one = Ticking()
    assert isinstance(one, Service)
    await one.stop()
    await one.start()
    await one.start()
    await a_turn()
    assert (one.starts, one.running) == (1, 2)
    await one.stop()
    await one.stop()
    assert (one.stops, one.running) == (1, 0)
    await one.start()
    await one.stop()
    assert (one.starts, one.stops, one.running) == (2, 2, 0)


@pytest.mark.parametrize("seed", range(50))
async def test_starts_and_stops_at_once_leave_nothing_behind(seed: int) -> None:
    draw = random.Random(seed)
    one = Ticking()
    calls = [draw.choice((one.start, one.stop)) for _ in range(12)]
    await asyncio.gather(*(call() for call in calls))
    await one.stop()
    assert one.running == 0
    assert one.starts == one.stops
    assert not one._background


async def test_a_task_that_fails_says_so() -> None:
    class Failing(BackgroundService):
        async def on_start(self) -> None:
            self.spawn(self._fail(), "failing")

        async def _fail(self) -> None:
            raise ValueError("broken")

    one = Failing()
    await one.start()
    assert one.failed is not None
    assert isinstance(await one.failed, ValueError)
    await one.stop()


async def test_a_part_that_fails_fails_the_whole() -> None:
    part, whole = Ticking(), Ticking()
    for one in (part, whole):
        await one.start()
    whole.fail_with(part)
    assert part.failed is not None
    assert whole.failed is not None
    part.failed.set_result(ValueError("broken"))
    assert isinstance(await whole.failed, ValueError)
    for one in (part, whole):
        await one.stop()


async def test_a_part_that_stops_does_not() -> None:
    part, whole = Ticking(), Ticking()
    for one in (part, whole):
        await one.start()
    whole.fail_with(part)
    await part.stop()
    assert whole.failed is not None
    assert not whole.failed.done()
    await whole.stop()


async def test_a_stop_that_fails_still_ends_the_tasks() -> None:
    class Failing(Ticking):
        async def on_stop(self) -> None:
            raise OSError("cannot say goodbye")

    one = Failing()
    await one.start()
    with pytest.raises(OSError, match="goodbye"):
        await one.stop()
    assert one.running == 0


async def test_a_cancellation_that_a_library_swallowed_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CANCEL_AGAIN_S", 0.001)

    class Swallowing(BackgroundService):
        swallowed = 0

        async def on_start(self) -> None:
            self.spawn(self._loop(), "loop")

        async def _loop(self) -> None:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.swallowed += 1
                    if self.swallowed > 3:
                        raise

    one = Swallowing()
    await one.start()
    await a_turn()
    await asyncio.wait_for(one.stop(), 5.0)
    assert one.swallowed == 4


class Noted:
    """Writes down what is asked of it; fails where it is told to."""

    def __init__(self, name: str, log: list[str], fails: str = "") -> None:
        self.name, self.log, self.fails = name, log, fails

    async def start(self) -> None:
        self.log.append(f"+{self.name}")
        if self.fails == "start":
            raise OSError(self.name)

    async def stop(self) -> None:
        self.log.append(f"-{self.name}")
        if self.fails == "stop":
            raise OSError(self.name)


async def test_a_group_starts_in_order_and_stops_in_reverse() -> None:
    log: list[str] = []
    async with ServiceGroup([Noted("a", log), Noted("b", log)]):
        pass
    assert log == ["+a", "+b", "-b", "-a"]


@pytest.mark.parametrize("fails", ["start", "stop"])
async def test_whatever_fails_what_was_started_is_stopped(fails: str) -> None:
    log: list[str] = []
    group = ServiceGroup([Noted("a", log), Noted("b", log, fails), Noted("c", log)])
    with pytest.raises(OSError, match="b"):
        async with group:
            pass
    started = [line[1:] for line in log if line[0] == "+"]
    assert [line[1:] for line in log if line[0] == "-"] == started[::-1]
    await group.stop()
    assert log.count("-a") == 1
