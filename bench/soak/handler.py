"""The answers of the endurance run: each tells the newest event it was computed from; some attempts fail."""

from __future__ import annotations

import asyncio
import zlib

import msgspec

from handlers.context import Context
from handlers.contract import handler
from streams.contracts.outcomes import Retry

#: One job in so many fails at its first attempt.
FAILS_ONE_IN = 20
#: Seconds of waiting, as for another service.
WAITS_S = 0.01

_failed: dict[str, None] = {}
#: Jobs whose failure is remembered, so that the second attempt succeeds; the oldest is forgotten.
_REMEMBERED = 1_000


class Numbered(msgspec.Struct, frozen=True):
    user_id: str
    n: int = 0


class Answer(msgspec.Struct, frozen=True):
    n: int
    #: About what an answer weighs.
    notes: tuple[str, ...] = ("soak",) * 20


@handler(task="soak_answer", kind="io", version="1", entity="user", ttl_s=120.0, on=("user.logged_in",))
async def soak_answer(given: Numbered, context: Context) -> Answer:
    """The number of the event; fails once for every twentieth job."""
    await asyncio.sleep(WAITS_S)
    if zlib.crc32(context.job_id.encode()) % FAILS_ONE_IN == 0 and context.job_id not in _failed:
        _failed[context.job_id] = None
        if len(_failed) > _REMEMBERED:
            del _failed[next(iter(_failed))]
        raise Retry("fails once")
    return Answer(given.n)
