"""A task type that takes as much CPU time as its job says."""

from __future__ import annotations

import time

import msgspec

from handlers.context import Context
from handlers.contract import handler

TASK, ENTITY = "burning", "thing"


class BurningInput(msgspec.Struct, frozen=True):
    cpu_ms: float


class BurningResult(msgspec.Struct, frozen=True):
    cpu_ms: float


@handler(task=TASK, kind="cpu", version="1", entity=ENTITY, ttl_s=3600.0)
def burning(given: BurningInput, context: Context) -> BurningResult:
    """Computes until this process has used so many milliseconds more."""
    began = time.process_time()
    while (used := (time.process_time() - began) * 1000) < given.cpu_ms:
        pass
    return BurningResult(round(used, 1))
