"""Who reads what: gathered in the process, sent to Redis about once a second.

Proactive refresh looks there for what is read; and an answer's first read takes it off the list of
precomputed answers that nobody wanted. Light, because clients gather too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams.cache.names import RedisNames

#: Different keys between two flushes; reads of more are answered but not gathered.
MOST_KEYS = 20_000
#: The fleet's counter that a read adds to, by the state that it met.
COUNTER_OF = {"fresh": "cache_hits", "stale": "cache_hits"}


class FirstReads(msgspec.Struct, frozen=True):
    """Precomputed answers of a cause that were read for the first time, and the seconds they took."""

    task: str
    why: str
    count: int
    compute_s: float


class ReadTally:
    """`note` costs a dictionary access. Not thread-safe."""

    def __init__(self, names: RedisNames) -> None:
        self._names = names
        #: Key to when it was last read (ms), what it cost to compute (ms), and what asked for it.
        self._keys: dict[str, tuple[int, float, str]] = {}

    def note(self, key: str, at_ms: int, compute_ms: float, why: str) -> None:
        if len(self._keys) < MOST_KEYS:
            self._keys[key] = (at_ms, compute_ms, why)

    async def flush(self, redis: Any) -> list[FirstReads]:
        """Sends what was gathered; it is lost where Redis is away, as redis-py's error says."""
        if not self._keys:
            return []
        keys, self._keys = self._keys, {}
        by_task: dict[str, list[str]] = {}
        for key in keys:
            by_task.setdefault(key.partition(":")[0], []).append(key)
        pipe = redis.pipeline(transaction=False)
        for task, members in by_task.items():
            pipe.zadd(self._names.reads(task), {key: keys[key][0] for key in members}, gt=True)
            for key in members:
                pipe.zrem(self._names.unread(task), key)
        answers = iter(await pipe.execute())
        found = []
        for task, members in by_task.items():
            next(answers)
            first = [key for key in members if next(answers)]
            by_why: dict[str, list[float]] = {}
            for key in first:
                by_why.setdefault(keys[key][2], []).append(keys[key][1])
            found += [FirstReads(task, why, len(ms), sum(ms) / 1000) for why, ms in by_why.items()]
        return found
