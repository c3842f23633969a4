"""A worker with two consumers, one for the urgent levels; named as a module of handlers it takes effect.

Not what the worker does: what it was measured against (docs/explanation/priority.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from bench.worker.noop import Done, Nothing
from handlers.context import Context
from handlers.contract import handler
from streams.contracts.jobs import PRIORITIES, Priority
from streams.settings import Settings
from streams.work import worker
from streams.work.intake import Intake, Receiver
from streams.work.records import Partition


class DividedIntake:
    """As an `Intake`: the urgent levels have a consumer, a thread and a group of their own."""

    def __init__(self, settings: Settings, topics: Sequence[str], receiver: Receiver) -> None:
        self._urgent = {settings.topics.jobs(p) for p in PRIORITIES if p >= Priority.OPERATOR}
        background = [name for name in topics if name not in self._urgent]
        group = {"group_worker": f"{settings.group_worker}-urgent"}
        self._intakes = {
            True: Intake(settings.model_copy(update=group), sorted(self._urgent), receiver),
            False: Intake(settings, background, receiver),
        }

    def start(self) -> None:
        for intake in self._intakes.values():
            intake.start()

    async def stop(self) -> None:
        for intake in self._intakes.values():
            await intake.stop()

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._each(partitions, Intake.pause)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._each(partitions, Intake.resume)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        self._each(positions, lambda intake, some: intake.commit({one: positions[one] for one in some}))

    def problem(self) -> str | None:
        return next((found for one in self._intakes.values() if (found := one.problem())), None)

    def lags(self) -> Mapping[str, int]:
        return {topic: lag for one in self._intakes.values() for topic, lag in one.lags().items()}

    def _each(self, partitions: Iterable[Partition], call: Callable[[Intake, list[Partition]], None]) -> None:
        ordered = sorted(partitions, key=self._is_urgent)
        for is_urgent, some in groupby(ordered, self._is_urgent):
            call(self._intakes[is_urgent], list(some))

    def _is_urgent(self, partition: Partition) -> bool:
        return partition.topic in self._urgent


worker.Intake = DividedIntake  # type: ignore[assignment, misc]


@handler(task="divided", kind="io", version="1", entity="thing", ttl_s=3600.0)
async def divided(thing: Nothing, context: Context) -> Done:
    """A module of handlers has one."""
    del thing, context
    return Done()
