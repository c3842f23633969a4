"""One job from its start to its end: claimed, run, written, reported.

Only when the answer is in Redis, or the retry or the dead letter in Kafka, does `process` return None; only
then may the job's offset move.
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from handlers.execution import HandlerError
from streams.cache.answers import Claim, Finish, Grant
from streams.cache.batching import Batcher
from streams.contracts.clock import Clock
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Group, Job
from streams.contracts.outcomes import Outcome
from streams.contracts.results import StoredResult
from streams.contracts.states import Reason
from streams.contracts.tasks import TaskCatalogue
from streams.ops.tracing import TRACING
from streams.work.answering import AnswerWriter, ProcessingConfig
from streams.work.endings import POISON_AFTER, Endings
from streams.work.execution import Executor
from streams.work.leases import LeaseKeeper
from streams.work.letters import JobLetters
from streams.work.needs import NeedResolver
from streams.work.pool import ChildDiedError, JobTimeoutError
from streams.work.records import QueuedJob
from streams.work.reporting import JobReporter
from streams.work.retry import RetryPolicy

__all__ = ["JobProcessor", "ProcessingConfig"]

#: Made once: without traces a job must not pay for a context manager of its own.
_NO_STEP = contextlib.nullcontext()


class JobProcessor:
    def __init__(
        self,
        *,
        worker_id: str,
        tasks: TaskCatalogue,
        executor: Executor,
        claims: Batcher[Claim, Grant],
        finishes: Batcher[Finish, str],
        leases: LeaseKeeper,
        letters: JobLetters,
        retries: RetryPolicy,
        reporter: JobReporter,
        config: ProcessingConfig,
        clock: Clock,
    ) -> None:
        self.executor = executor
        self.answers = AnswerWriter(
            worker_id=worker_id,
            tasks=tasks,
            claims=claims,
            finishes=finishes,
            leases=leases,
            config=config,
            clock=clock,
        )
        self.endings = Endings(
            answers=self.answers, executor=executor, letters=letters, retries=retries, reporter=reporter
        )
        self.needs = NeedResolver(self.answers, executor)
        self._reporter = reporter

    def batch_size(self, task: str) -> int:
        """How many jobs of that task its handler takes at once."""
        return self.executor.batch_size(task)

    def skip(self, queued: QueuedJob, reason: Reason) -> None:
        """Ends a job that will not be run."""
        self._reporter.skipped(queued, reason)

    async def process(self, queued: QueuedJob) -> float | None:
        """None when the job has ended; else the seconds after which to process it again.

        What raises here is a bug, and ends the process. The lease is left to run out then: a release would
        also clear the count of starts, and the job would take one process down after the other.
        """
        if not TRACING.on:
            return await self._process(queued)
        with TRACING.job(queued.job, queued.record.headers) as span:
            again_s = await self._process(queued)
            span.note(status=queued.status.value, attempt=queued.attempt)
            return again_s

    async def _process(self, queued: QueuedJob) -> float | None:
        if self.skip_unwanted(queued):
            return None
        claim = self.answers.new_claim(queued.job)
        try:
            grant = await self.answers.claim(claim)
            if not self.may_run(queued, claim, grant):
                return wait_of(grant)
            if await self.bury_poison(queued, claim, grant):
                return None
            return await self._compute(queued, claim)
        except asyncio.CancelledError:
            self.hand_back(queued, claim)
            raise
        finally:
            self.answers.leases.drop(claim)

    def skip_unwanted(self, queued: QueuedJob) -> bool:
        """Ends a job whose answer is no longer wanted, or that is only scored; whether it did."""
        reason = self._unwanted(queued.job)
        if reason is None:
            return False
        self._reporter.skipped(queued, reason)
        return True

    def may_run(self, queued: QueuedJob, claim: Claim, grant: Grant) -> bool:
        """Starts a job whose claim was granted; ends it where its answer is fresh or computed elsewhere."""
        if grant.verdict == "run":
            self._reporter.started(queued)
            self.answers.leases.hold(claim)
            return True
        if grant.verdict == "cancelled":
            self._reporter.cancelled(queued)
        elif grant.verdict != "held":
            self._reporter.skipped(queued, Reason.DUPLICATE)
        return False

    async def bury_poison(self, queued: QueuedJob, claim: Claim, grant: Grant) -> bool:
        """Whether the job was started too often without an end, and is buried now."""
        if grant.number <= POISON_AFTER:
            return False
        message = f"started {grant.number - 1} times and never ended: it takes its process down"
        await self.endings.bury(queued, claim, Reason.POISON, message)
        return True

    def hand_back(self, queued: QueuedJob, claim: Claim) -> None:
        """Cancelled: somebody else does it, and no attempt is spent."""
        self.answers.release(claim)
        self._reporter.handed_back(queued)

    async def write_all(self, results: list[tuple[QueuedJob, Claim, StoredResult]]) -> None:
        """Writes and reports the results of jobs that ran together."""
        verdicts = await self.answers.finish_all(
            [(claim, stored) for _, claim, stored in results], "completed"
        )
        for (queued, _, stored), verdict in zip(results, verdicts, strict=True):
            self._report(queued, stored, verdict)

    def _unwanted(self, job: Job) -> Reason | None:
        if job.is_expired(self.answers.now()):
            return Reason.EXPIRED
        return Reason.HELD_OUT if job.group is Group.HOLDOUT else None

    async def _compute(self, queued: QueuedJob, claim: Claim) -> float | None:
        started = self.answers.started(queued.job)
        try:
            waits = await self.needs.satisfy(queued.job)
            if waits is not None:
                return await self.endings.postpone(queued, claim, waits)
            with TRACING.step("run the handler") if TRACING.on else _NO_STEP:
                result = await self.executor.run(queued.job)
        except (Outcome, UnavailableError, HandlerError, JobTimeoutError, ChildDiedError) as exc:
            return await self.endings.settle(queued, claim, started, exc)
        version = self.executor.version(queued.job.task)
        stored = self.answers.stored(queued.job, started, version, result=msgspec.Raw(result))
        with TRACING.step("write the answer") if TRACING.on else _NO_STEP:
            verdict = await self.answers.finish(claim, started, stored, "completed")
        self._report(queued, stored, verdict)
        return None

    def _report(self, queued: QueuedJob, stored: StoredResult, verdict: str) -> None:
        if verdict == "written":
            self._reporter.completed(queued, stored.compute_ms / 1000)
        else:
            self._reporter.skipped(queued, Reason.SUPERSEDED, verdict)


def wait_of(grant: Grant) -> float | None:
    """Seconds until a lease ends that this very job holds in a process that may have died."""
    return max(grant.number, 50) / 1000 if grant.verdict == "held" else None
