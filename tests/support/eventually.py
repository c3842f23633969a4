"""Waiting inside an event loop for something another task or process does, with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import types
from collections.abc import Callable, Generator
from typing import Any


@types.coroutine
def one_turn() -> Generator[None]:
    """Lets the event loop come round once."""
    yield


async def eventually(look: Callable[[], Any], within_s: float = 15.0) -> Any:
    """The first truthy answer of `look`, which may be a coroutine function."""
    pause = asyncio.Event()
    async with asyncio.timeout(within_s):
        while True:
            found = look()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await pause.wait()
