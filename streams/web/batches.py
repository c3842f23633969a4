"""Batches: many answers wanted, at leisure. Their rows stand in Redis; any API process goes on with them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import redis.asyncio as aioredis

from streams.cache.cluster import is_cluster
from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.cache.scripting import send_packed
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Priority, Why
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import TaskCatalogue
from streams.contracts.topics import TopicNames
from streams.kafka.lag import GroupLag
from streams.web.intake import JobRequester
from streams.web.off_peak import OffPeak

KEPT_S = 7 * 86_400
#: Seconds between two turns.
BATCHES_EVERY_S = 0.5
#: Jobs emitted before their number is written down; after a crash at most so many are emitted twice.
STEP = 500
#: Waiting jobs of a batch's priority above which it waits itself: others use that queue too.
MOST_WAITING = 2000
_PUSH = 1000


class BatchFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change. `tasks` counts rows by task; `created_at` in ms."""

    id: str
    by: str
    rows: int
    tasks: dict[str, int]
    off_peak: bool
    created_at: int


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """`emitted` rows are jobs or were left out as `unknown`: nothing is known of their entity."""

    facts: BatchFacts
    state: str
    emitted: int
    unknown: int

    @property
    def is_open(self) -> bool:
        return self.state == "open"


class BatchStore:
    """Raises `UnavailableError` where Redis does not answer."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, clock: Clock = SYSTEM_CLOCK) -> None:
        self._redis = redis
        self._names = names
        self._clock = clock

    async def create(self, keys: Sequence[CacheKey], *, by: str, off_peak: bool) -> Batch:
        facts = BatchFacts(
            id=uuid.uuid4().hex[:16],
            by=by,
            rows=len(keys),
            tasks=dict(Counter(key.task for key in keys)),
            off_peak=off_peak,
            created_at=millis(self._clock.now()),
        )
        rows = self._names.batch_rows(facts.id)
        pipe = self._redis.pipeline(transaction=False)
        for start in range(0, len(keys), _PUSH):
            pipe.rpush(rows, *map(str, keys[start : start + _PUSH]))
        pipe.expire(rows, KEPT_S)
        fields: dict[Any, Any] = {
            "facts": msgspec.json.encode(facts), "state": "open", "emitted": 0, "unknown": 0,
        }  # fmt: skip
        pipe.hset(self._names.batch(facts.id), mapping=fields)
        pipe.expire(self._names.batch(facts.id), KEPT_S)
        pipe.zadd(self._names.batches, {facts.id: facts.created_at})
        pipe.zremrangebyscore(self._names.batches, "-inf", facts.created_at - millis(KEPT_S))
        await self._execute(pipe)
        return Batch(facts=facts, state="open", emitted=0, unknown=0)

    async def find(self, batch_id: str) -> Batch | None:
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(self._names.batch(batch_id))
        return _batch((await self._execute(pipe))[0])

    async def newest(self, limit: int) -> list[Batch]:
        pipe = self._redis.pipeline(transaction=False)
        pipe.zrevrange(self._names.batches, 0, limit - 1)
        ids = (await self._execute(pipe))[0]
        pipe = self._redis.pipeline(transaction=False)
        for one in ids:
            pipe.hgetall(self._names.batch(one.decode()))
        found = [_batch(fields) for fields in await self._execute(pipe)] if ids else []
        return [batch for batch in found if batch is not None]

    async def rows(self, batch: Batch, count: int) -> list[str]:
        """The next rows that are not emitted yet."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.lrange(self._names.batch_rows(batch.facts.id), batch.emitted, batch.emitted + count - 1)
        return [row.decode() for row in (await self._execute(pipe))[0]]

    async def advance(self, batch: Batch, emitted: int, unknown: int) -> None:
        """Writes down how far it is: set, not added, so that two processes at once do not count twice."""
        name = self._names.batch(batch.facts.id)
        state = "emitted" if batch.emitted + emitted >= batch.facts.rows else "open"
        fields: dict[Any, Any] = {
            "emitted": batch.emitted + emitted, "unknown": batch.unknown + unknown, "state": state,
        }  # fmt: skip
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(name, mapping=fields)
        await self._execute(pipe)

    async def cancel(self, batch: Batch) -> None:
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(self._names.batch(batch.facts.id), "state", "cancelled")
        await self._execute(pipe)

    async def answered(self, batch: Batch) -> int:
        """How many of the emitted rows have an answer now."""
        rows = self._names.batch_rows(batch.facts.id)
        count = 0
        for start in range(0, batch.emitted, _PUSH):
            end = min(start + _PUSH, batch.emitted) - 1
            try:
                keys: list[bytes] = await send_packed(self._redis, "LRANGE", rows, start, end)
                count += await self._count_present([self._names.result(key.decode()) for key in keys])
            except AWAY as exc:
                raise UnavailableError(f"Redis does not answer: {exc}") from exc
        return count

    async def _count_present(self, names: Sequence[str]) -> int:
        """One command for all of them, where they are on one server."""
        if not names:
            return 0
        if not is_cluster(self._redis):
            return int(await send_packed(self._redis, "EXISTS", *names))
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.exists(name)
        return sum(await pipe.execute())

    async def _execute(self, pipe: Any) -> list[Any]:
        try:
            return list(await pipe.execute())
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc


