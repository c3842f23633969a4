"""Runs a role's services until a signal asks for the end, or one of them fails."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Coroutine, Sequence
from typing import Any

import uvloop

from streams.ops.service import BackgroundService, ServiceGroup


async def run_until_signal(group: ServiceGroup, watched: Sequence[BackgroundService]) -> None:
    """Starts the services, waits for SIGTERM or SIGINT, stops them; raises what a watched one failed with."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with group:
        waiting = asyncio.ensure_future(stop.wait())
        failures: list[asyncio.Future[Any]] = [s.failed for s in watched if s.failed is not None]
        await asyncio.wait([waiting, *failures], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        failed = [future.result() for future in failures if future.done() and not future.cancelled()]
    if failed:
        raise failed[0]


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a role's main coroutine on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def settle_garbage() -> None:
    """What stands at the start stays; and collections get rarer.

    Jobs make no cycles, but a thousand of them in hand are many objects: with Python's defaults the collector
    took a tenth of the CPU of a worker of small jobs, walking what lives on.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
