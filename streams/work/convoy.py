"""Jobs that start at the same moment travel together: one claim, one write, each handler run by itself.

A handler that answers without waiting costs no task, no timer and no future of its own. One that waits keeps
the task it began in, and a new task takes the rest of the convoy on.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from streams.cache.answers import GRANTED
from streams.contracts.results import StoredResult
from streams.work.processing import Ended, JobProcessor, Started
from streams.work.records import QueuedJob
from streams.work.stepping import rest_of

#: So long may handlers keep the event loop to themselves before what they gave is written.
LONGEST_TURN_S = 0.005

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
#: Hears of jobs that were processed: None where they have ended, else seconds until they are processed again.
OnEnd = Callable[[Sequence[QueuedJob], float | None], None]
#: Hears of each job that was given up, because the process ends.
OnBack = Callable[[QueuedJob], None]


class Convoy:
    """One task of a convoy: what it still has to run, and what it has run but not written."""

    def __init__(self, one: JobProcessor, spawn: Spawn, on_end: OnEnd, on_back: OnBack) -> None:
        self._one = one
        self._spawn = spawn
        self._on_end = on_end
        self._on_back = on_back
        self._left: deque[Started] = deque()
        self._done: list[tuple[Started, StoredResult]] = []
        self._current: Started | None = None

    async def run(self, jobs: Sequence[QueuedJob]) -> None:
        """Returns when these jobs have ended, or are in the hands of other tasks."""
        try:
            await self._claim(jobs)
            await self._work()
        except BaseException as exc:
            self._give_back(cancelled=isinstance(exc, asyncio.CancelledError))
            raise

    async def _claim(self, jobs: Sequence[QueuedJob]) -> None:
        one = self._one
        wanted = [Started(queued, one.answers.new_claim(queued.job)) for queued in one.wanted(jobs)]
        if len(wanted) < len(jobs):
            running = {id(started.queued) for started in wanted}
            self._on_end([queued for queued in jobs if id(queued) not in running], None)
        if not wanted:
            return
        self._left.extend(wanted)
        grants = await one.answers.claim_all([started.claim for started in wanted])
        self._left.clear()
        granted, suspects = [], []
        for started, grant in zip(wanted, grants, strict=True):
            if grant is GRANTED:
                granted.append(started)
            elif grant.verdict == "run":
                started.number = grant.number
                suspects.append(started)
            else:
                self._on_end([started.queued], one.turn_away(started.queued, grant))
        # What may have taken a process down comes last: the answers of the others are written then.
        self._left.extend([*granted, *suspects])
        one.start(self._left)

    async def _work(self) -> None:
        began = time.monotonic()
        while self._left:
            if self._done and (self._left[0].number > 1 or time.monotonic() - began > LONGEST_TURN_S):
                await self._write()
                began = time.monotonic()
            self._current = started = self._left.popleft()
            result = await self._run(started)
            self._current = None
            if isinstance(result, Ended):
                self._on_end([started.queued], result.again_s)
            else:
                self._done.append((started, result))
        if self._done:
            await self._write()

    async def _run(self, started: Started) -> StoredResult | Ended:
        attempt = self._one.attempt(started)
        try:
            waits_for = attempt.send(None)
        except StopIteration as end:
            result: StoredResult | Ended = end.value
            return result
        self._hand_over()
        return await rest_of(attempt, waits_for)

    def _hand_over(self) -> None:
        """The handler waits: another task runs and writes what is not its own."""
        if not self._left and not self._done:
            return
        other = Convoy(self._one, self._spawn, self._on_end, self._on_back)
        other._left, self._left = self._left, deque()
        other._done, self._done = self._done, []
        self._spawn(other._work()).add_done_callback(other._after)

    def _after(self, task: asyncio.Task[None]) -> None:
        """A callback, since a task that is cancelled before its first step runs no line of its own."""
        if task.cancelled() or task.exception() is not None:
            self._give_back(cancelled=task.cancelled())

    def _give_back(self, *, cancelled: bool) -> None:
        """Somebody else does what was not ended, and no attempt is spent.

        What raised is a bug, and ends the process: its lease is left to run out. A release would also clear
        the count of starts, and the job would take one process down after the other.
        """
        back = [*self._left, *(started for started, _ in self._done)]
        if self._current is not None:
            if cancelled:
                back.append(self._current)
            else:
                self._one.answers.leases.drop(self._current.claim)
                self._on_back(self._current.queued)
        for started in back:
            self._one.hand_back(started.queued, started.claim)
            self._on_back(started.queued)
        self._left.clear()
        self._done.clear()

    async def _write(self) -> None:
        await self._one.write_all(self._done)
        done, self._done = self._done, []
        self._on_end([started.queued for started, _ in done], None)
