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
