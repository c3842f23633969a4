"""Fixed inputs through the real code, in this process and without a server: what is left is the code's CPU.

Each workload returns how many units one call did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import redis.asyncio as aioredis

from predictor.actions import BUILTIN_ACTIONS
from predictor.bundled import load_bundled
from predictor.history import Action, History
from streams.cache.answers import Claim, Finish, Grant
from streams.cache.batching import Batcher
from streams.cache.codec import encode_stored
from streams.cache.counters import FleetCounters
from streams.cache.ledger import JobLedger
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.contracts.clock import ManualClock
from streams.contracts.jobs import Why, decode_job, encode_job, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.results import StoredResult
from streams.contracts.tasks import BUILTIN_TASKS
from streams.contracts.triggers import BUILTIN_TRIGGERS, TriggerTable
from streams.ingest.anticipation import NoAnticipation
from streams.ingest.partitions import partition_of
from streams.ingest.slices import SliceProcessor
from streams.ingest.state import Inputs, UserStates
from streams.work.answering import ProcessingConfig
from streams.work.dispatch import Dispatcher
from streams.work.leases import LeaseKeeper
from streams.work.limits import LimitConfig, StartLimits
from streams.work.overload import OverloadConfig, OverloadGuard
from streams.work.processing import JobProcessor
from streams.work.queues import PriorityQueues, QueueConfig
from streams.work.records import Fetched, Partition, QueuedJob
from streams.work.reporting import JobReporter
from streams.work.retry import RetryPolicy

EVENTS, USERS, JOBS, READS, SLOTS = 1_000, 100, 500, 1_000, 16
GAP_MS = 1_800_000
START_MS = 1_700_000_000_000
NAMES = RedisNames("guard")
#: About what a dashboard's answer weighs.
RESULT = {"ctr": 0.031, "interval": [0.028, 0.034], "samples": 12_000, "notes": ["guard"] * 20}


def events() -> Callable[[], int]:
    """A slice of 1,000 events of 100 users: decoded, checked, applied, turned into jobs."""
    clock = ManualClock(START_MS / 1000)
    processor = SliceProcessor(
        triggers=TriggerTable(BUILTIN_TRIGGERS, BUILTIN_TASKS),
        tasks=BUILTIN_TASKS,
        anticipation=NoAnticipation(),
        partitions=1,
        most_entities=200,
        clock=clock,
    )
    records = [_record(n) for n in range(EVENTS)]

    def run() -> int:
        # Tables of their own: the same events twice would be repetitions.
        effects = processor.process(records, UserStates({}, GAP_MS), Inputs({}))
        for outgoing in effects.jobs:
            encode_job(outgoing.job)
        assert not effects.letters
        return EVENTS

    return run


def _record(n: int) -> Any:
    user = f"u{n % USERS}"
    kind, data = (
        ("video.uploaded", {"video_id": f"v{n}", "uri": "file:///a.mp4"})
        if n % 10 == 0
        else ("user.acted", {"action": "view_dashboard"})
    )
    body = {"type": kind, "id": f"e{n}", "data": {"user_id": user, **data}}
    return SimpleNamespace(
        topic="precompute.events.users",
        partition=partition_of(user.encode(), 1),
        offset=n,
        timestamp=START_MS + n,
        key=user.encode(),
        value=msgspec.json.encode(body),
        headers=(),
    )


def predictions() -> Callable[[], int]:
    """The shipped model asked about 100 histories at once."""
    blend = load_bundled()[0]
    names = list(BUILTIN_ACTIONS)
    histories = []
    for user in range(USERS):
        history = History(f"u{user}", gap_ms=GAP_MS)
        for n in range(12):
            history.append(Action(names[(user + n * 5) % len(names)], START_MS + n * 30_000))
        histories.append(history)

    def run() -> int:
        assert len(blend.predict_many(histories, START_MS + 400_000)) == USERS
        return USERS

    return run


class _Store:
    """Grants every claim and writes every answer."""

    async def claim(self, claims: Sequence[Claim]) -> list[Grant]:
        return [Grant("run", 1) for _ in claims]

    async def finish(self, finishes: Sequence[Finish]) -> list[str]:
        for end in finishes:
            assert end.stored is not None
            encode_stored(end.stored)
        return ["written"] * len(finishes)


class _Executor:
    """Handlers that do nothing."""

    def version(self, _task: str) -> str:
        return "1"

    def batch_size(self, _task: str) -> int:
        return 1

    def needs(self, _task: str) -> tuple[str, ...]:
        return ()

    async def run(self, _job: Any) -> bytes:
        return b'{"ok":true}'


def jobs() -> Callable[[], int]:
    """500 jobs of all priorities: decoded, queued, claimed, run, encoded, reported."""
    encoded = [
        encode_job(
            new_job(
                CacheKey("ctr_prediction", "video", f"v{n}"),
                cause="guard",
                user_id="u",
                priority=1 + n % 10,
                why=Why.BATCH,
                created_at=START_MS,
                input_version=1,
            )
        )
        for n in range(JOBS)
    ]

    def run() -> int:
        asyncio.run(_run_jobs(encoded))
        return JOBS

    return run


async def _run_jobs(encoded: Sequence[bytes]) -> None:
    clock = ManualClock(START_MS / 1000)
    left = len(encoded)
    done = asyncio.Event()

    def ended(jobs: Sequence[QueuedJob]) -> None:
        nonlocal left
        left -= len(jobs)
        if not left:
            done.set()

    claims, finishes = Batcher("claim", _Store().claim), Batcher("finish", _Store().finish)
    dispatcher = Dispatcher(
        slots=SLOTS,
        queues=PriorityQueues(QueueConfig(slots=SLOTS), clock),
        limits=StartLimits(LimitConfig(), clock),
        guard=OverloadGuard(OverloadConfig(age_s=30.0, depth=20_000)),
        processor=_processor(claims, finishes, clock),
        clock=clock,
        is_ours=lambda _: True,
        on_taken=lambda _: None,
        on_ended=ended,
        on_left=lambda _: None,
    )
    for service in (claims, finishes, dispatcher):
        await service.start()
    record = Fetched(Partition("guard", 0), 1, 0, None, None, ())
    for data in encoded:
        dispatcher.put(QueuedJob(decode_job(data), record, 0))
    async with asyncio.timeout(60):
        await done.wait()
    for service in (dispatcher, finishes, claims):
        await service.stop()


def _processor(
    claims: Batcher[Claim, Grant], finishes: Batcher[Finish, str], clock: ManualClock
) -> JobProcessor:
    # Connects when it is first used, which is never.
    nowhere: Any = aioredis.Redis()
    ledger = JobLedger(nowhere, NAMES, ttl_s=60.0, clock=clock)
    counters = FleetCounters(nowhere, NAMES, clock)
    return JobProcessor(
        worker_id="guard",
        tasks=BUILTIN_TASKS,
        executor=_Executor(),  # type: ignore[arg-type]
        claims=claims,
        finishes=finishes,
        leases=LeaseKeeper(nowhere, 10.0),
        letters=nowhere,
        retries=RetryPolicy(max_attempts=3, base_s=0.5, longest_s=600.0),
        reporter=JobReporter(ledger, counters, "guard", clock),
        config=ProcessingConfig(stale_s=60.0, unavailable_ttl_s=30.0, ttl_jitter=0.1),
        clock=clock,
        counters=counters,
    )


def reads() -> Callable[[], int]:
    """1,000 reads of one answer as an API gives them: decoded, judged, tagged."""
    key = CacheKey("ctr_prediction", "video", "v1")
    stored = StoredResult(
        key=str(key),
        task=key.task,
        job_id="b" * 24,
        why=Why.PREDICTED,
        handler_version="1",
        input_version=1,
        started_at=START_MS,
        computed_at=START_MS,
        expires_at=START_MS + 3_600_000,
        compute_ms=1.0,
        result=msgspec.Raw(msgspec.json.encode(RESULT)),
    )
    replies = [None, encode_stored(stored)]
    reader = AnswerReader(_Redis(replies), NAMES, ManualClock(START_MS / 1000))  # type: ignore[arg-type]

    async def read_all() -> None:
        for _ in range(READS):
            assert await reader.read(key) is not None

    def run() -> int:
        asyncio.run(read_all())
        return READS

    return run


class _Redis:
    """A client whose connection has the reply at hand."""

    def __init__(self, reply: list[bytes | None]) -> None:
        self._reply = reply
        self.connection_pool = self

    async def get_connection(self) -> _Redis:
        return self

    async def release(self, connection: _Redis) -> None:
        pass

    async def send_packed_command(self, packed: Sequence[bytes]) -> None:
        assert packed

    async def read_response(self) -> list[bytes | None]:
        return self._reply

    async def disconnect(self) -> None:
        pass


WORKLOADS: dict[str, Callable[[], Callable[[], int]]] = {
    "event": events,
    "prediction": predictions,
    "job": jobs,
    "read": reads,
}
