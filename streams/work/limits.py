"""Bounds per task type and per user: how many jobs at once, how many a second."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping

import msgspec

from streams.contracts.clock import Clock
from streams.contracts.errors import ConfigurationError
from streams.work.records import QueuedJob

#: Users whose recent starts are remembered; one that was forgotten begins with a full bucket.
MOST_USERS = 10_000


class LimitConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`at_once` and `per_s` by task type; `user_per_s` for each user, 0 for no limit."""

    at_once: Mapping[str, int] = {}
    per_s: Mapping[str, float] = {}
    user_per_s: float = 0.0

    def __post_init__(self) -> None:
        if any(n < 1 for n in self.at_once.values()) or any(n <= 0 for n in self.per_s.values()):
            raise ConfigurationError("a task's limit must be above zero; leave it out for none")


class TokenBucket:
    """Lets `per_s` starts through a second, and as many at once as fit one second."""

    __slots__ = ("_per_s", "_read_at", "_tokens")

    def __init__(self, per_s: float, now: float) -> None:
        self._per_s = per_s
        self._tokens = max(1.0, per_s)
        self._read_at = now

    def wait_s(self, now: float) -> float:
        """Seconds until a start is allowed; 0 takes it."""
        self._tokens = min(max(1.0, self._per_s), self._tokens + (now - self._read_at) * self._per_s)
        self._read_at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._per_s


class StartLimits:
    """Asked before each start. Used by the event loop alone."""

    def __init__(self, config: LimitConfig, clock: Clock) -> None:
        self._config = config
        #: Whether any start has to be asked for.
        self.are_set = bool(config.at_once or config.per_s or config.user_per_s)
        self._clock = clock
        self._running: Counter[str] = Counter()
        self._parked: dict[str, deque[QueuedJob]] = {}
        self._tasks: dict[str, TokenBucket] = {}
        self._users: OrderedDict[str, TokenBucket] = OrderedDict()

    def park(self, queued: QueuedJob) -> bool:
        """True where the job's task runs as often as it may: it is kept until one of them ends."""
        task = queued.job.task
        most = self._config.at_once.get(task)
        if most is None or self._running[task] < most:
            return False
        self._parked.setdefault(task, deque()).append(queued)
        return True

    def wait_s(self, queued: QueuedJob) -> float:
        """Seconds until the rates allow the job to start; 0 counts it as started."""
        job = queued.job
        waits = 0.0
        per_s = self._config.per_s.get(job.task)
        if per_s is not None:
            waits = self._bucket(self._tasks, job.task, per_s).wait_s(self._clock.monotonic())
        if not waits and self._config.user_per_s:
            waits = self._user(job.user_id).wait_s(self._clock.monotonic())
        return waits

    def running(self) -> Mapping[str, int]:
        """How many jobs of each task type run here."""
        return self._running

    def started(self, queued: QueuedJob) -> None:
        self._running[queued.job.task] += 1

    def ended(self, queued: QueuedJob) -> QueuedJob | None:
        """The parked job that may be queued again now, if there is one."""
        task = queued.job.task
        self._running[task] -= 1
        waiting = self._parked.get(task)
        if not waiting:
            return None
        # The one with the highest priority, the longest parked of those.
        best = max(waiting, key=lambda parked: parked.job.priority)
        waiting.remove(best)
        return best

    def drop(self, gone: set[int]) -> list[QueuedJob]:
        """Forgets parked jobs by identity and returns them."""
        dropped = []
        for task, waiting in self._parked.items():
            dropped += [queued for queued in waiting if id(queued) in gone]
            self._parked[task] = deque(queued for queued in waiting if id(queued) not in gone)
        return dropped

    def parked(self) -> list[QueuedJob]:
        return [queued for waiting in self._parked.values() for queued in waiting]

    def _bucket(self, buckets: dict[str, TokenBucket], name: str, per_s: float) -> TokenBucket:
        bucket = buckets.get(name)
        if bucket is None:
            bucket = buckets[name] = TokenBucket(per_s, self._clock.monotonic())
        return bucket

    def _user(self, user_id: str) -> TokenBucket:
        bucket = self._users.get(user_id)
        if bucket is None:
            bucket = self._users[user_id] = TokenBucket(self._config.user_per_s, self._clock.monotonic())
            if len(self._users) > MOST_USERS:
                self._users.popitem(last=False)
        self._users.move_to_end(user_id)
        return bucket
