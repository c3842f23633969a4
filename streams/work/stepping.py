"""Coroutines that are driven by hand as far as they go without waiting.

A task, a timer and a future cost more than a job that finds its answer in memory. What really waits runs in
the task in which it took its first step: `asyncio.current_task()` never changes under a handler.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

Value = TypeVar("Value")


@types.coroutine
def rest_of(coroutine: Coroutine[Any, Any, Value], waits_for: Any) -> Generator[Any, Any, Value]:
    """The value of a coroutine whose last step gave `waits_for`; raises what it raises."""
    try:
        while True:
            try:
                sent = yield waits_for
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as exc:  # noqa: BLE001 (a cancellation too is the coroutine's to handle)
                waits_for = coroutine.throw(exc)
            else:
                waits_for = coroutine.send(sent)
    except StopIteration as end:
        value: Value = end.value
        return value


async def within(coroutine: Coroutine[Any, Any, Value], seconds: float) -> Value:
    """The coroutine's value; TimeoutError where it waits and does not end in time.

    Without a wait there is nothing that a timer could interrupt, so none is set.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as end:
        value: Value = end.value
        return value
    async with asyncio.timeout(seconds):
        return await rest_of(coroutine, waits_for)
