"""How a job ends that did not give a result: skipped, rejected, tried again, or buried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from handlers.execution import HandlerError
from streams.cache.answers import Claim
from streams.contracts.errors import PrecomputeError, UnavailableError
from streams.contracts.outcomes import NotAvailable, Reject, Retry, Skip
from streams.contracts.states import Reason
from streams.work.answering import AnswerWriter
from streams.work.cancellation import JobCancelledError
from streams.work.execution import Executor
from streams.work.letters import JobLetters
from streams.work.pool import ChildDiedError
from streams.work.records import QueuedJob
from streams.work.reporting import JobReporter
from streams.work.retry import RetryPolicy

_log = structlog.get_logger(__name__)

#: A job that took its process down so often is poison, not bad luck.
POISON_AFTER = 3
#: A cache or broker that does not answer is asked again after this; no attempt is spent.
AWAY_AGAIN_S = 1.0


class Endings:
    """Each method returns what `JobProcessor.process` returns: None when the job has ended, else seconds."""

    def __init__(
        self,
        *,
        answers: AnswerWriter,
        executor: Executor,
        letters: JobLetters,
        retries: RetryPolicy,
        reporter: JobReporter,
    ) -> None:
        self._answers = answers
        self._executor = executor
        self._letters = letters
        self._retries = retries
        self._reporter = reporter

    async def settle(
        self, queued: QueuedJob, claim: Claim, started: int, exc: PrecomputeError
    ) -> float | None:
        """Does what the handler's outcome, or its failure, asks for."""
        if isinstance(exc, Skip):
            await self._answers.finish(claim, None, "skipped")
            self._reporter.skipped(queued, Reason.NOTHING_TO_DO, str(exc))
            return None
        if isinstance(exc, JobCancelledError):
            await self._answers.finish(claim, None, "cancelled")
            self._reporter.cancelled(queued)
            return None
        if isinstance(exc, Reject):
            await self._reject(queued, claim, started, exc)
            return None
        if isinstance(exc, UnavailableError):
            return await self.postpone(queued, claim, AWAY_AGAIN_S)
        return await self._fail(queued, claim, exc)

    async def postpone(self, queued: QueuedJob, claim: Claim, seconds: float) -> float:
        """Later, without spending an attempt."""
        await self._answers.finish(claim, None, "retry")
        self._reporter.handed_back(queued)
        return seconds

    async def bury(
        self, queued: QueuedJob, claim: Claim, reason: Reason, message: str, trace: str = ""
    ) -> None:
        """Into the dead letters, and an `unavailable` answer so that readers know."""
        attempts = queued.attempt + 1
        await durably(
            lambda: self._letters.bury(queued.record, reason.value, message, attempts=attempts, trace=trace)
        )
        if await self._is_answered(queued):
            # A failed refresh must not take a usable answer from its readers.
            await self._answers.finish(claim, None, "failed")
        else:
            await self._say_unavailable(
                queued, claim, self._answers.now(), reason=reason.value, message=message, hint="failed"
            )
        self._reporter.failed(queued, reason, message)

    async def _reject(self, queued: QueuedJob, claim: Claim, started: int, exc: Reject) -> None:
        await self._say_unavailable(
            queued, claim, started, reason=exc.reason, message=str(exc), hint="unavailable"
        )
        if isinstance(exc, NotAvailable):
            self._reporter.skipped(queued, Reason.NOT_AVAILABLE, str(exc))
        else:
            self._reporter.failed(queued, Reason.REJECTED, f"{exc.reason}: {exc}")

    async def _fail(self, queued: QueuedJob, claim: Claim, exc: PrecomputeError) -> float | None:
        attempts = queued.attempt + 1
        trace = exc.trace if isinstance(exc, HandlerError) else ""
        _log.warning("an attempt failed", job=queued.job.id, key=queued.job.key, error=str(exc), trace=trace)
        if isinstance(exc, ChildDiedError) and attempts >= POISON_AFTER:
            await self.bury(queued, claim, Reason.POISON, str(exc))
            return None
        if self._retries.is_spent(attempts):
            await self.bury(queued, claim, Reason.ATTEMPTS_SPENT, str(exc), trace)
            return None
        wait = self._retries.wait(attempts, asked_s=exc.after_s if isinstance(exc, Retry) else None)
        if wait.topic is not None:
            await durably(lambda: self._letters.retry(queued, attempts, wait, self._answers.now()))
        await self._answers.finish(claim, None, "retry")
        self._reporter.attempt_failed(queued, type(exc).__name__, str(exc))
        queued.attempt = attempts
        return wait.seconds if wait.topic is None else None

    async def _is_answered(self, queued: QueuedJob) -> bool:
        try:
            return await self._executor.is_answered(queued.job)
        except UnavailableError:
            return False

    async def _say_unavailable(
        self, queued: QueuedJob, claim: Claim, started: int, *, reason: str, message: str, hint: str
    ) -> None:
        version = self._executor.version(queued.job.task)
        stored = self._answers.stored(queued.job, started, version, reason=reason, message=message)
        await self._answers.finish(claim, stored, hint)


async def durably(send: Callable[[], Awaitable[None]]) -> None:
    """Until Kafka has it: the job's offset must not move before."""
    while True:
        try:
            return await send()
        except UnavailableError as exc:
            _log.warning("a retry or dead letter waits for Kafka", error=str(exc))
            await asyncio.sleep(AWAY_AGAIN_S)
