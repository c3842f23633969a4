"""What was done about dead letters, noted in Redis: Kafka keeps each record until its time is over."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.web.letters import Letter

#: As long as the letters themselves are kept.
REMEMBERED_S = 30 * 86_400


class Settled(StrEnum):
    REPLAYED = "replayed"
    DROPPED = "dropped"


class Mark(msgspec.Struct, frozen=True):
    """What was last done about a letter, and when (ms)."""

    settled: Settled
    at: int


class LetterMarks:
    """A wiped Redis forgets the marks: every letter is then listed, and may be chosen by a filter, again."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, clock: Clock = SYSTEM_CLOCK) -> None:
        self._redis = redis
        self._sets = {Settled.REPLAYED: names.replayed, Settled.DROPPED: names.dropped}
        self._clock = clock

    async def of(self, letters: Sequence[Letter]) -> dict[str, Mark]:
        """By place, of those letters that have one; raises `UnavailableError` where Redis does not answer."""
        if not letters:
            return {}
        places = [letter.place for letter in letters]
        pipe = self._redis.pipeline(transaction=False)
        for name in self._sets.values():
            pipe.zmscore(name, places)
        try:
            answers = await pipe.execute()
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc
        marks: dict[str, Mark] = {}
        for settled, scores in zip(self._sets, answers, strict=True):
            for place, score in zip(places, scores, strict=True):
                if score is not None and (place not in marks or score >= marks[place].at):
                    marks[place] = Mark(settled, int(score))
        return marks

    async def put(self, settled: Settled, letters: Sequence[Letter]) -> None:
        """Raises `UnavailableError` where Redis does not answer: then nothing is certain to be marked."""
        if not letters:
            return
        now = self._clock.now()
        name = self._sets[settled]
        pipe = self._redis.pipeline(transaction=False)
        pipe.zadd(name, {letter.place: millis(now) for letter in letters})
        pipe.zremrangebyscore(name, "-inf", millis(now - REMEMBERED_S))
        try:
            await pipe.execute()
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc
