"""Handlers that do not end by themselves within a test, for what ends them from outside."""

from __future__ import annotations

import asyncio
import time

import msgspec

from handlers.context import Context
from handlers.contract import handler

LONG_S = 600.0


class Thing(msgspec.Struct, frozen=True):
    n: int = 0


class Done(msgspec.Struct, frozen=True):
    ok: bool = True


@handler(task="slow_io", kind="io", version="1", entity="thing", ttl_s=3600.0, timeout_s=LONG_S)
async def slow_io(thing: Thing, context: Context) -> Done:
    del thing, context
    await asyncio.Event().wait()
    return Done()


@handler(task="slow_cpu", kind="cpu", version="1", entity="thing", ttl_s=3600.0, timeout_s=LONG_S)
def slow_cpu(thing: Thing, context: Context) -> Done:
    del thing, context
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        sum(range(10_000))
    return Done()
