"""Finding jobs in the ledger: newest first, by status, task, user, cause or key, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.ledger import JobRecord, LedgerReader
from streams.cache.names import RedisNames
from streams.contracts.errors import UnavailableError
from streams.contracts.states import Status

#: Read at once from each status of each task; the page is cut from all of them together.
_STEP = 100
#: Jobs of one page's search that share a millisecond with its cursor: more are not told apart.
_TIES = 64
#: Oldest queued jobs of each task that are looked at: enough to see each priority's.
_OLDEST = 10
#: Jobs looked at for one page; beyond that the page ends short and its cursor goes on.
MOST_SCANNED = 2_000


class JobCursor(msgspec.Struct, frozen=True):
    """The last job of a page: when it got to its status (ms), and its id."""

    at: int
    id: str


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; empty means any."""

    statuses: tuple[Status, ...] = ()
    tasks: tuple[str, ...] = ()
    user_id: str = ""
    why: str = ""
    key: str = ""

    def matches(self, record: JobRecord) -> bool:
        facts = record.facts
        return (
            self.user_id in ("", facts.user_id)
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
        found: list[JobRecord] = []
        scanned = 0
        while scanned < MOST_SCANNED:
            places = await self._places(wanted, after)
            if not places:
                return found, None
            records = await self._ledger.records([place.id for place in places])
            for place, record in zip(places, records, strict=True):
                after = place
                if record is not None and wanted.matches(record):
                    found.append(record)
                    if len(found) == limit:
                        return found, after
            scanned += len(places)
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

    async def _places(self, wanted: JobFilter, after: JobCursor | None) -> list[JobCursor]:
        pipe = self._redis.pipeline(transaction=False)
        most: Any = after.at if after is not None else "+inf"
        for status in wanted.statuses or tuple(Status):
            for task in wanted.tasks or self._tasks:
                name = self._names.jobs_in(status, task)
                pipe.zrevrangebyscore(name, most, "-inf", start=0, num=_STEP + _TIES, withscores=True)
        parts = await _execute(pipe)
        places = [JobCursor(int(score), name.decode()) for part in parts for name, score in part]
        places.sort(key=lambda place: (-place.at, place.id))
        if after is not None:
            behind = (-after.at, after.id)
            places = [place for place in places if (-place.at, place.id) > behind]
        return places[:_STEP]


async def _execute(pipe: Any) -> list[Any]:
    try:
        return list(await pipe.execute())
    except AWAY as exc:
        raise UnavailableError(f"the cache does not answer: {exc}") from exc
