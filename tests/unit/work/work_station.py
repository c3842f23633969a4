"""A job processor with everything real but the handlers and Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from work_samples import job

from streams.cache.answers import KEEP_MS, AnswerStore, Claim, Finish, Grant
from streams.cache.batching import Batcher
from streams.cache.connection import connect
from streams.cache.counters import FleetCounters
from streams.cache.ledger import JobLedger, JobRecord, LedgerReader
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.contracts.clock import Clock
from streams.contracts.errors import PrecomputeError, UnavailableError
from streams.contracts.jobs import Job
from streams.contracts.keys import CacheKey
from streams.contracts.outcomes import Outcome
from streams.contracts.results import Envelope
from streams.contracts.tasks import BUILTIN_TASKS
from streams.settings import Settings
from streams.work.answering import ProcessingConfig
from streams.work.convoy import Convoy
from streams.work.leases import LeaseKeeper
from streams.work.processing import JobProcessor
from streams.work.records import Fetched, QueuedJob
from streams.work.reporting import JobReporter
from streams.work.retry import RetryPolicy, Wait

Script = Callable[[Job], Awaitable[Any]]


class ScriptedExecutor:
    """Runs what the test says; `ran` holds the tasks in their order."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.wants: dict[str, tuple[str, ...]] = {}
        self.answers: AnswerReader | None = None
        self.ran: list[str] = []
        self.batches: list[list[str]] = []

    def version(self, task: str) -> str:  # noqa: ARG002 (the executor's signature)
        return "1"

    def batch_size(self, task: str) -> int:  # noqa: ARG002 (the executor's signature)
        return 1

    def needs(self, task: str) -> tuple[str, ...]:
        return self.wants.get(task, ())

    async def is_answered(self, one: Job) -> bool:
        assert self.answers is not None
        stored = (await self.answers.stored([one.key]))[0]
        return stored is not None and stored.is_available and stored.input_version >= one.input_version

    async def absent_needs(self, one: Job) -> list[str]:
        assert self.answers is not None
        needs = self.needs(one.task)
        keys = [str(CacheKey(need, one.entity, one.entity_id)) for need in needs]
        found = await self.answers.stored(keys)
        return [need for need, stored in zip(needs, found, strict=True) if stored is None]

    async def run_batch(self, jobs: Sequence[Job]) -> list[bytes | PrecomputeError]:
        self.batches.append([one.entity_id for one in jobs])
        answers: list[bytes | PrecomputeError] = []
        for one in jobs:
            try:
                answers.append(await self.run(one))
            except Outcome as exc:
                answers.append(exc)
        return answers

    async def run(self, one: Job) -> bytes:
        self.ran.append(one.task)
        return msgspec.json.encode(await self.scripts[one.task](one))


class KeptLetters:
    """What would be in Kafka; `away` makes Kafka refuse."""

    def __init__(self) -> None:
        self.buried: list[tuple[Fetched, str, str, int]] = []
        self.retried: list[tuple[QueuedJob, int, Wait]] = []
        self.away = False
        self.asked = asyncio.Event()

    async def bury(
        self,
        record: Fetched,
        reason: str,
        message: str,
        *,
        attempts: int,
        trace: str = "",  # noqa: ARG002 (the letters' signature)
    ) -> None:
        self._check()
        self.buried.append((record, reason, message, attempts))

    async def retry(
        self,
        queued: QueuedJob,
        attempts: int,
        wait: Wait,
        now_ms: int,  # noqa: ARG002 (the letters' signature)
    ) -> None:
        self._check()
        self.retried.append((queued, attempts, wait))

    def _check(self) -> None:
        self.asked.set()
        if self.away:
            raise UnavailableError("Kafka is away")


