"""How answers are claimed and written: the worker's side of the cache's promises."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence

import msgspec

from streams.cache.answers import Claim, Finish, Grant
from streams.cache.batching import Batcher
from streams.cache.counters import FleetCounters
from streams.cache.uses import ahead_field, is_ahead
from streams.contracts.clock import Clock, millis
from streams.contracts.jobs import Job, Why
from streams.contracts.results import NO_RESULT, StoredResult
from streams.contracts.tasks import TaskCatalogue
from streams.ops.metrics import CACHE_WRITES
from streams.ops.tracing import TRACING
from streams.work.leases import LeaseKeeper
from streams.work.tallies import Tally

MOST_SKEW_MS = 60_000


class ProcessingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, but for `ttl_jitter`, a share."""

    stale_s: float
    unavailable_ttl_s: float
    ttl_jitter: float


class AnswerWriter:
    """Makes claims, holds their leases, and ends each with an answer or without one."""

    def __init__(
        self,
        *,
        worker_id: str,
        tasks: TaskCatalogue,
        claims: Batcher[Claim, Grant],
        finishes: Batcher[Finish, str],
        leases: LeaseKeeper,
        config: ProcessingConfig,
        clock: Clock,
        counters: FleetCounters,
    ) -> None:
        self._worker_id = worker_id
        self._tasks = tasks
        self._claims = claims
        self._finishes = finishes
        self.leases = leases
        self._config = config
        self._stale_ms = millis(config.stale_s)
        self._clock = clock
        self._counters = counters
        self._numbers = itertools.count()
        self.writes = Tally(CACHE_WRITES)

    def now(self) -> int:
        return millis(self._clock.now())

    def started(self, job: Job) -> int:
        """When its computation begins: not before the job was made, on whoever's clock (ms).

        Otherwise a worker whose clock is behind would take its answer for one from before an invalidation.
        A clock further off than a minute is not believed.
        """
        now = self.now()
        return job.created_at if 0 < job.created_at - now <= MOST_SKEW_MS else now

    def new_claim(self, job: Job) -> Claim:
        return Claim(job, f"{self._worker_id}-{next(self._numbers)}")

    def claim(self, claim: Claim) -> asyncio.Future[Grant]:
        return self._claims.submit(claim)

    def claim_all(self, claims: Sequence[Claim]) -> asyncio.Future[list[Grant]]:
        return self._claims.submit_many(claims)

    async def finish(self, claim: Claim, stored: StoredResult | None, message: str) -> str:
        """Ends a claim; the cache's verdict. `message` is the hint that waiting readers get."""
        # The end deletes the lease: a renewal meanwhile would report it as lost.
        self.leases.drop(claim)
        verdict = await self._finishes.submit(self._end(claim, stored, message))
        if stored is not None:
            self._count(stored.task, stored.why, verdict, ahead=is_ahead(stored))
        return verdict

    async def finish_all(self, ends: Sequence[tuple[Claim, StoredResult]], message: str) -> list[str]:
        """Ends many claims, each with an answer."""
        finishes = []
        for claim, stored in ends:
            self.leases.drop(claim)
            finishes.append(self._end(claim, stored, message))
        verdicts = await self._finishes.submit_many(finishes)
        alike = Counter(
            (stored.task, stored.why, is_ahead(stored), verdict)
            for (_, stored), verdict in zip(ends, verdicts, strict=True)
        )
        for (task, why, ahead, verdict), count in alike.items():
            self._count(task, why, verdict, ahead=ahead, count=count)
        return verdicts

    def _count(self, task: str, why: Why, verdict: str, *, ahead: bool, count: int = 1) -> None:
        self.writes.counts[task, verdict] += count
        if ahead and verdict == "written":
            self._counters.add(ahead_field(task, why), count)

    def release(self, claim: Claim) -> None:
        """Gives a claim back without waiting: whoever gets the job next must not be blocked by its lease."""
        self._finishes.submit(self._end(claim, None, "released"))

    def _end(self, claim: Claim, stored: StoredResult | None, message: str) -> Finish:
        if stored is None:
            return Finish(claim, None, 0, message)
        stale_ms = self._stale_ms if stored.is_available else 0
        ttl_ms = max(1, stored.expires_at - stored.computed_at + stale_ms)
        return Finish(claim, stored, ttl_ms, message)

    def stored(
        self,
        job: Job,
        started: int,
        version: str,
        *,
        result: msgspec.Raw = NO_RESULT,
        reason: str | None = None,
        message: str | None = None,
    ) -> StoredResult:
        """The record of an answer, computed now by `version` of its handler."""
        now = millis(self._clock.now())
        ttl_s = self._config.unavailable_ttl_s if reason is not None else self._tasks[job.task].ttl_s
        jitter = 1.0 + self._config.ttl_jitter * (2.0 * random.random() - 1.0)  # noqa: S311 (no secret)
        return StoredResult(
            key=job.key,
            task=job.task,
            job_id=job.id,
            why=job.why,
            handler_version=version,
            input_version=job.input_version,
            started_at=started,
            computed_at=max(now, started),
            expires_at=now + millis(ttl_s * jitter),
            compute_ms=float(max(0, now - started)),
            result=result,
            reason=reason,
            message=message,
            traceparent=TRACING.current() if TRACING.on else None,
        )
