"""A task type that leaves a trace of each computation in a file, which no fault of the servers can reach."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from handlers.context import Context
from handlers.contract import handler

#: Folder of the traces; each process appends to a file of its own.
TRACES = "CHAOS_TRACES"


class ProbeInput(msgspec.Struct, frozen=True):
    user_id: str
    n: int = 0


class ProbeResult(msgspec.Struct, frozen=True):
    n: int


@handler(task="chaos_probe", kind="io", version="1", entity="user", ttl_s=86_400.0, on=("user.logged_in",))
async def chaos_probe(given: ProbeInput, context: Context) -> ProbeResult:
    """Answers with the number of the event it was computed from."""
    _leave_trace(f"{context.job_id} {given.user_id} {given.n} {time.time():.3f}\n")
    return ProbeResult(given.n)


def _leave_trace(line: str) -> None:
    with (Path(os.environ[TRACES]) / f"{os.getpid()}.log").open("a") as file:
        file.write(line)
