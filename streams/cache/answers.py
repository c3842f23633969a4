"""The life of answers in Redis: claimed before they are computed, written once, read, invalidated."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import redis.asyncio as aioredis

from streams.cache import scripts
from streams.cache.codec import encode_stored, time_digits, version_digits
from streams.cache.names import RedisNames
from streams.cache.scripting import Argument, Script, send_many
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.jobs import Job, Why
from streams.contracts.results import StoredResult

#: A crash count that nobody touches for a day is of a job that went elsewhere.
STARTS_TTL_S = 86_400

#: These ask for a new computation although the answer there is still fresh.
_RECOMPUTE = frozenset({Why.REFRESH, Why.CHANGED})


class Claim(msgspec.Struct, frozen=True):
    """The right to compute one answer. `token` is unique to this claim."""

    job: Job
    token: str

    @property
    def version(self) -> str:
        return version_digits(self.job.input_version)

    @property
    def lease(self) -> str:
        """What stands in Redis while the claim is held."""
        return f"{self.token} {self.job.id} {self.version}"


class Grant(msgspec.Struct, frozen=True):
    """What a claim got.

    "run": compute it; `number` counts this job's starts since one ended. "fresh": the answer is there.
    "cancelled": somebody cancelled this job. "busy": another job computes it. "held": this very job holds the
    lease, in a process that may have died; `number` is the milliseconds until the lease ends.
    """

    verdict: str
    number: int


class Finish(msgspec.Struct, frozen=True):
    """The end of a claim. `stored` None releases it without an answer; `ttl_ms` is the physical TTL."""

    claim: Claim
    started_at: int
    stored: StoredResult | None
    ttl_ms: int
    message: str


class Floors:
    """What people decided about many jobs at once, at most `max_age_s` old: the times below which wide
    invalidations put a task's answers, and the jobs that were cancelled.
    """

    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, clock: Clock, max_age_s: float = 0.25
    ) -> None:
        self._redis = redis
        self._names = names
        self._clock = clock
        self._max_age = max_age_s
        self._read_at = float("-inf")
        self._floors: dict[bytes, bytes] = {}
        self._cancelled: frozenset[bytes] = frozenset()

    async def refresh(self) -> None:
        now = self._clock.monotonic()
        if now - self._read_at >= self._max_age:
            pipe = self._redis.pipeline(transaction=False)
            pipe.hgetall(self._names.floors)
            pipe.zrangebyscore(self._names.cancelled, millis(self._clock.now()), "+inf")
            self._floors, cancelled = await pipe.execute()
            self._cancelled = frozenset(cancelled)
            self._read_at = now

    def is_cancelled(self, job_id: str) -> bool:
        return job_id.encode() in self._cancelled

    def of(self, task: str) -> int:
        return max(int(self._floors.get(b"*", 0)), int(self._floors.get(task.encode(), 0)))


class AnswerStore:
    """Claims and writes answers, many at a time. Raises redis-py's errors; callers batch and retry.

    Every call may be sent twice: a claim by its own token is granted again, a write that is there is written.
    """

    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, lease_s: float, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._floors = Floors(redis, names, clock)
        self._names = names
        self._lease_ms = int(lease_s * 1000)
        self._claim = Script(redis, scripts.CLAIM)
        self._finish = Script(redis, scripts.FINISH)
        self._renew = Script(redis, scripts.RENEW)

    async def claim(self, claims: Sequence[Claim]) -> list[Grant]:
        await self._floors.refresh()
        wanted = [claim for claim in claims if not self._floors.is_cancelled(claim.job.id)]
        grants = iter(await self._claim_all(wanted) if wanted else [])
        return [
            Grant("cancelled", 0) if self._floors.is_cancelled(claim.job.id) else next(grants)
            for claim in claims
        ]

    async def _claim_all(self, claims: Sequence[Claim]) -> list[Grant]:
        now_ms = millis(self._clock.now())
        keys: list[str] = []
        args: list[Argument] = [time_digits(now_ms), self._lease_ms, STARTS_TTL_S]
        for claim in claims:
            job = claim.job
            keys += self._keys(job.key)
            not_before = max(self._floors.of(job.task) + 1, job.created_at if job.why in _RECOMPUTE else 0)
            args += (claim.token, claim.version, time_digits(not_before), job.id)
        flat = await self._claim(keys, args)
        return [Grant(flat[i].decode(), int(flat[i + 1])) for i in range(0, len(flat), 2)]

    async def finish(self, finishes: Sequence[Finish]) -> list[str]:
        """The verdict of each: "written", "released", "lost", "older" or "invalidated"."""
        keys: list[str] = []
        args: list[Argument] = []
        for end in finishes:
            job = end.claim.job
            keys += self._keys(job.key)
            answer = encode_stored(end.stored) if end.stored is not None else b""
            ttl = end.ttl_ms if end.stored is not None else 0
            channel = self._names.done_channel(job.key)
            started = time_digits(end.started_at)
            args += (end.claim.lease, end.claim.version, started, ttl, answer, channel, end.message)
        verdicts = [verdict.decode() for verdict in await self._finish(keys, args)]
        await self._index(finishes, verdicts)
        return verdicts

    async def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Whether each lease is still ours, renewed if so."""
        keys = [self._names.lease(claim.job.key) for claim in claims]
        args: list[Argument] = [self._lease_ms, *(claim.lease for claim in claims)]
        return [bool(held) for held in await self._renew(keys, args)]

    def _keys(self, key: str) -> tuple[str, str, str, str]:
        names = self._names
        return (names.result(key), names.lease(key), names.starts(key), names.invalidated(key))

    async def _index(self, finishes: Sequence[Finish], verdicts: Sequence[str]) -> None:
        """Notes which keys a task has answers for (invalidation by pattern and refresh look there), and which
        of them were computed before anybody asked.
        """
        index: dict[str, list[Argument]] = {}
        for end, verdict in zip(finishes, verdicts, strict=True):
            stored = end.stored
            if verdict != "written" or stored is None:
                continue
            entry: tuple[Argument, Argument] = (stored.computed_at + end.ttl_ms, stored.key)
            index.setdefault(self._names.index(stored.task), []).extend(entry)
            if stored.is_available and stored.why is not Why.DEMAND:
                index.setdefault(self._names.unread(stored.task), []).extend(entry)
        if index:
            await send_many(self._redis, [("ZADD", name, *entries) for name, entries in index.items()])
