"""Running handlers in this process, without a broker or a cache: for the command line and for tests."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from handlers.context import Context
from handlers.contract import Handler
from handlers.execution import run_handler, run_io
from handlers.registry import Registry
from streams.contracts.outcomes import Reject


class LocalRun:
    """Runs one handler after the tasks it needs, each once; what has no result is absent, as in a worker."""

    def __init__(self, registry: Registry, context: Context) -> None:
        self._registry = registry
        self._context = context
        self._results: dict[str, bytes | None] = {}
        #: Wall seconds of each task that ran.
        self.seconds: dict[str, float] = {}

    async def run(self, task: str, payload: bytes) -> bytes:
        """The task's result as JSON; raises what the handler says."""
        found = self._registry.require(task)
        needed = {need: await self._need(need, payload) for need in found.needs}
        results = {name: msgspec.json.decode(data) for name, data in needed.items() if data is not None}
        context = msgspec.structs.replace(
            self._context,
            key=f"{task}:{found.spec.entity}:{self._context.entity_id}",
            results=results | self._context.results,
        )
        return await self._timed(found, payload, context)

    async def _need(self, task: str, payload: bytes) -> bytes | None:
        if task not in self._results:
            try:
                self._results[task] = await self.run(task, payload)
            except Reject:
                self._results[task] = None
        return self._results[task]

    async def _timed(self, found: Handler, payload: bytes, context: Context) -> bytes:
        started = time.perf_counter()
        try:
            if found.kind == "io":
                return await run_io(found, payload, context)
            return run_handler(found, payload, context)
        finally:
            self.seconds[found.task] = time.perf_counter() - started


def local_context(entity_id: str, timeout_s: float = 300.0, **parts: Any) -> Context:
    """A context as a worker makes it; `parts` are further fields of `Context`."""
    now = time.time()
    given: dict[str, Any] = {
        "job_id": "local",
        "key": f"local:local:{entity_id}",
        "user_id": "local",
        "now": now,
    }
    return Context(**(given | {"deadline": now + timeout_s} | parts))
