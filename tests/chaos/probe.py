"""What the roles under test load: task types that tell what happened, and a clock that can be stepped.

A trace of each computation goes into a file, which no fault of the servers can reach.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

import msgspec

from handlers.context import Context
from handlers.contract import handler
from streams.contracts.clock import SystemClock

#: Folder of the traces; each process appends to a file of its own.
TRACES = "CHAOS_TRACES"
#: File with the seconds that every role's wall clock is off, as a double.
CLOCK = "CHAOS_CLOCK"


class ProbeInput(msgspec.Struct, frozen=True):
    user_id: str
    n: int = 0


class ProbeResult(msgspec.Struct, frozen=True):
    n: int


@handler(task="chaos_poison", kind="cpu", version="1", entity="user", ttl_s=86_400.0)
def chaos_poison(_: ProbeInput, __: Context) -> ProbeResult:
    """Takes its process down, whatever it is given."""
    os._exit(9)


@handler(task="chaos_probe", kind="io", version="1", entity="user", ttl_s=86_400.0, on=("user.logged_in",))
async def chaos_probe(given: ProbeInput, context: Context) -> ProbeResult:
    """Answers with the number of the event it was computed from."""
    _leave_trace(f"{context.job_id} {given.user_id} {given.n} {time.time():.3f}\n")
    return ProbeResult(given.n)


def _leave_trace(line: str) -> None:
    with (Path(os.environ[TRACES]) / f"{os.getpid()}.log").open("a") as file:
        file.write(line)


def _step_with(path: Path) -> None:
    """From now on this process's wall clock is off by what stands in the file."""
    with path.open("rb") as file:
        offset = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    read = struct.Struct("d").unpack_from

    def now() -> float:
        return time.time() + float(read(offset)[0])

    SystemClock.now = staticmethod(now)  # type: ignore[assignment]


if CLOCK in os.environ:
    _step_with(Path(os.environ[CLOCK]))
