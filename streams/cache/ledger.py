"""The job ledger: status and timeline of each job, best effort, written in batches.

A job's transitions within one flush become one write. When more than `MOST_PENDING` jobs wait, the oldest are
dropped and counted: the ledger informs people, the truth is in Kafka.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.cache.scripting import Argument, Script
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Job
from streams.contracts.states import Status
from streams.contracts.tasks import TaskCatalogue
from streams.ops.metrics import LEDGER_DROPPED, REDIS_ERRORS
from streams.ops.service import BackgroundService

_encoder = msgspec.json.Encoder()

FLUSH_EVERY_S = 0.1
#: A longer script would hold Redis, and with it urgent claims, for over two milliseconds.
MOST_A_FLUSH = 200
MOST_PENDING = 20_000
#: Ended jobs listed per task and status; older ones are still found by their id until they expire.
LISTED = 2000

#: KEYS: the jobs' hashes. ARGV: ttl_s, listed, prefix of the status sets (in the hashes' slot), length of
#: what stands before a job's id in the name of its hash; then a job: status, at, facts (JSON), timeline
#: lines, task, and "1" for a life's first line.
#: The first line may come last, since another process writes it. A job that has ended stays what it is when
#: it is delivered once more, unless it is started again: that is a replayed dead letter.
_RECORD = """
local ttl, listed, prefix, id_at, joins, leaves, a = ARGV[1], ARGV[2], ARGV[3], ARGV[4] + 1, {}, {}, 5
local function of(sets, name)
  local found = sets[name]
  if not found then
    found = {}
    sets[name] = found
  end
  return found
