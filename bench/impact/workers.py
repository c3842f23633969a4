"""The worker of a simulated world: real priority queues and overload guard, simulated slots and cores."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Generator, Mapping

import msgspec

from bench.impact.answers import Answers
from bench.impact.clockwork import EPOCH_S, Clockwork
from bench.impact.durations import NEEDS, Demand, Durations
from streams.cache.presence import WorkerInfo
from streams.contracts.ids import derive_job_id
from streams.contracts.jobs import PRIORITIES, Group, Job, Why
from streams.settings import Settings
from streams.work.needs import NEED_AGAIN_S
from streams.work.overload import OverloadConfig, OverloadGuard
from streams.work.queues import PriorityQueues, QueueConfig
from streams.work.records import Fetched, Partition, QueuedJob
from streams.work.worker import GAUGES_EVERY_S

_NOWHERE = Fetched(Partition("simulated", 0), 0, 0, None, None, ())

Work = Generator[Demand, None, float | None]


class Spent(msgspec.Struct):
    """What computing took on the measured day."""

    cpu_s: float = 0.0
    calls: int = 0
    jobs: int = 0


class Cores:
    """The pool's child processes, one a core: who comes while all are busy waits, first come first served."""

    def __init__(self, clock: Clockwork, count: int) -> None:
        self._clock = clock
        self._free = count
        self._queue: deque[tuple[float, Callable[[], None]]] = deque()

    def run(self, seconds: float, done: Callable[[], None]) -> None:
        if self._free:
            self._free -= 1
            self._clock.after(seconds, lambda: self._end(done))
        else:
            self._queue.append((seconds, done))

    def _end(self, done: Callable[[], None]) -> None:
        self._free += 1
        if self._queue:
            self.run(*self._queue.popleft())
        done()


