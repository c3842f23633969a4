"""Several jobs of one task at once, for handlers that take batches: one claim, one call, one write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from streams.cache.answers import GRANTED
from streams.contracts.errors import PrecomputeError
from streams.contracts.results import StoredResult
from streams.ops.tracing import TRACING, traceparent_of
from streams.work.endings import POISON_AFTER
from streams.work.processing import JobProcessor, Started
from streams.work.records import QueuedJob

#: By job, what `process` returns.
_Ends = dict[int, float | None]


class BatchProcessor:
    """Does for a batch what `Convoy` does for jobs of any kind; each job has its own outcome."""

    def __init__(self, one: JobProcessor) -> None:
        self._one = one
        self._answers = one.answers

    async def process(self, batch: Sequence[QueuedJob]) -> list[float | None]:
        """For each job None when it has ended, else the seconds after which to process it again."""
        if not TRACING.on:
            return await self._process(batch)
        first, *others = batch
        with TRACING.job(first.job, first.record.headers) as span:
            for other in others:
                TRACING.link(traceparent_of(other.record.headers))
            span.note(batch=len(batch))
            return await self._process(batch)

    async def _process(self, batch: Sequence[QueuedJob]) -> list[float | None]:
        ends: _Ends = {}
        claimed = [Started(queued, self._answers.new_claim(queued.job)) for queued in self._one.wanted(batch)]
        try:
            for together in await self._claim(claimed, ends):
                await self._compute(await self._satisfied(together, ends), ends)
        except asyncio.CancelledError:
            for started in claimed:
                self._one.hand_back(started.queued, started.claim)
            raise
        finally:
            for started in claimed:
                self._answers.leases.drop(started.claim)
        return [ends.get(id(queued)) for queued in batch]

    async def _claim(self, claimed: Sequence[Started], ends: _Ends) -> list[list[Started]]:
        """What runs, and what of it together: a job that may have taken a process down runs alone."""
        if not claimed:
            return []
        grants = await self._answers.claim_all([started.claim for started in claimed])
        granted: list[Started] = []
        suspects: list[list[Started]] = []
        for started, grant in zip(claimed, grants, strict=True):
            if grant is GRANTED:
                granted.append(started)
            elif grant.verdict == "run":
                started.number = grant.number
                suspects.append([started])
            else:
                ends[id(started.queued)] = self._one.turn_away(started.queued, grant)
        together = [granted, *suspects] if granted else suspects
        self._one.start([started for some in together for started in some])
        return together

    async def _satisfied(self, together: Sequence[Started], ends: _Ends) -> list[Started]:
        """Those that run now: not poison, and with the results that they need in the cache."""
        if together[0].number > POISON_AFTER:
            (poison,) = together
            await self._one.bury_poison(poison.queued, poison.claim, poison.number)
            return []
        if not self._one.executor.needs(together[0].queued.job.task):
            return list(together)
        ready = await asyncio.gather(*(self._is_satisfied(started, ends) for started in together))
        return [started for started, is_ready in zip(together, ready, strict=True) if is_ready]

    async def _is_satisfied(self, started: Started, ends: _Ends) -> bool:
        queued, claim = started.queued, started.claim
        began = self._answers.started(queued.job)
        try:
            waits = await self._one.needs.satisfy(queued.job)
        except PrecomputeError as exc:
            ends[id(queued)] = await self._one.endings.settle(queued, claim, began, exc)
            return False
        if waits is not None:
            ends[id(queued)] = await self._one.endings.postpone(queued, claim, waits)
        return waits is None

    async def _compute(self, together: Sequence[Started], ends: _Ends) -> None:
        if not together:
            return
        began = max(self._answers.started(started.queued.job) for started in together)
        results = await self._run(together)
        good: list[tuple[Started, StoredResult]] = []
        version = self._one.executor.version(together[0].queued.job.task)
        for started, result in zip(together, results, strict=True):
            job = started.queued.job
            if isinstance(result, PrecomputeError):
                settled = await self._one.endings.settle(started.queued, started.claim, began, result)
                ends[id(started.queued)] = settled
            else:
                stored = self._answers.stored(job, began, version, result=msgspec.Raw(result))
                good.append((started, stored))
        if good:
            await self._one.write_all(good)

    async def _run(self, together: Sequence[Started]) -> Sequence[bytes | PrecomputeError]:
        """A result or an outcome for each; a failure of the whole call is everybody's."""
        try:
            return await self._one.executor.run_batch([started.queued.job for started in together])
        except PrecomputeError as exc:
            return [exc] * len(together)
