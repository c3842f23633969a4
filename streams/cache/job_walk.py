"""Going through the ledger's lists together, newest job first, a piece of each at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.contracts.errors import UnavailableError

#: First piece of each list. Most of a page comes from the few lists that grow fast: those are read on in
#: pieces twice as large each time, the others not at all.
FIRST_PIECE = 16
LARGEST_PIECE = 512


class JobCursor(msgspec.Struct, frozen=True, order=True):
    """A place in the order of all jobs: when the job got to its status (ms), and its id."""

    at: int
    id: str


class _Listed:
    """The rest of one sorted set: what was read of it and not yet handed out, newest first."""

    __slots__ = ("before", "has_more", "name", "piece", "places")

    def __init__(self, name: str, before: JobCursor | None) -> None:
        self.name = name
        self.before = before
        self.piece = FIRST_PIECE
        self.places: list[JobCursor] = []
        self.has_more = True

    def take_in(self, pairs: Sequence[tuple[bytes, float]]) -> None:
        """The answer to the piece asked for; what stands at or above `before` was read already."""
        found = [JobCursor(int(score), name.decode()) for name, score in pairs]
        if self.before is not None:
            found = [place for place in found if place < self.before]
        self.has_more = len(pairs) == self.piece
        self.piece = min(2 * self.piece, LARGEST_PIECE) if found else 2 * self.piece
        self.places += found
        if self.places:
            self.before = self.places[-1]

    def hand_out(self, least: JobCursor | None) -> list[JobCursor]:
        """What is not older than `least`, and no longer here afterwards."""
        if least is None:
            taken, self.places = self.places, []
            return taken
        count = sum(place >= least for place in self.places)
        taken, self.places = self.places[:count], self.places[count:]
        return taken


class JobWalk:
    """Newest first; within a millisecond by id, downwards, as Redis itself orders. Nothing comes twice."""

    def __init__(self, redis: aioredis.Redis, names: Sequence[str], after: JobCursor | None) -> None:
        self._redis = redis
        self._lists = [_Listed(name, after) for name in names]

    async def step(self) -> list[JobCursor]:
        """The next places, some dozens or hundreds; empty at the end.

        Raises `UnavailableError` where Redis does not answer.
        """
        while low := [one for one in self._lists if one.has_more and not one.places]:
            await self._read(low)
        # Below the newest of the last places read, a list may hold more than we know of.
        ends = [one.places[-1] for one in self._lists if one.has_more]
        least = max(ends, default=None)
        taken = [place for one in self._lists for place in one.hand_out(least)]
        taken.sort(reverse=True)
        return taken

    async def _read(self, lists: Sequence[_Listed]) -> None:
        pipe: Any = self._redis.pipeline(transaction=False)
        for one in lists:
            most: Any = one.before.at if one.before is not None else "+inf"
            pipe.zrevrangebyscore(one.name, most, "-inf", start=0, num=one.piece, withscores=True)
        try:
            answers = await pipe.execute()
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
        for one, pairs in zip(lists, answers, strict=True):
            one.take_in(pairs)
