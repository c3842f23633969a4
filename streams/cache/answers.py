"""The life of answers in Redis: claimed before they are computed, written once, read, invalidated."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import redis.asyncio as aioredis

from streams.cache import scripts
from streams.cache.cluster import is_cluster
from streams.cache.codec import VERSION_DIGITS, encode_stored, time_digits
from streams.cache.names import RedisNames
from streams.cache.scripting import Argument, Script, send_many
from streams.cache.uses import is_ahead
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.jobs import Job
from streams.contracts.results import StoredResult

#: A count of starts that nobody touches for a day is of a job that went elsewhere.
KEEP_MS = 86_400_000


_set = msgspec.structs.force_setattr


class Claim(msgspec.Struct, frozen=True):
    """The right to compute one answer. `token` is unique to this claim; `lease` is what stands in Redis while
    it is held, behind the time and the count.
    """

    job: Job
    token: str
    lease: str = ""

    def __post_init__(self) -> None:
        job = self.job
        # A job's version fits its digits.
        _set(self, "lease", f"{self.token} {job.id} {job.input_version:0{VERSION_DIGITS}d}")


class Grant(msgspec.Struct, frozen=True):
    """What a claim got.

    "run": compute it; `number` counts this job's starts since one ended. "fresh": the answer is there.
    "cancelled": somebody cancelled this job. "busy": another job computes it. "held": this very job holds the
    lease, in a process that may have died; `number` is the milliseconds until the lease ends.
    """

    verdict: str
    number: int


#: What nearly every claim gets.
GRANTED = Grant("run", 1)
VERDICTS = {name.encode(): name for name in ("written", "released", "lost", "older", "invalidated")}


class Finish(msgspec.Struct, frozen=True):
    """The end of a claim. `stored` None releases it without an answer; `ttl_ms` is the physical TTL."""

    claim: Claim
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
        self._not_before: dict[str, str] = {}
        self._cancelled: frozenset[bytes] = frozenset()

    async def refresh(self) -> None:
        now = self._clock.monotonic()
        if now - self._read_at >= self._max_age:
            pipe = self._redis.pipeline(transaction=False)
            pipe.hgetall(self._names.floors)
            pipe.zrangebyscore(self._names.cancelled, millis(self._clock.now()), "+inf")
            self._floors, cancelled = await pipe.execute()
            self._not_before.clear()
            self._cancelled = frozenset(cancelled)
            self._read_at = now

    @property
    def any_cancelled(self) -> bool:
        return bool(self._cancelled)

    def is_cancelled(self, job_id: str) -> bool:
        return job_id.encode() in self._cancelled

    def not_before(self, task: str) -> str:
        """When an answer of that task must have begun to count (14 digits of ms)."""
        found = self._not_before.get(task)
        if found is None:
            floor = max(int(self._floors.get(b"*", 0)), int(self._floors.get(task.encode(), 0)))
            found = self._not_before[task] = time_digits(floor + 1)
        return found


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
        self._notes_apart = is_cluster(redis)
        self._lists: dict[str, tuple[str, str]] = {}
        #: Cut from a name once: to put three names together for every call would be dear.
        self._heads = [name("/").partition("/")[0] for name in (names.result, names.lease, names.invalidated)]
        self._channel_head = names.done_channel("/").partition("{")[0]

    async def claim(self, claims: Sequence[Claim]) -> list[Grant]:
        floors = self._floors
        await floors.refresh()
        if not floors.any_cancelled:
            return await self._claim_all(claims)
        wanted = [claim for claim in claims if not floors.is_cancelled(claim.job.id)]
        grants = iter(await self._claim_all(wanted) if wanted else [])
        return [
            Grant("cancelled", 0) if floors.is_cancelled(claim.job.id) else next(grants) for claim in claims
        ]

    async def _claim_all(self, claims: Sequence[Claim]) -> list[Grant]:
        keys: list[str] = []
        args: list[Argument] = [time_digits(millis(self._clock.now())), self._lease_ms, KEEP_MS]
        answer, lease, _ = self._heads
        for claim in claims:
            job = claim.job
            keys += (f"{answer}{job.key}}}", f"{lease}{job.key}}}")
            not_before = self._floors.not_before(job.task)
            if job.recompute:
                not_before = max(not_before, time_digits(job.created_at))
            args += (claim.lease, not_before)
        flat = await self._claim(keys, args)
        return [
            GRANTED if number == 1 and verdict == b"run" else Grant(verdict.decode(), int(number))
            for verdict, number in zip(flat[::2], flat[1::2], strict=True)
        ]

    async def finish(self, finishes: Sequence[Finish]) -> list[str]:
        """The verdict of each: "written", "released", "lost", "older" or "invalidated".

        What is written is also noted in the lists of its task: those of its answers (invalidation by pattern
        and refresh look there), and of the ones computed before anybody asked.
        """
        keys: list[str] = []
        args: list[Argument] = [KEEP_MS, len(finishes), len(self._heads[0]) - 1, self._channel_head]
        lists: dict[str, int] = {}
        numbers: dict[tuple[str, bool], tuple[int, int]] = {}
        result, lease, mark = self._heads
        for end in finishes:
            key = end.claim.job.key
            keys += (f"{result}{key}}}", f"{lease}{key}}}", f"{mark}{key}}}")
            stored = end.stored
            if stored is None:
                args += (end.claim.lease, 0, b"", end.message, 0, 0, 0)
                continue
            score, answered, unread = 0, 0, 0
            if not self._notes_apart:
                score = stored.computed_at + end.ttl_ms
                kind = (stored.task, is_ahead(stored))
                found = numbers.get(kind)
                if found is None:
                    found = numbers[kind] = self._numbers_of(stored, lists)
                answered, unread = found
            answer = encode_stored(stored)
            args += (end.claim.lease, end.ttl_ms, answer, end.message, score, answered, unread)
        verdicts = [VERDICTS[verdict] for verdict in await self._finish([*keys, *lists], args)]
        if self._notes_apart:
            await self._note(finishes, verdicts)
        return verdicts

    def _numbers_of(self, stored: StoredResult, lists: dict[str, int]) -> tuple[int, int]:
        """The first and the last of its lists by their places among all, beginning with 1."""
        places = [lists.setdefault(name, len(lists) + 1) for name in self._lists_of(stored)]
        return places[0], places[-1]

    def _lists_of(self, stored: StoredResult) -> tuple[str, ...]:
        found = self._lists.get(stored.task)
        if found is None:
            found = self._lists[stored.task] = (
                self._names.index(stored.task),
                self._names.unread(stored.task),
            )
        return found if is_ahead(stored) else found[:1]

    async def _note(self, finishes: Sequence[Finish], verdicts: Sequence[str]) -> None:
        """On a cluster the lists lie in other slots than the answers."""
        noted: dict[str, list[Argument]] = {}
        for end, verdict in zip(finishes, verdicts, strict=True):
            stored = end.stored
            if verdict != "written" or stored is None:
                continue
            for name in self._lists_of(stored):
                noted.setdefault(name, []).extend((stored.computed_at + end.ttl_ms, stored.key))
        if noted:
            await send_many(self._redis, [("ZADD", name, *entries) for name, entries in noted.items()])

    async def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Whether each lease is still ours, renewed if so."""
        keys = [self._names.lease(claim.job.key) for claim in claims]
        args: list[Argument] = [self._lease_ms + KEEP_MS, *(claim.lease for claim in claims)]
        return [bool(held) for held in await self._renew(keys, args)]
