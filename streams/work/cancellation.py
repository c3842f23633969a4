"""Ending a job that runs, because somebody cancelled it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import redis.asyncio as aioredis
import structlog

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import PrecomputeError
from streams.contracts.jobs import Job
from streams.contracts.outcomes import Outcome
from streams.ops.metrics import REDIS_ERRORS
from streams.ops.service import BackgroundService
from streams.work.execution import Executor
from streams.work.stepping import rest_of

_log = structlog.get_logger(__name__)

T = TypeVar("T")

#: One command for all running jobs; a person who cancelled looks again after about so long.
LOOK_EVERY_S = 0.5


class JobCancelledError(Outcome):
    """Somebody cancelled the job while it ran; it ends without an answer, and no attempt is spent."""


class CancelWatch(BackgroundService):
    """Looks whether a job that runs here was cancelled, and ends its work.

    An `async` handler gets a `CancelledError`, the child process of a CPU one is killed.
    """

    def __init__(self, redis: aioredis.Redis, names: RedisNames, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._redis = redis
        self._name = names.cancelled
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._cancelled: set[str] = set()
        self._stopped: set[asyncio.Task[Any]] = set()

    async def on_start(self) -> None:
        self.spawn(self._look_forever(), "cancel-watch")

    async def run(self, ids: Sequence[str], work: Awaitable[T]) -> tuple[T, frozenset[str]]:
        """The work's result, and which of its jobs were cancelled meanwhile.

        Raises `JobCancelledError` where all of them were, whatever the work made of its end. Work for several
        jobs goes on for the others.
        """
        task = asyncio.current_task()
        assert task is not None
        self._tasks.update(dict.fromkeys(ids, task))
        try:
            result = await work
        except BaseException:
            self._take_back(task)
            raise
        else:
            self._take_back(task)
            return result, frozenset(self._cancelled.intersection(ids))
        finally:
            for one in ids:
                self._tasks.pop(one, None)
                self._cancelled.discard(one)

    def _take_back(self, task: asyncio.Task[Any]) -> None:
        """Raises `JobCancelledError` where we cancelled the task, and nobody else did."""
        if task in self._stopped:
            self._stopped.discard(task)
            if task.uncancel() == 0:
                raise JobCancelledError("cancelled while it ran") from None

    async def look(self) -> None:
        """Asks once for all that run; raises redis-py's errors."""
        ids = [one for one in self._tasks if one not in self._cancelled]
        if not ids:
            return
        until = await self._redis.zmscore(self._name, ids)
        now = millis(self._clock.now())
        for one, end in zip(ids, until, strict=True):
            if end is not None and end > now:
                self._cancel(one)

    def _cancel(self, job_id: str) -> None:
        task = self._tasks.get(job_id)
        if task is None:
            return
        self._cancelled.add(job_id)
        _log.info("a running job is cancelled", job=job_id)
        if self._cancelled.issuperset(one for one, other in self._tasks.items() if other is task):
            self._stopped.add(task)
            task.cancel()

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except AWAY:
                REDIS_ERRORS.labels("cancel-watch").inc()


class CancellableExecutor(Executor):
    """Runs jobs under a watch."""

    def __init__(self, watch: CancelWatch, **parts: Any) -> None:
        super().__init__(**parts)
        self._watch = watch

    async def run(self, job: Job) -> bytes:
        """As `Executor.run`; raises `JobCancelledError` too."""
        work = super().run(job)
        try:
            waits_for = work.send(None)
        except StopIteration as end:
            # It never waited: there was no moment in which it could have been cancelled.
            result: bytes = end.value
            return result
        return (await self._watch.run([job.id], rest_of(work, waits_for)))[0]

    async def run_batch(self, jobs: Sequence[Job]) -> Sequence[bytes | PrecomputeError]:
        """As `Executor.run_batch`; a job that was cancelled has that as its outcome."""
        found, cancelled = await self._watch.run([job.id for job in jobs], super().run_batch(jobs))
        return [
            JobCancelledError("cancelled while it ran") if job.id in cancelled else result
            for job, result in zip(jobs, found, strict=True)
        ]