class Station:
    def __init__(self, redis_url: str, clock: Clock, *, max_attempts: int = 3) -> None:
        self.clock = clock
        self.redis = connect(Settings(redis_url=redis_url))
        self.names = RedisNames("w")
        self.store = AnswerStore(self.redis, self.names, 10.0, clock)
        self.claims: Batcher[Claim, Grant] = Batcher("claim", self.store.claim)
        self.finishes: Batcher[Finish, str] = Batcher("finish", self.store.finish)
        self.leases = LeaseKeeper(self.store, 10.0)
        self.ledger = JobLedger(self.redis, self.names, ttl_s=60.0, clock=clock)
        self.counters = FleetCounters(self.redis, self.names, clock)
        self.answers = AnswerReader(self.redis, self.names, clock)
        self.executor = ScriptedExecutor()
        self.executor.answers = self.answers
        self.letters = KeptLetters()
        self.processor = JobProcessor(
            worker_id="w",
            tasks=BUILTIN_TASKS,
            executor=self.executor,  # type: ignore[arg-type]
            claims=self.claims,
            finishes=self.finishes,
            leases=self.leases,
            letters=self.letters,  # type: ignore[arg-type]
            retries=RetryPolicy(max_attempts=max_attempts, base_s=0.5, longest_s=600.0),
            reporter=JobReporter(self.ledger, self.counters, "w", clock),
            config=ProcessingConfig(stale_s=60.0, unavailable_ttl_s=30.0, ttl_jitter=0.0),
            clock=clock,
            counters=self.counters,
        )

    async def start(self) -> None:
        await self.claims.start()
        await self.finishes.start()

    async def stop(self) -> None:
        await self.claims.stop()
        await self.finishes.stop()
        await self.redis.aclose()

    async def process(self, one: QueuedJob) -> float | None:
        """None when the job has ended, else the seconds after which to process it again."""
        ends: list[float | None] = []
        convoy = Convoy(
            self.processor, asyncio.create_task, lambda _, again_s: ends.append(again_s), lambda _: None
        )
        await convoy.run([one])
        (again_s,) = ends
        return again_s

    async def lose_lease(self, one: QueuedJob) -> None:
        """As if its time were over because its worker died."""
        await self.redis.pexpire(self.names.lease(one.job.key), KEEP_MS)

    async def crash(self, one: QueuedJob, times: int) -> None:
        """As if the job had taken its process down so often."""
        for _ in range(times):
            await self.store.claim([self.processor.answers.new_claim(one.job)])
            await self.lose_lease(one)

    def handler(self, script: Script, task: str = "ctr_prediction") -> None:
        self.executor.scripts[task] = script

    async def envelope(self, one: QueuedJob, task: str | None = None) -> Envelope | None:
        return await self.answers.read(CacheKey(task or one.job.task, one.job.entity, one.job.entity_id))

    async def record(self, one: QueuedJob) -> JobRecord:
        await self.ledger.flush()
        found = await LedgerReader(self.redis, self.names, BUILTIN_TASKS).job(one.job.id)
        assert found is not None
        return found

    async def is_leased(self, one: QueuedJob) -> bool:
        return bool(await self.redis.exists(self.names.lease(one.job.key)))


def returns(value: Any) -> Script:
    async def script(_: Job) -> Any:
        return value

    return script


def raises(*errors: BaseException) -> Script:
    """Each call raises the next error; the last one stays."""
    left = list(errors)

    async def script(_: Job) -> Any:
        raise left.pop(0) if len(left) > 1 else left[0]

    return script


def again(one: QueuedJob) -> QueuedJob:
    """The same record delivered once more."""
    return QueuedJob(one.job, one.record, one.job.attempt)


def other_job(one: QueuedJob, **fields: Any) -> QueuedJob:
    """Another job for the same answer."""
    made = job(one.job.priority, task=one.job.task, entity=one.job.entity, cause="other")
    same = {"key": one.job.key, "entity_id": one.job.entity_id, **fields}
    return QueuedJob(msgspec.structs.replace(made, **same), one.record, 0)
