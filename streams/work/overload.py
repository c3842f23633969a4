"""Under overload speculation goes first, then refreshing; never what an event or a person asked for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import PRIORITIES, Job, Priority, Why
from streams.contracts.topics import TopicNames
from streams.ops.metrics import OVERLOAD_LEVEL

#: What is dropped at each level. The order is a promise: see docs/explanation/priority.md.
SHED = (frozenset[Why](), frozenset({Why.PREDICTED}), frozenset({Why.PREDICTED, Why.REFRESH}))


class OverloadConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Overload begins when work that people wait for is older than `age_s`, or `depth` jobs of a priority
    wait for this worker, here or in its partitions; its second level at twice the age. It ends at half of
    either.
    """

    age_s: float
    depth: int

    def __post_init__(self) -> None:
        if self.age_s <= 0 or self.depth < 1:
            raise ConfigurationError("overload limits must be above zero")


class OverloadGuard:
    """Looks at the queues once a second; `sheds` is asked before each start."""

    def __init__(self, config: OverloadConfig) -> None:
        self._config = config
        self.level = 0

    def update(self, ages_s: Mapping[int, float], depths: Mapping[int, int]) -> None:
        """`ages_s`: age of the oldest waiting job by priority, 0 where none waits; `depths`: `waiting`."""
        urgent = max((ages_s[p] for p in PRIORITIES if p >= Priority.LOGIN), default=0.0)
        deepest = max(depths.values(), default=0)
        limits = self._config
        pressure = max(urgent / limits.age_s, deepest / limits.depth)
        if urgent >= 2 * limits.age_s:
            self.level = 2
        elif pressure >= 1:
            self.level = max(self.level, 1)
        elif pressure < 0.5:
            self.level = 0
        OVERLOAD_LEVEL.set(self.level)

    def sheds(self, job: Job) -> bool:
        """Whether the job is dropped now; never one that somebody asked for, whatever it is called."""
        return self.level > 0 and job.priority < Priority.OPERATOR and job.why in SHED[self.level]


def waiting(depths: Mapping[int, int], lags: Mapping[str, int], topics: TopicNames) -> dict[int, int]:
    """Jobs of each priority that wait for this worker: in its queues, and those not fetched yet.

    A queue alone never grows far beyond the mark at which its partitions are paused.
    """
    return {priority: depth + lags.get(topics.jobs(priority), 0) for priority, depth in depths.items()}
