"""A discrete-event simulation of workers: the real priority queues and overload guard, simulated time.

A job waits in its worker's queue for a slot, takes the worker's event loop for what surrounds a handler
(and for the handler itself where it is asynchronous), then a child process where it is CPU work. What is left
out: Kafka, Redis and the network, which take milliseconds, and rebalances.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import PRIORITIES, Job, Why
from streams.planning.arrivals import Arrival
from streams.work.overload import OverloadConfig, OverloadGuard
from streams.work.queues import PriorityQueues, QueueConfig
from streams.work.records import Fetched, Partition, QueuedJob

#: How often a worker looks at its queues: `GAUGES_EVERY_S` of streams.work.worker.
LOOK_EVERY_S = 1.0
_RECORD = Fetched(Partition("simulated", 0), 0, 0, None, None, ())


class FleetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One worker of `workers` has `slots` and `children`; the limits are the settings' defaults."""

    workers: int
    slots: int
    children: int
    #: CPU seconds of the event loop for each job.
    loop_s: float
    shed_age_s: float = 30.0
    shed_depth: int = 20_000
    predicted_ttl_s: float = 600.0

    def __post_init__(self) -> None:
        if min(self.workers, self.slots, self.children) < 1 or self.loop_s < 0:
            raise ConfigurationError("a simulated fleet has workers, slots and children, at least one each")


class SimulationReport(msgspec.Struct, kw_only=True):
    """Seconds by priority: `waits_s` until something works on a job, `answers_s` until it has its answer."""

    waits_s: dict[int, list[float]]
    answers_s: dict[int, list[float]]
    shed: int = 0
    expired: int = 0
    #: When the last job ended.
    seconds: float = 0.0
    child_seconds: float = 0.0
    #: Of all child processes together, 0 to 1.
    busy: float = 0.0

    @property
    def completed(self) -> int:
        return sum(len(found) for found in self.answers_s.values())

    def all_waits_s(self) -> list[float]:
        return [one for found in self.waits_s.values() for one in found]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def simulate(arrivals: Iterable[Arrival], config: FleetConfig) -> SimulationReport:
    """Plays the arrivals, which come in order, until the last job has ended."""
    timeline = Timeline()
    report = SimulationReport(waits_s=defaultdict(list), answers_s=defaultdict(list))
    workers = [SimulatedWorker(config, timeline, report) for _ in range(config.workers)]
    coming = iter(arrivals)
    _schedule_next(coming, workers, timeline)
    timeline.run()
    report.busy = report.child_seconds / (report.seconds * config.workers * config.children or 1.0)
    return report


def _schedule_next(coming: Iterator[Arrival], workers: Sequence[SimulatedWorker], timeline: Timeline) -> None:
    arrival = next(coming, None)
    if arrival is None:
        return

    def arrive() -> None:
        workers[arrival.worker].receive(arrival)
        _schedule_next(coming, workers, timeline)

    timeline.at(arrival.at_s, arrive)


class Timeline:
    """Simulated time, and what happens in it; also the clock of the queues."""

    def __init__(self) -> None:
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def at(self, second: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(second, self._now), next(self._numbers), happen))

    def run(self) -> None:
        while self._events:
            self._now, _, happen = heapq.heappop(self._events)
            happen()


class SimulatedWorker:
    """Queues, slots, one event loop, child processes."""

    def __init__(self, config: FleetConfig, timeline: Timeline, report: SimulationReport) -> None:
        self._config = config
        self._timeline = timeline
        self._report = report
        self._queues = PriorityQueues(QueueConfig(slots=config.slots), timeline)
        self._guard = OverloadGuard(OverloadConfig(age_s=config.shed_age_s, depth=config.shed_depth))
        self._arrivals: dict[int, Arrival] = {}
        self._loop_free_at = 0.0
        self._children = config.children
        self._for_child: deque[QueuedJob] = deque()
        self._looks = False

    def receive(self, arrival: Arrival) -> None:
        queued = QueuedJob(_job(arrival, self._config), _RECORD, 0)
        self._arrivals[id(queued)] = arrival
        self._queues.put(queued)
        if not self._looks:
            self._looks = True
            self._timeline.at(self._timeline.now() + LOOK_EVERY_S, self._look)
        self._start()

    def _look(self) -> None:
        now_ms = self._timeline.now() * 1000
        oldest = {priority: self._queues.oldest(priority) for priority in PRIORITIES}
        ages = {p: (now_ms - q.job.created_at) / 1000 if q else 0.0 for p, q in oldest.items()}
        self._guard.update(ages, {priority: self._queues.depth(priority) for priority in PRIORITIES})
        self._looks = bool(self._arrivals)
        if self._looks:
            self._timeline.at(self._timeline.now() + LOOK_EVERY_S, self._look)

    def _start(self) -> None:
        while (queued := self._queues.take()) is not None:
            if self._is_unwanted(queued):
                self._leave(queued)
            else:
                self._take_loop(queued)

    def _is_unwanted(self, queued: QueuedJob) -> bool:
        if self._guard.sheds(queued.job):
            self._report.shed += 1
            return True
        if queued.job.is_expired(round(self._timeline.now() * 1000)):
            self._report.expired += 1
            return True
        return False

    def _take_loop(self, queued: QueuedJob) -> None:
        arrival = self._arrivals[id(queued)]
        begins = max(self._timeline.now(), self._loop_free_at)
        own_s = 0.0 if arrival.in_child else arrival.cpu_s
        self._loop_free_at = begins + self._config.loop_s + own_s
        if arrival.in_child:
            self._timeline.at(self._loop_free_at, partial(self._ask_child, queued))
        else:
            self._report.waits_s[arrival.priority].append(begins - arrival.at_s)
            self._timeline.at(self._loop_free_at + arrival.wait_s, partial(self._end, queued))

    def _ask_child(self, queued: QueuedJob) -> None:
        if self._children == 0:
            self._for_child.append(queued)
            return
        self._children -= 1
        arrival = self._arrivals[id(queued)]
        now = self._timeline.now()
        self._report.waits_s[arrival.priority].append(now - arrival.at_s)
        self._report.child_seconds += arrival.cpu_s + arrival.wait_s
        self._timeline.at(now + arrival.cpu_s + arrival.wait_s, partial(self._free_child, queued))

    def _free_child(self, queued: QueuedJob) -> None:
        self._children += 1
        self._end(queued)
        if self._for_child and self._children:
            self._ask_child(self._for_child.popleft())

    def _end(self, queued: QueuedJob) -> None:
        arrival = self._arrivals[id(queued)]
        self._report.answers_s[arrival.priority].append(self._timeline.now() - arrival.at_s)
        self._leave(queued)
        self._start()

    def _leave(self, queued: QueuedJob) -> None:
        del self._arrivals[id(queued)]
        self._queues.finished(queued)
        self._report.seconds = self._timeline.now()


_numbers = itertools.count()


def _job(arrival: Arrival, config: FleetConfig) -> Job:
    number = f"s{next(_numbers)}"
    made = round(arrival.at_s * 1000)
    return Job(
        id=number,
        task=arrival.task,
        key=f"{arrival.task}:simulated:{number}",
        entity="simulated",
        entity_id=number,
        user_id=number,
        priority=arrival.priority,
        why=Why.PREDICTED if arrival.predicted else Why.BATCH,
        created_at=made,
        input_version=0,
        expires_at=made + round(config.predicted_ttl_s * 1000) if arrival.predicted else None,
    )