end
for k = 1, #KEYS do
  local id, status, at, facts = string.sub(KEYS[k], id_at), ARGV[a], ARGV[a + 1], ARGV[a + 2]
  local lines, task, first = ARGV[a + 3], ARGV[a + 4], ARGV[a + 5] == '1'
  a = a + 6
  local old = redis.call('HMGET', KEYS[k], 'status', 'timeline')
  local was, before = old[1], old[2]
  local ended = was and was ~= 'queued' and was ~= 'processing'
  if was and first then
    redis.call('HSET', KEYS[k], 'timeline', lines .. before)
  elseif ended and (status == 'queued' or status == 'skipped') then
    redis.call('HSET', KEYS[k], 'timeline', before .. lines)
  else
    if was then
      redis.call('HSET', KEYS[k], 'status', status, 'at', at, 'timeline', before .. lines)
    else
      redis.call('HSET', KEYS[k], 'status', status, 'at', at, 'facts', facts, 'timeline', lines)
    end
    redis.call('EXPIRE', KEYS[k], ttl)
    if was and was ~= status then
      local leaving = of(leaves, prefix .. was .. ':' .. task)
      leaving[#leaving + 1] = id
    end
    local joining = of(joins, prefix .. status .. ':' .. task)
    joining[#joining + 1] = at
    joining[#joining + 1] = id
  end
end
for name, ids in pairs(leaves) do redis.call('ZREM', name, unpack(ids)) end
for name, entries in pairs(joins) do
  redis.call('ZADD', name, unpack(entries))
  local status = string.match(string.sub(name, #prefix + 1), '^[^:]+')
  if status ~= 'queued' and status ~= 'processing' then
    redis.call('ZREMRANGEBYRANK', name, 0, -1 - listed)
  else
    redis.call('ZREMRANGEBYSCORE', name, '-inf', entries[1] - ttl * 1000)
  end
end
"""


class JobFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a job is, without its payload. Times are milliseconds since the epoch."""

    id: str
    task: str
    key: str
    user_id: str
    priority: int
    why: str
    group: str
    created_at: int
    probability: float | None = None


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    status: Status
    at: int
    attempt: int = 0
    reason: str = ""
    error: str = ""
    worker: str = ""


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the API shows it."""

    facts: JobFacts
    status: Status
    at: int
    timeline: tuple[TimelineEntry, ...]


class _Pending(msgspec.Struct, eq=False):
    """What of a job is not written yet."""

    job: Job
    status: Status
    at: int
    lines: bytes
    #: Whether all lines are such as begin a life.
    first: bool


class JobLedger(BackgroundService):
    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, *, ttl_s: float, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        super().__init__()
        self._redis = redis
        self._names = names
        self._ttl_s = int(ttl_s)
        self._clock = clock
        self._pending: dict[str, _Pending] = {}
        self._record = Script(redis, _RECORD)

    def record(
        self,
        job: Job,
        status: Status,
        *,
        attempt: int = 0,
        reason: str = "",
        error: str = "",
        worker: str = "",
    ) -> None:
        at = millis(self._clock.now())
        line = line_of(status, at, attempt=attempt, reason=reason, error=error, worker=worker)
        self.add(job, status, at, line, first=status is Status.QUEUED and not reason)

    def add(self, job: Job, status: Status, at: int, line: bytes, *, first: bool = False) -> None:
        """Notes a status with its line of the timeline (`line_of`), which may be many jobs' line.

        `first` is a life's first line: a job that is queued again says why.
        """
        pending = self._pending.get(job.id)
        if pending is not None:
            pending.status, pending.at = status, at
            pending.lines += line
            pending.first = pending.first and first
            return
        if len(self._pending) >= MOST_PENDING:
            self._pending.pop(next(iter(self._pending)))
            LEDGER_DROPPED.inc()
        self._pending[job.id] = _Pending(job, status, at, line, first)

    async def on_start(self) -> None:
        self.spawn(self._flush_forever(), "job-ledger")

    async def on_stop(self) -> None:
        await self.flush()

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        while self._pending:
            ids = list(islice(self._pending, MOST_A_FLUSH))
            batch = [self._pending.pop(job_id) for job_id in ids]
            try:
                await self._write(batch)
            except AWAY:
                # Lines already replaced by newer ones stay away: best effort, and the newest status wins.
                REDIS_ERRORS.labels("ledger").inc()
                for pending in batch:
                    self._restore(pending)
                return

    def _restore(self, pending: _Pending) -> None:
        newer = self._pending.get(pending.job.id)
        if newer is not None:
            newer.lines = pending.lines + newer.lines
            newer.first = newer.first and pending.first
        elif len(self._pending) < MOST_PENDING:
            self._pending[pending.job.id] = pending
        else:
            LEDGER_DROPPED.inc()

    async def _write(self, batch: list[_Pending]) -> None:
        keys: list[str] = []
        head = self._names.job("")
        args: list[Argument] = [self._ttl_s, LISTED, self._names.jobs_prefix, len(head)]
        for pending in batch:
            job = pending.job
            keys.append(head + job.id)
            facts = _encoder.encode(_facts(job))
            first = "1" if pending.first else ""
            args += (pending.status, pending.at, facts, pending.lines, job.task, first)
        await self._record(keys, args)


def line_of(
    status: Status, at: int, *, attempt: int = 0, reason: str = "", error: str = "", worker: str = ""
) -> bytes:
    """A line of the timeline. `at` is milliseconds since the epoch."""
    entry = TimelineEntry(
        status=status, at=at, attempt=attempt, reason=reason, error=error[:500], worker=worker
    )
    return _encoder.encode(entry) + b"\n"


def _facts(job: Job) -> JobFacts:
    return JobFacts(
        id=job.id,
        task=job.task,
        key=job.key,
        user_id=job.user_id,
        priority=job.priority,
        why=job.why,
        group=job.group,
        created_at=job.created_at,
        probability=job.probability,
    )


class LedgerReader:
    """Reads the ledger; raises `UnavailableError` where Redis does not answer."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, tasks: TaskCatalogue) -> None:
        self._redis = redis
        self._names = names
        self._tasks = tasks

    async def job(self, job_id: str) -> JobRecord | None:
        return (await self.records([job_id]))[0]

    async def count_by_task(self, status: Status = Status.QUEUED) -> dict[str, int]:
        pipe = self._redis.pipeline(transaction=False)
        for task in self._tasks:
            pipe.zcard(self._names.jobs_in(status, task))
        counts = await self._execute(pipe)
        return {task: int(count) for task, count in zip(self._tasks, counts, strict=True)}

    async def newest(
        self, *, statuses: list[Status], tasks: list[str], limit: int, before_ms: int | None = None
    ) -> list[JobRecord]:
        """The newest jobs first, of those statuses and tasks, older than `before_ms` where it is given."""
        pipe = self._redis.pipeline(transaction=False)
        most = f"({before_ms}" if before_ms is not None else "+inf"
        for status in statuses:
            for task in tasks:
                name = self._names.jobs_in(status, task)
                pipe.zrevrangebyscore(name, most, "-inf", start=0, num=limit, withscores=True)
        found = [pair for part in await self._execute(pipe) for pair in part]
        found.sort(key=lambda pair: (-pair[1], pair[0]))
        records = await self.records([job_id.decode() for job_id, _ in found[:limit]])
        return [record for record in records if record is not None]

    async def records(self, ids: Sequence[str]) -> list[JobRecord | None]:
        """The record of each id, None where it has none any more."""
        pipe = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipe.hgetall(self._names.job(job_id))
        return [_record_of(hash_) for hash_ in await self._execute(pipe)] if ids else []

    async def _execute(self, pipe: Any) -> list[Any]:
        try:
            return list(await pipe.execute())
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc


def _record_of(fields: dict[bytes, bytes]) -> JobRecord | None:
    if not fields:
        return None
    lines = fields[b"timeline"].splitlines()
    return JobRecord(
        facts=msgspec.json.decode(fields[b"facts"], type=JobFacts),
        status=Status(fields[b"status"].decode()),
        at=int(fields[b"at"]),
        timeline=tuple(msgspec.json.decode(line, type=TimelineEntry) for line in lines),
    )
