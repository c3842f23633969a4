"""The handlers of the measured worker: no-ops that count themselves, and ten milliseconds of waiting."""

from __future__ import annotations

import asyncio

import msgspec

from bench.worker.noop import Done, Nothing
from bench.worker.peers import tally
from handlers.context import Context
from handlers.contract import handler


class Nap(msgspec.Struct, frozen=True):
    #: Second of the epoch at which an urgent job was sent; 0 for the backlog.
    sent: float = 0.0


@handler(task="counted", kind="io", version="1", entity="thing", ttl_s=3600.0)
async def counted(thing: Nothing, context: Context) -> Done:
    del thing, context
    tally.hit()
    return Done()


@handler(task="counted_batch", kind="io", version="1", entity="thing", ttl_s=3600.0, batch_size=64)
async def counted_batch(things: list[Nothing], contexts: list[Context]) -> list[Done]:
    del contexts
    tally.hit(len(things))
    return [Done()] * len(things)


@handler(task="nap", kind="io", version="1", entity="thing", ttl_s=3600.0)
async def nap(job: Nap, context: Context) -> Done:
    del context
    await asyncio.sleep(0.01)
    if job.sent:
        tally.late(job.sent)
    else:
        tally.hit()
    return Done()
