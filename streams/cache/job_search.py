"""Finding jobs in the ledger: newest first, by status, task, user, cause or key, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.job_walk import JobCursor, JobWalk
from streams.cache.ledger import JobRecord, LedgerReader
from streams.cache.names import RedisNames
from streams.cache.scripting import send_many
from streams.contracts.errors import UnavailableError
from streams.contracts.states import Status

#: Records read at once while a filter looks for the few that match.
_STEP = 500
#: Oldest queued jobs of each task that are looked at: enough to see each priority's.
_OLDEST = 10
#: Jobs looked at for one page; beyond that the page ends short and its cursor goes on.
MOST_SCANNED = 2_000


class _Facts(msgspec.Struct):
    """Of a job's facts, those that a filter asks for."""

    user_id: str
    why: str
    key: str


_facts = msgspec.json.Decoder(_Facts)


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; empty means any."""

    statuses: tuple[Status, ...] = ()
    tasks: tuple[str, ...] = ()
    user_id: str = ""
    why: str = ""
    key: str = ""

    @property
    def is_narrow(self) -> bool:
        """Whether jobs of the right status and task may still not match."""
        return bool(self.user_id or self.why or self.key)

    def matches(self, facts: _Facts | None) -> bool:
        return (
            facts is not None
            and self.user_id in ("", facts.user_id)
            and self.why in ("", facts.why)
            and self.key in ("", facts.key)
        )


class JobSearch:
    """Raises `UnavailableError` where Redis does not answer."""

    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, *, ledger: LedgerReader, tasks: Sequence[str]
    ) -> None:
        self._redis = redis
        self._names = names
        self._ledger = ledger
        self._tasks = tuple(tasks)

    async def page(
        self, wanted: JobFilter, *, limit: int, after: JobCursor | None = None
    ) -> tuple[list[JobRecord], JobCursor | None]:
        """Up to `limit` jobs, and the cursor of the next page; None at the end."""
        walk = JobWalk(self._redis, self._lists_of(wanted), after)
        found: list[JobRecord] = []
        scanned = 0
        while scanned < MOST_SCANNED:
            places = await walk.step()
            if not places:
                return found, None
            while places:
                count = _STEP if wanted.is_narrow else limit - len(found)
                part, places = places[:count], places[count:]
                for place, record in zip(part, await self._matching(wanted, part), strict=True):
                    after = place
                    if record is not None:
                        found.append(record)
                        if len(found) == limit:
                            return found, after
                scanned += len(part)
        return found, after

    async def oldest_queued(self) -> dict[int, int]:
        """Priority to when (ms) its oldest queued job got there, of the oldest few of each task."""
        pipe = self._redis.pipeline(transaction=False)
        for task in self._tasks:
            pipe.zrange(self._names.jobs_in(Status.QUEUED, task), 0, _OLDEST - 1)
        ids = [one.decode() for part in await _execute(pipe) for one in part]
        oldest: dict[int, int] = {}
        for record in await self._ledger.records(ids):
            if record is not None:
                priority = record.facts.priority
                oldest[priority] = min(record.at, oldest.get(priority, record.at))
        return oldest

    async def count(self, statuses: Sequence[Status]) -> dict[Status, int]:
        """How many jobs are listed in each status."""
        pipe = self._redis.pipeline(transaction=False)
        for status in statuses:
            for task in self._tasks:
                pipe.zcard(self._names.jobs_in(status, task))
        counts = await _execute(pipe)
        width = len(self._tasks)
        return {status: sum(counts[i * width : (i + 1) * width]) for i, status in enumerate(statuses)}

    def _lists_of(self, wanted: JobFilter) -> list[str]:
        tasks = wanted.tasks or self._tasks
        if wanted.key:
            # A key begins with its task: the lists of others hold no job of it.
            tasks = tuple(task for task in tasks if wanted.key.startswith(f"{task}:"))
        statuses = wanted.statuses or tuple(Status)
        return [self._names.jobs_in(status, task) for status in statuses for task in tasks]

    async def _matching(self, wanted: JobFilter, places: Sequence[JobCursor]) -> list[JobRecord | None]:
        """The record of each place that matches, None for the others."""
        ids = [place.id for place in places]
        if not wanted.is_narrow:
            return await self._ledger.records(ids)
        chosen = [
            one for one, facts in zip(ids, await self._facts(ids), strict=True) if wanted.matches(facts)
        ]
        records = dict(zip(chosen, await self._ledger.records(chosen), strict=True))
        return [records.get(one) for one in ids]

    async def _facts(self, ids: Sequence[str]) -> list[_Facts | None]:
        """Without the timelines, which are most of a record."""
        try:
            found = await send_many(self._redis, [("HGET", self._names.job(one), "facts") for one in ids])
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
        return [_facts.decode(data) if data else None for data in found]


async def _execute(pipe: Any) -> list[Any]:
    try:
        return list(await pipe.execute())
    except AWAY as exc:
        raise UnavailableError(f"the cache does not answer: {exc}") from exc
