"""The cache of a simulated world: the rules of Redis' scripts over a dictionary.

`streams/cache/scripts.py` is what this follows: who may compute (`claim`), what is written (`finish`), what
an invalidation takes away. What a reader may have is decided by the reader's own `state_of`.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable

import msgspec

from bench.impact.clockwork import Clockwork
from streams.cache.reader import state_of
from streams.cache.uses import ahead_field, is_ahead, used_field
from streams.contracts.jobs import Job
from streams.contracts.results import State, StoredResult
from streams.contracts.tasks import BUILTIN_TASKS

_DONE = msgspec.Raw(b"{}")


class Kept(msgspec.Struct):
    """An answer, what it took to compute, and whether anybody has read it."""

    stored: StoredResult
    cpu_s: float
    calls: int
    began: float
    reads: int = 0
    read_at: float | None = None


class Answers:
    """`ttl` scales every TTL; `stale_s` and `jitter` are the settings of the same names."""

    def __init__(
        self, clock: Clockwork, *, seed: int, stale_s: float, jitter: float, ttl: float = 1.0
    ) -> None:
        self._clock = clock
        self._draw = random.Random(seed)
        self._stale_ms = int(stale_s * 1000)
        self._jitter = jitter
        self._ttl = ttl
        self._kept: dict[str, Kept] = {}
        self._leases: dict[str, Job] = {}
        self._marks: dict[str, int] = {}
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self._expiring: list[tuple[int, str]] = []
        #: Everything that was ever written, for the account at the end.
        self.written: list[Kept] = []
        #: Those of the fleet's counters that tell how much of it is used.
        self.counters: Counter[str] = Counter()

    def look(self, key: str) -> Kept | None:
        """What a reader could have now, without counting as a read."""
        kept = self._kept.get(key)
        if kept is None or self._clock.now_ms >= kept.stored.expires_at + self._stale_ms:
            return None
        return kept

    def read(self, key: str) -> Kept | None:
        kept = self.look(key)
        if kept is not None:
            if not kept.reads and is_ahead(kept.stored):
                self.counters[used_field(kept.stored.task, kept.stored.why)] += 1
            kept.reads += 1
            kept.read_at = self._clock.at
        return kept

    def is_fresh(self, key: str) -> bool:
        kept = self.look(key)
        return kept is not None and state_of(kept.stored, self._clock.now_ms) is State.FRESH

    def claim(self, job: Job) -> str:
        """`run`, `fresh` or `busy`, as the script says."""
        kept = self._kept.get(job.key)
        not_before = job.created_at if job.recompute else 0
        if kept is not None and kept.stored.expires_at > self._clock.now_ms:
            stored = kept.stored
            newer = stored.input_version >= job.input_version and stored.started_at >= not_before
            if newer or stored.job_id == job.id:
                return "fresh"
        holder = self._leases.get(job.key)
        if holder is not None and holder.input_version >= job.input_version:
            return "busy"
        self._leases[job.key] = job
        return "run"

    def release(self, job: Job) -> None:
        if self._leases.get(job.key) is job:
            del self._leases[job.key]

    def finish(self, job: Job, began: float, cpu_s: float, calls: int) -> None:
        """Writes the answer unless a newer one is there or it was invalidated meanwhile; wakes readers."""
        started_at = int(began * 1000)
        now = self._clock.now_ms
        self.release(job)
        before = self._kept.get(job.key)
        is_older = before is not None and (before.stored.input_version, before.stored.started_at) > (
            job.input_version,
            started_at,
        )
        ttl_s = BUILTIN_TASKS[job.task].ttl_s * self._ttl * (1 + self._draw.uniform(-1, 1) * self._jitter)
        stored = StoredResult(
            key=job.key,
            task=job.task,
            job_id=job.id,
            why=job.why,
            handler_version="1",
            input_version=job.input_version,
            started_at=started_at,
            computed_at=now,
            expires_at=now + int(ttl_s * 1000),
            compute_ms=float(now - started_at),
            result=_DONE,
        )
        kept = Kept(stored, cpu_s, calls, self._clock.at)
        self.written.append(kept)
        if not is_older and self._marks.get(job.key, -1) < started_at:
            self._kept[job.key] = kept
            if is_ahead(stored):
                self.counters[ahead_field(job.task, job.why)] += 1
            heapq.heappush(self._expiring, (stored.expires_at, job.key))
        for wake in self._waiting.pop(job.key, ()):
            wake()

    def invalidate(self, key: str, at_ms: int) -> None:
        kept = self._kept.get(key)
        if kept is not None and kept.stored.started_at <= at_ms:
            del self._kept[key]
        self._marks[key] = max(at_ms, self._marks.get(key, -1))

    def when_finished(self, key: str, wake: Callable[[], None]) -> None:
        self._waiting.setdefault(key, []).append(wake)

    def expiring_within(self, seconds: float) -> list[Kept]:
        """Answers whose TTL ends so soon, each handed out once."""
        limit = self._clock.now_ms + int(seconds * 1000)
        found = []
        while self._expiring and self._expiring[0][0] <= limit:
            expires_at, key = heapq.heappop(self._expiring)
            kept = self._kept.get(key)
            if kept is not None and kept.stored.expires_at == expires_at:
                found.append(kept)
        return found

    def forget(self, key: str) -> None:
        self._kept.pop(key, None)
