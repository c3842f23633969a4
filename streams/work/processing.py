"""One job from its start to its end: claimed, run, written, reported.

Only when the answer is in Redis, or the retry or the dead letter in Kafka, has a job ended; only then may its
offset move. `convoy.py` and `batch.py` take jobs through these steps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from handlers.execution import HandlerError
from streams.cache.answers import Claim, Finish, Grant
from streams.cache.batching import Batcher
from streams.cache.counters import FleetCounters
from streams.contracts.clock import Clock
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Group
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


class Started(msgspec.Struct, eq=False):
    """A job with its claim; `number` counts its starts since one ended."""

    queued: QueuedJob
    claim: Claim
    number: int = 1


class Ended(msgspec.Struct, frozen=True):
    """A job without an answer to write: None where it has ended, else seconds until it is processed again."""

    again_s: float | None


ENDED = Ended(None)


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
        counters: FleetCounters,
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
            counters=counters,
        )
        self.endings = Endings(
            answers=self.answers, executor=executor, letters=letters, retries=retries, reporter=reporter
        )
        self.needs = NeedResolver(self.answers, executor)
        self._reporter = reporter

    def batch_size(self, task: str) -> int:
        """How many jobs of that task its handler takes at once."""
        return self.executor.batch_size(task)

    def flush(self) -> None:
        """Brings the metrics up to date."""
        self._reporter.flush()
        self.answers.writes.flush()

    def skip(self, queued: QueuedJob, reason: Reason) -> None:
        """Ends a job that will not be run."""
        self._reporter.skipped(queued, reason)

    def wanted(self, jobs: Sequence[QueuedJob]) -> list[QueuedJob]:
        """Those whose answer is still wanted and not only scored; the others end here."""
        now_ms = self.answers.now()
        kept = []
        for queued in jobs:
            job = queued.job
            if job.expires_at is not None and job.is_expired(now_ms):
                self._reporter.skipped(queued, Reason.EXPIRED)
            elif job.group is Group.HOLDOUT:
                self._reporter.skipped(queued, Reason.HELD_OUT)
            else:
                kept.append(queued)
        return kept

    def start(self, granted: Sequence[Started]) -> None:
        """Jobs whose claims were granted; they start now."""
        self._reporter.started([started.queued for started in granted])
        for started in granted:
            self.answers.leases.hold(started.claim)

    def turn_away(self, queued: QueuedJob, grant: Grant) -> float | None:
        """A claim that was not granted: None where the job has ended, since its answer is fresh or computed
        elsewhere; else seconds until a lease ends that this very job holds in a process that may have died.
        """
        if grant.verdict == "held":
            return max(grant.number, 50) / 1000
        if grant.verdict == "cancelled":
            self._reporter.cancelled(queued)
        else:
            self._reporter.skipped(queued, Reason.DUPLICATE)
        return None

    async def bury_poison(self, queued: QueuedJob, claim: Claim, number: int) -> None:
        """A job that was started so often without an end is buried."""
        message = f"started {number - 1} times and never ended: it takes its process down"
        await self.endings.bury(queued, claim, Reason.POISON, message)

    def hand_back(self, queued: QueuedJob, claim: Claim) -> None:
        """Cancelled: somebody else does it, and no attempt is spent."""
        self.answers.leases.drop(claim)
        self.answers.release(claim)
        self._reporter.handed_back(queued)

    async def write_all(self, results: Sequence[tuple[Started, StoredResult]]) -> None:
        """Writes and reports results that are there at the same moment."""
        ends = [(started.claim, stored) for started, stored in results]
        with TRACING.step("write the answer") if TRACING.on else _NO_STEP:
            verdicts = await self.answers.finish_all(ends, "completed")
        written = []
        for (started, stored), verdict in zip(results, verdicts, strict=True):
            if verdict == "written":
                written.append((started.queued, stored.compute_ms / 1000))
            else:
                self._reporter.skipped(started.queued, Reason.SUPERSEDED, verdict)
        if written:
            self._reporter.completed(written)

    async def attempt(self, started: Started) -> StoredResult | Ended:
        """Runs one job that was claimed: its answer, which is still to be written, or how else it ended.

        What raises here is a bug, and ends the process.
        """
        queued, claim = started.queued, started.claim
        job = queued.job
        began = self.answers.started(job)
        try:
            if started.number > POISON_AFTER:
                await self.bury_poison(queued, claim, started.number)
                return ENDED
            if self.executor.needs(job.task) and (waits := await self.needs.satisfy(job)) is not None:
                return Ended(await self.endings.postpone(queued, claim, waits))
            with TRACING.step("run the handler") if TRACING.on else _NO_STEP:
                result = await self.executor.run(job)
        except (Outcome, UnavailableError, HandlerError, JobTimeoutError, ChildDiedError) as exc:
            return Ended(await self.endings.settle(queued, claim, began, exc))
        return self.answers.stored(job, began, self.executor.version(job.task), result=msgspec.Raw(result))
