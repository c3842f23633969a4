"""A handler that does nothing: what is left is the worker itself."""

from __future__ import annotations

import msgspec

from handlers.context import Context
from handlers.contract import handler


class Nothing(msgspec.Struct, frozen=True):
    n: int = 0


class Done(msgspec.Struct, frozen=True):
    ok: bool = True


@handler(task="noop", kind="io", version="1", entity="thing", ttl_s=3600.0)
async def noop(thing: Nothing, context: Context) -> Done:
    del thing, context
    return Done()


@handler(task="noop_batch", kind="io", version="1", entity="thing", ttl_s=3600.0, batch_size=64)
async def noop_batch(things: list[Nothing], contexts: list[Context]) -> list[Done]:
    """The same for sixty-four jobs at once."""
    del contexts
    return [Done()] * len(things)
