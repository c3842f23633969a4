"""Several jobs of one task at once, for handlers that take batches: one claim, one call, one write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from streams.cache.answers import Claim
from streams.contracts.errors import PrecomputeError
from streams.contracts.results import StoredResult
from streams.ops.tracing import TRACING, traceparent_of
from streams.work.processing import JobProcessor, wait_of
from streams.work.records import QueuedJob

#: Its place in the batch, the job, and its claim.
_Claimed = tuple[int, QueuedJob, Claim]


class BatchProcessor:
    """Does for a batch what `JobProcessor.process` does for a job; each job has its own outcome."""

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
        again: list[float | None] = [None] * len(batch)
        claimed = [
            (index, queued, self._answers.new_claim(queued.job))
            for index, queued in enumerate(batch)
            if not self._one.skip_unwanted(queued)
        ]
        try:
            for together in await self._claim(claimed, again):
                await self._compute(together, again)
        except asyncio.CancelledError:
            for _, queued, claim in claimed:
                self._one.hand_back(queued, claim)
            raise
        finally:
            for _, _, claim in claimed:
                self._answers.leases.drop(claim)
        return again

    async def _claim(self, claimed: Sequence[_Claimed], again: list[float | None]) -> list[list[_Claimed]]:
        """What runs, and what of it together: a job that may have taken a process down runs alone."""
        futures = [self._answers.claim(claim) for _, _, claim in claimed]
        started: list[_Claimed] = []
        suspects: list[list[_Claimed]] = []
        for (index, queued, claim), future in zip(claimed, futures, strict=True):
            grant = await future
            if not self._one.may_run(queued, claim, grant):
                again[index] = wait_of(grant)
            elif not await self._one.bury_poison(queued, claim, grant):
                one = (index, queued, claim)
                if grant.number > 1:
                    suspects.append([one])
                else:
                    started.append(one)
        return [started, *suspects] if started else suspects

    async def _compute(self, started: Sequence[_Claimed], again: list[float | None]) -> None:
        began = max(self._answers.started(queued.job) for _, queued, _ in started)
        results = await self._run(started)
        good: list[tuple[QueuedJob, Claim, StoredResult]] = []
        version = self._one.executor.version(started[0][1].job.task)
        for (index, queued, claim), result in zip(started, results, strict=True):
            if isinstance(result, PrecomputeError):
                again[index] = await self._one.endings.settle(queued, claim, began, result)
            else:
                stored = self._answers.stored(queued.job, began, version, result=msgspec.Raw(result))
                good.append((queued, claim, stored))
        if good:
            await self._one.write_all(good)

    async def _run(self, started: Sequence[_Claimed]) -> Sequence[bytes | PrecomputeError]:
        """A result or an outcome for each; a failure of the whole call is everybody's."""
        try:
            return await self._one.executor.run_batch([queued.job for _, queued, _ in started])
        except PrecomputeError as exc:
            return [exc] * len(started)