def _batch(fields: dict[bytes, bytes]) -> Batch | None:
    if not fields:
        return None
    return Batch(
        facts=msgspec.json.decode(fields[b"facts"], type=BatchFacts),
        state=fields[b"state"].decode(),
        emitted=int(fields[b"emitted"]),
        unknown=int(fields[b"unknown"]),
    )


class BatchRunner:
    """Emits open batches' jobs, a step at a time, while their queue is short and their window open.

    A job's id follows from its batch: a step that is emitted twice makes no second job.
    A `ChoreService` takes the turns.
    """

    def __init__(
        self,
        *,
        store: BatchStore,
        jobs: JobRequester,
        lag: GroupLag,
        topics: TopicNames,
        tasks: TaskCatalogue,
        off_peak: OffPeak,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._lag = lag
        self._topic = topics.jobs(Priority.BATCH)
        self._tasks = tasks
        self._off_peak = off_peak
        self._clock = clock

    async def turn(self) -> None:
        """One step of each open batch, oldest first."""
        found = [batch for batch in await self._store.newest(100) if batch.is_open]
        for batch in reversed(found):
            if batch.facts.off_peak and not self._off_peak.is_open(self._clock.now()):
                continue
            if (await self._lag.read()).get(self._topic, 0) >= MOST_WAITING:
                return
            await self._step(batch)

    async def _step(self, batch: Batch) -> None:
        rows = await self._store.rows(batch, STEP)
        keys = [CacheKey.parse(row, self._tasks) for row in rows]
        jobs = await self._jobs.request(
            keys, why=Why.BATCH, priority=Priority.BATCH, cause=f"batch/{batch.facts.id}"
        )
        # Rows that vanished with Redis's data count as emitted: the batch must come to an end.
        step = len(rows) or batch.facts.rows - batch.emitted
        await self._store.advance(batch, step, len(rows) - len(jobs))


def estimate(tasks: dict[str, int], costs: dict[str, float], slots: int) -> dict[str, Any]:
    """What a batch costs: computing seconds, and seconds until it is done if nothing else ran."""
    unknown = [task for task in tasks if task not in costs]
    seconds = sum(count * costs.get(task, 0.0) for task, count in tasks.items())
    return {
        "rows": sum(tasks.values()),
        "by_task": tasks,
        "compute_s": round(seconds, 3),
        "wall_s": round(seconds / slots, 3) if slots else None,
        "slots": slots,
        "never_computed_yet": unknown,
    }


def progress(batch: Batch, answered: int | None = None) -> dict[str, Any]:
    """A batch as the API shows it."""
    facts = cast("dict[str, Any]", msgspec.to_builtins(batch.facts))
    shown = {**facts, "state": batch.state, "emitted": batch.emitted, "unknown": batch.unknown}
    return shown if answered is None else {**shown, "answered": answered}
