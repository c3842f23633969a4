from __future__ import annotations

import asyncio

import pytest

from streams.work.stepping import rest_of, within
from tests.support.eventually import one_turn


async def test_what_does_not_wait_needs_no_timer() -> None:
    async def quick() -> int:
        return 7

    stepped = within(quick(), 1.0)
    with pytest.raises(StopIteration) as end:
        stepped.send(None)
    assert end.value.value == 7


async def test_what_waits_ends_in_time_or_is_cancelled() -> None:
    seen = []

    async def slow(seconds: float) -> int:
        try:
            over = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(seconds, over.set_result, None)
            await over
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return 7

    assert await within(slow(0.0), 5.0) == 7
    assert await within(slow(0.001), 5.0) == 7
    with pytest.raises(TimeoutError):
        await within(slow(30.0), 0.001)
    assert seen == ["cancelled"]


async def test_errors_and_values_pass_through_however_often_it_waits() -> None:
    async def fails() -> None:
        await one_turn()
        raise ValueError

    async def often() -> list[int]:
        found = []
        for number in range(3):
            try:
                await fails()
            except ValueError:
                await one_turn()
                found.append(number)
        return found

    coroutine = often()
    assert await rest_of(coroutine, coroutine.send(None)) == [0, 1, 2]


async def test_a_coroutine_that_takes_a_cancellation_goes_on() -> None:
    begun = asyncio.Event()

    async def stubborn() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "cleaned up"
        return "never"

    task = asyncio.create_task(within(stubborn(), 30.0))
    await begun.wait()
    task.cancel()
    assert await task == "cleaned up"


async def test_a_task_that_is_thrown_away_closes_its_coroutine() -> None:
    closed = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    coroutine = waits()
    rest = rest_of(coroutine, coroutine.send(None))
    next(rest)  # type: ignore[call-overload]
    rest.close()
    assert closed == [True]
