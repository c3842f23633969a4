"""What an installation is asked to do: events, the jobs they cause, users, reads."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import Priority
from streams.contracts.tasks import BUILTIN_TASKS, Entity, PrecomputeTaskType
from streams.planning.constants import HANDLER_CPU_S, IO_TASKS

_T = PrecomputeTaskType

#: Names that stand for the tasks that one event asks for together.
GROUPS: dict[str, tuple[str, ...]] = {
    "video": tuple(str(spec.name) for spec in BUILTIN_TASKS.of_entity(Entity.VIDEO)),
    "campaign": tuple(str(spec.name) for spec in BUILTIN_TASKS.of_entity(Entity.CAMPAIGN)),
}
#: One event in 200 uploads a video, one in 500 creates a campaign, one in ten is a login.
DEFAULT_TASKS = "video=0.005,campaign=0.002,dashboard_data=0.1"
#: A cosine over the day that is cut off at zero has no higher one (it tends to pi).
HIGHEST_PEAK = 3.0

_PRIORITIES: dict[str, int] = {
    _T.DASHBOARD_DATA: Priority.LOGIN,
    _T.CAMPAIGN_ANALYTICS: Priority.ANALYTICS,
}


class TaskLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs of one task type: `per_event` of them for each event, `cpu_s` and `wait_s` seconds each.

    `in_child` tells whether the CPU time is spent in a child process or in the worker's own loop;
    `wait_s` is time that takes a slot and no CPU: an LLM, another service.
    """

    task: str
    per_event: float
    cpu_s: float
    priority: int
    in_child: bool = True
    wait_s: float = 0.0
    predicted: bool = False

    def __post_init__(self) -> None:
        if self.per_event < 0 or self.cpu_s < 0 or self.wait_s < 0:
            raise ConfigurationError(f"{self.task}: jobs per event and seconds are zero or more")
        if not 1 <= self.priority <= 10:
            raise ConfigurationError(f"{self.task}: priority is 1 to 10")


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are means over a day; `peak` is the busiest hour's rate over the mean."""

    events_per_s: float
    tasks: tuple[TaskLoad, ...]
    peak: float = 2.0
    users: int = 100_000
    reads_per_s: float = 0.0

    def __post_init__(self) -> None:
        if self.events_per_s <= 0:
            raise ConfigurationError("--events-per-s is above zero")
        if not 1.0 <= self.peak <= HIGHEST_PEAK:
            raise ConfigurationError(f"--peak is 1 to {HIGHEST_PEAK:.0f}: the busiest hour over the mean")
        if self.users < 1 or self.reads_per_s < 0:
            raise ConfigurationError("--users is at least 1, --reads-per-s zero or more")

    def jobs_per_s(self, load: TaskLoad) -> float:
        """Mean rate of one task's jobs."""
        return self.events_per_s * load.per_event

    @property
    def all_jobs_per_s(self) -> float:
        return sum(self.jobs_per_s(load) for load in self.tasks)


def parse_tasks(text: str, *, speculation: float = 0.0) -> tuple[TaskLoad, ...]:
    """Reads `NAME=JOBS_PER_EVENT[@CPU_S[+WAIT_S]]`, separated by commas; raises `ConfigurationError`.

    A name is a task type, `video` or `campaign` for all of theirs, or one of your own, which needs its
    seconds: of CPU, and of waiting for something else. `speculation` adds predicted dashboards, so many for
    each event.
    """
    loads = [load for part in text.split(",") if part.strip() for load in _parse_part(part.strip())]
    if speculation < 0:
        raise ConfigurationError("--speculation is zero or more predicted jobs for each event")
    if speculation:
        loads.append(_predicted(speculation))
    if not loads:
        raise ConfigurationError("--tasks names no task; for example dashboard_data=0.1")
    return tuple(loads)


def _parse_part(part: str) -> Sequence[TaskLoad]:
    name, _, figures = part.partition("=")
    rate, _, seconds = figures.partition("@")
    cpu, _, wait = seconds.partition("+")
    try:
        per_event = float(rate)
        own_s = float(cpu) if cpu else None
        wait_s = float(wait) if wait else 0.0
    except ValueError as exc:
        raise ConfigurationError(f"--tasks {part}: reads NAME=JOBS_PER_EVENT[@CPU_S[+WAIT_S]]") from exc
    return [_load(task, per_event, own_s, wait_s) for task in GROUPS.get(name, (name,))]


def _load(task: str, per_event: float, own_s: float | None = None, wait_s: float = 0.0) -> TaskLoad:
    known = HANDLER_CPU_S.get(task)
    if own_s is None:
        if known is None:
            raise ConfigurationError(
                f"--tasks: nothing is measured of {task}; say its CPU seconds: {task}={per_event}@0.5"
            )
        own_s = known.value
    return TaskLoad(
        task=task,
        per_event=per_event,
        cpu_s=own_s,
        wait_s=wait_s,
        priority=_PRIORITIES.get(task, Priority.UPLOAD),
        in_child=task not in IO_TASKS,
    )


def _predicted(per_event: float) -> TaskLoad:
    """The middle of the priorities that predictions are given."""
    dashboard = _load(_T.DASHBOARD_DATA, per_event)
    priority = (Priority.PREDICTED_MIN + Priority.PREDICTED_MAX) // 2
    return msgspec.structs.replace(dashboard, priority=priority, predicted=True)
