"""One job from its start to its end: claimed, run, written, reported.

Only when the answer is in Redis, or the retry or the dead letter in Kafka, does `process` return None; only
then may the job's offset move.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from handlers.execution import HandlerError
from streams.cache.answers import Claim, Finish, Grant
from streams.cache.batching import Batcher
from streams.contracts.clock import Clock, millis
from streams.contracts.errors import PrecomputeError, UnavailableError
from streams.contracts.ids import derive_job_id
from streams.contracts.jobs import Group, Job
from streams.contracts.outcomes import NotAvailable, Reject, Retry, Skip
from streams.contracts.results import NO_RESULT, StoredResult
from streams.contracts.states import Reason
from streams.contracts.tasks import TaskCatalogue
from streams.ops.children import Children
from streams.ops.metrics import CACHE_WRITES
from streams.work.execution import Executor
from streams.work.leases import LeaseKeeper
from streams.work.letters import JobLetters
from streams.work.pool import ChildDiedError, JobTimeoutError
from streams.work.records import QueuedJob
from streams.work.reporting import JobReporter
from streams.work.retry import RetryPolicy

_log = structlog.get_logger(__name__)

#: A job that took its process down so often is poison, not bad luck.
POISON_AFTER = 3
#: A result another job is computing is looked for again after this.
NEED_AGAIN_S = 0.2
#: A cache or broker that does not answer is asked again after this; no attempt is spent.
AWAY_AGAIN_S = 1.0

_cache_writes = Children(CACHE_WRITES)


class ProcessingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, but for `ttl_jitter`, a share."""

    stale_s: float
    unavailable_ttl_s: float
    ttl_jitter: float


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
        self._worker_id = worker_id
        self._tasks = tasks
        self._executor = executor
        self._claims = claims
        self._finishes = finishes
        self._leases = leases
        self._letters = letters
        self._retries = retries
        self._reporter = reporter
        self._config = config
        self._clock = clock
        self._numbers = itertools.count()
        #: Whether a job of that key and at least that priority is in this worker's hands; set by it.
        self.holds: Callable[[str, int], bool] = lambda _key, _priority: False

    async def process(self, queued: QueuedJob) -> float | None:
        """None when the job has ended; else the seconds after which to process it again."""
        reason = self._unwanted(queued.job)
        if reason is not None:
            self._reporter.skipped(queued, reason)
            return None
        claim = self._new_claim(queued.job)
        try:
            grant = await self._claims.submit(claim)
            if grant.verdict == "held":
                return max(grant.number, 50) / 1000
            if grant.verdict != "run":
                self._reporter.skipped(queued, Reason.DUPLICATE)
                return None
            self._reporter.started(queued)
            self._leases.hold(claim)
            if grant.number > POISON_AFTER:
                message = f"started {grant.number - 1} times and never ended: it takes its process down"
                await self._bury(queued, claim, Reason.POISON, message)
                return None
            return await self._compute(queued, claim)
        except BaseException:
            # Cancelled, or a bug: the lease must not block whoever gets the job next.
            self._finishes.submit(Finish(claim, self._now(), None, 0, "released"))
            self._reporter.handed_back(queued)
            raise
        finally:
            self._leases.drop(claim)

    def _unwanted(self, job: Job) -> Reason | None:
        if job.is_expired(self._now()):
            return Reason.EXPIRED
        return Reason.HELD_OUT if job.group is Group.HOLDOUT else None

    async def _compute(self, queued: QueuedJob, claim: Claim) -> float | None:
        started = self._now()
        try:
            waits = await self._satisfy(queued.job)
            if waits is not None:
                return await self._postpone(queued, claim, waits)
            result = await self._executor.run(queued.job)
        except Skip as exc:
            await self._finish(claim, started, None, "skipped")
            self._reporter.skipped(queued, Reason.NOTHING_TO_DO, str(exc))
            return None
        except Reject as exc:
            await self._reject(queued, claim, started, exc)
            return None
        except UnavailableError:
            return await self._postpone(queued, claim, AWAY_AGAIN_S)
        except (Retry, HandlerError, JobTimeoutError, ChildDiedError) as exc:
            return await self._fail(queued, claim, exc)
        stored = self._stored(queued.job, started, result=msgspec.Raw(result))
        await self._write(queued, claim, stored)
        return None

    async def _write(self, queued: QueuedJob, claim: Claim, stored: StoredResult) -> None:
        verdict = await self._finish(claim, stored.started_at, stored, "completed")
        if verdict == "written":
            self._reporter.completed(queued, stored.compute_ms / 1000)
        else:
            self._reporter.skipped(queued, Reason.SUPERSEDED, verdict)

    async def _reject(self, queued: QueuedJob, claim: Claim, started: int, exc: Reject) -> None:
        stored = self._stored(queued.job, started, reason=exc.reason, message=str(exc))
        await self._finish(claim, started, stored, "unavailable")
        if isinstance(exc, NotAvailable):
            self._reporter.skipped(queued, Reason.NOT_AVAILABLE, str(exc))
        else:
            self._reporter.failed(queued, Reason.REJECTED, f"{exc.reason}: {exc}")

    async def _fail(self, queued: QueuedJob, claim: Claim, exc: PrecomputeError) -> float | None:
        attempts = queued.attempt + 1
        if isinstance(exc, ChildDiedError) and attempts >= POISON_AFTER:
            await self._bury(queued, claim, Reason.POISON, str(exc))
            return None
        if self._retries.is_spent(attempts):
            trace = exc.trace if isinstance(exc, HandlerError) else ""
            await self._bury(queued, claim, Reason.ATTEMPTS_SPENT, str(exc), trace)
            return None
        asked = exc.after_s if isinstance(exc, Retry) else None
        wait = self._retries.wait(attempts, asked_s=asked)
        if wait.topic is not None:
            await self._durably(lambda: self._letters.retry(queued, attempts, wait, self._now()))
        await self._finish(claim, self._now(), None, "retry")
        self._reporter.attempt_failed(queued, type(exc).__name__, str(exc))
        queued.attempt = attempts
        return wait.seconds if wait.topic is None else None

    async def _bury(
        self, queued: QueuedJob, claim: Claim, reason: Reason, message: str, trace: str = ""
    ) -> None:
        attempts = queued.attempt + 1
        await self._durably(
            lambda: self._letters.bury(queued.record, reason.value, message, attempts=attempts, trace=trace)
        )
        started = self._now()
        stored = self._stored(queued.job, started, reason=reason.value, message=message)
        await self._finish(claim, started, stored, "failed")
        self._reporter.failed(queued, reason, message)

    async def _postpone(self, queued: QueuedJob, claim: Claim, seconds: float) -> float:
        await self._finish(claim, self._now(), None, "retry")
        self._reporter.handed_back(queued)
        return seconds

    async def _satisfy(self, job: Job) -> float | None:
        """Computes the results this job needs first; seconds to wait where somebody else is at it."""
        for need in await self._executor.absent_needs(job):
            key = f"{need}:{job.entity}:{job.entity_id}"
            if self.holds(key, job.priority):
                # It comes up by itself; computing it here would only make a duplicate of it.
                return NEED_AGAIN_S
            inner = msgspec.structs.replace(job, id=derive_job_id(need, key, job.id), task=need, key=key)
            claim = self._new_claim(inner)
            grant = await self._claims.submit(claim)
            if grant.verdict in ("busy", "held"):
                return NEED_AGAIN_S
            if grant.verdict == "run":
                await self._compute_need(inner, claim)
        return None

    async def _compute_need(self, inner: Job, claim: Claim) -> None:
        """A need that cannot be computed is left out; the handler says what that means."""
        started = self._now()
        stored = None
        self._leases.hold(claim)
        try:
            stored = self._stored(inner, started, result=msgspec.Raw(await self._executor.run(inner)))
        except Reject as exc:
            stored = self._stored(inner, started, reason=exc.reason, message=str(exc))
        finally:
            self._leases.drop(claim)
            end = self._finishes.submit(self._end(claim, started, stored, "completed" if stored else "retry"))
        await end

    async def _finish(self, claim: Claim, started: int, stored: StoredResult | None, message: str) -> str:
        # Its end deletes the lease: a renewal meanwhile would report it as lost.
        self._leases.drop(claim)
        verdict = await self._finishes.submit(self._end(claim, started, stored, message))
        if stored is not None:
            _cache_writes(claim.job.task, verdict).inc()
        return verdict

    def _end(self, claim: Claim, started: int, stored: StoredResult | None, message: str) -> Finish:
        ttl_ms = 0
        if stored is not None:
            stale_ms = millis(self._config.stale_s) if stored.is_available else 0
            ttl_ms = max(1, stored.expires_at - stored.computed_at + stale_ms)
        return Finish(claim, started, stored, ttl_ms, message)

    def _stored(
        self,
        job: Job,
        started: int,
        *,
        result: msgspec.Raw = NO_RESULT,
        reason: str | None = None,
        message: str | None = None,
    ) -> StoredResult:
        now = self._now()
        ttl_s = self._config.unavailable_ttl_s if reason is not None else self._tasks[job.task].ttl_s
        jitter = 1.0 + self._config.ttl_jitter * random.uniform(-1.0, 1.0)  # noqa: S311 (no secret)
        return StoredResult(
            key=job.key,
            task=job.task,
            job_id=job.id,
            why=job.why,
            handler_version=self._executor.version(job.task),
            input_version=job.input_version,
            started_at=started,
            computed_at=now,
            expires_at=now + millis(ttl_s * jitter),
            compute_ms=float(now - started),
            result=result,
            reason=reason,
            message=message,
        )

    def _new_claim(self, job: Job) -> Claim:
        return Claim(job, f"{self._worker_id}-{next(self._numbers)}")

    def _now(self) -> int:
        return millis(self._clock.now())

    async def _durably(self, send: Callable[[], Awaitable[None]]) -> None:
        """Until Kafka has it: the job's offset must not move before."""
        while True:
            try:
                return await send()
            except UnavailableError as exc:
                _log.warning("a retry or dead letter waits for Kafka", error=str(exc))
                await asyncio.sleep(AWAY_AGAIN_S)