class SimulatedWorker:
    """`overhead_s` lies between a job in Kafka and its answer, beside its own time."""

    def __init__(
        self, settings: Settings, clock: Clockwork, answers: Answers, durations: Durations, overhead_s: float
    ) -> None:
        self._clock = clock
        self._answers = answers
        self._durations = durations
        self._overhead_s = overhead_s
        self._slots = settings.workers
        self._running = 0
        self._queues = PriorityQueues(QueueConfig(slots=settings.workers), clock)
        self._guard = OverloadGuard(OverloadConfig(age_s=settings.shed_age_s, depth=settings.shed_depth))
        self._cores = Cores(clock, settings.cpu_processes)
        self._looked_at = float("-inf")
        self._census: dict[str, list[int]] = defaultdict(list)
        self._seconds: dict[str, tuple[float, int]] = {}
        #: By why, of jobs that began on the measured day.
        self.spent: dict[str, Spent] = defaultdict(Spent)
        #: CPU seconds by hour of the measured day.
        self.by_hour = [0.0] * 24

    def put(self, job: Job) -> None:
        self._census[job.key].append(job.priority)
        self._queues.put(QueuedJob(job, _NOWHERE, 0))
        self._dispatch()

    def seconds(self) -> Mapping[str, float]:
        """Mean computing seconds by task, as the fleet's counters tell them."""
        return {task: total / count for task, (total, count) in self._seconds.items()}

    def info(self) -> WorkerInfo:
        """What the worker tells of itself every second."""
        oldest = [self._queues.oldest(priority) for priority in PRIORITIES]
        waits = [self._clock.now_ms - queued.job.created_at for queued in oldest if queued is not None]
        return WorkerInfo(
            id="simulated",
            slots=self._slots,
            in_progress=self._running,
            started_at=0.0,
            host="",
            pid=0,
            waiting=len(self._queues),
            oldest_wait_s=max(waits, default=0) / 1000,
        )

    def _dispatch(self) -> None:
        self._look_for_overload()
        while (queued := self._queues.take()) is not None:
            self._running += 1
            if self._guard.sheds(queued.job):
                self._end(queued)
                continue
            self._advance(queued, self._work(queued.job))

    def _look_for_overload(self) -> None:
        if self._clock.at - self._looked_at < GAUGES_EVERY_S:
            return
        self._looked_at = self._clock.at
        now = self._clock.now_ms
        ages, depths = {}, {}
        for priority in PRIORITIES:
            oldest = self._queues.oldest(priority)
            ages[priority] = max(0.0, (now - oldest.job.created_at) / 1000) if oldest is not None else 0.0
            depths[priority] = self._queues.depth(priority)
        self._guard.update(ages, depths)

    def _advance(self, queued: QueuedJob, work: Work) -> None:
        try:
            demand = next(work)
        except StopIteration as end:
            if end.value is None:
                self._end(queued)
                return
            # Postponed: its slot is free until it comes up again.
            self._queues.finished(queued)
            self._running -= 1
            self._clock.after(end.value, lambda: self._again(queued))
            return
        if demand.cpu_s:
            self._cores.run(demand.cpu_s, lambda: self._continue(queued, work))
        else:
            self._clock.after(demand.wait_s, lambda: self._continue(queued, work))

    def _continue(self, queued: QueuedJob, work: Work) -> None:
        self._advance(queued, work)
        self._dispatch()

    def _again(self, queued: QueuedJob) -> None:
        self._queues.put(QueuedJob(queued.job, _NOWHERE, 0))
        self._dispatch()

    def _end(self, queued: QueuedJob) -> None:
        self._census[queued.job.key].remove(queued.job.priority)
        self._queues.finished(queued)
        self._running -= 1

    def _work(self, job: Job) -> Work:
        """`JobProcessor.process`: None at its end, seconds where it is to come again."""
        if job.is_expired(self._clock.now_ms) or job.group is Group.HOLDOUT:
            return None
        yield Demand(0.0, self._overhead_s)
        if self._answers.claim(job) != "run":
            return None
        waits = yield from self._satisfy(job)
        if waits is not None:
            self._answers.release(job)
            return waits
        yield from self._compute(job)
        return None

    def _satisfy(self, job: Job) -> Work:
        """`NeedResolver.satisfy`: what the job needs is read, waited for, or computed here."""
        for need in NEEDS.get(job.task, ()):
            key = f"{need}:{job.entity}:{job.entity_id}"
            there = self._answers.look(key)
            if there is not None and there.stored.input_version >= job.input_version:
                continue
            if any(priority >= job.priority for priority in self._census.get(key, ())):
                return NEED_AGAIN_S
            inner = msgspec.structs.replace(job, id=derive_job_id(need, key, job.id), task=need, key=key)
            verdict = self._answers.claim(inner)
            if verdict == "busy":
                return NEED_AGAIN_S
            if verdict == "run":
                waits = yield from self._satisfy(inner)
                if waits is not None:
                    self._answers.release(inner)
                    return waits
                yield from self._compute(inner)
        return None

    def _compute(self, job: Job) -> Work:
        began = self._clock.at
        demand = self._durations.of(job.task, job.entity_id)
        self._note(job.why, demand)
        if demand.cpu_s:
            yield Demand(demand.cpu_s, 0.0)
        if demand.wait_s:
            yield Demand(0.0, demand.wait_s)
        total, count = self._seconds.get(job.task, (0.0, 0))
        self._seconds[job.task] = (total + demand.cpu_s + demand.wait_s, count + 1)
        self._answers.finish(job, EPOCH_S + began, demand.cpu_s, int(demand.wait_s > 0))
        return None

    def _note(self, why: Why, demand: Demand) -> None:
        hour = int(self._clock.at // 3600)
        if not 0 <= hour < 24:
            return
        spent = self.spent[why]
        spent.jobs += 1
        spent.cpu_s += demand.cpu_s
        spent.calls += demand.wait_s > 0
        self.by_hour[hour] += demand.cpu_s
