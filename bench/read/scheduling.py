"""How long processes waited for a core, and how to let them not wait while other work shares the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def waited_s(pid: int) -> float:
    """Seconds that the threads of a process were ready to run and had no core (proc(5), schedstat)."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[1])
    return total / 1e9


@contextmanager
def first_in_line(pids: Sequence[int]) -> Iterator[bool]:
    """Within it the processes get a core as soon as they want one; False where that is not permitted.

    That is what a machine of their own is like, as far as cores go: caches are still shared.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield False
        return
    try:
        _schedule(pids, os.SCHED_FIFO, 10)
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        _schedule(pids, os.SCHED_OTHER, 0)


def _schedule(pids: Sequence[int], policy: int, priority: int) -> None:
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))
