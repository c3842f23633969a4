"""A job that waits for somebody else, as most do, and notes when it ended in a file of its process."""

from __future__ import annotations

import asyncio
import os
import time
from functools import cache
from pathlib import Path

import msgspec

from handlers.context import Context
from handlers.contract import handler

#: Folder of the notes.
TRACES = "BENCH_TRACES"
#: Seconds of waiting: a call to another service.
WAITS_S = 0.05


class Nothing(msgspec.Struct, frozen=True):
    pass


class Done(msgspec.Struct, frozen=True):
    ok: bool = True


@handler(task="waits", kind="io", version="1", entity="thing", ttl_s=3600.0)
async def waits(nothing: Nothing, context: Context) -> Done:
    """Fifty milliseconds."""
    del nothing, context
    await asyncio.sleep(WAITS_S)
    os.write(_file(), f"{time.time():.4f}\n".encode())
    return Done()


@cache
def _file() -> int:
    path = Path(os.environ[TRACES]) / f"{os.getpid()}.log"
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
