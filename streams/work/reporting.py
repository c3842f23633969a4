"""What became of jobs: the ledger, the metrics and the fleet's counters, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from streams.cache.counters import FleetCounters
from streams.cache.ledger import JobLedger, line_of
from streams.contracts.clock import Clock, millis
from streams.contracts.jobs import Why
from streams.contracts.states import Reason, Status
from streams.ops.children import Children
from streams.ops.metrics import (
    COMPUTE_SECONDS,
    JOB_ATTEMPTS_FAILED,
    JOB_DURATION,
    JOB_EVENT_TO_CACHED,
    JOB_WAIT,
    JOBS_FINISHED,
)
from streams.work.records import QueuedJob
from streams.work.tallies import Observations, Tally

_attempts_failed = Children(JOB_ATTEMPTS_FAILED)
_jobs_finished = Children(JOBS_FINISHED)


class JobReporter:
    """Each transition of a job passes here once.

    What is frequent (starts and completions) reaches the metrics with `flush`, the rest at once.
    """

    def __init__(self, ledger: JobLedger, counters: FleetCounters, worker_id: str, clock: Clock) -> None:
        self._ledger = ledger
        self._counters = counters
        self._worker_id = worker_id
        self._clock = clock
        self._names: dict[str, tuple[str, str]] = {}
        self._waits = Observations(JOB_WAIT)
        self._durations = Observations(JOB_DURATION)
        self._ages = Observations(JOB_EVENT_TO_CACHED)
        self._seconds = Tally(COMPUTE_SECONDS)
        self._ends = Tally(JOBS_FINISHED)

    def flush(self) -> None:
        """Adds what was counted to the metrics."""
        for one in (self._waits, self._durations, self._ages, self._seconds, self._ends):
            one.flush()

    def started(self, jobs: Sequence[QueuedJob]) -> None:
        """Jobs that start at this moment."""
        now_ms = millis(self._clock.now())
        lines = _Lines(Status.PROCESSING, now_ms, self._worker_id)
        waits: dict[int, list[float]] = {}
        for queued in jobs:
            queued.advance(Status.PROCESSING)
            job = queued.job
            waits.setdefault(job.priority, []).append(max(0, now_ms - job.created_at) / 1000)
            self._ledger.add(job, Status.PROCESSING, now_ms, lines[queued.attempt + 1])
        for priority, values in waits.items():
            self._waits.observe_all((priority,), values)

    def completed(self, jobs: Sequence[tuple[QueuedJob, float]]) -> None:
        """Jobs whose answers were written at this moment, with the seconds that each took."""
        now_ms = millis(self._clock.now())
        lines = _Lines(Status.COMPLETED, now_ms, self._worker_id)
        #: Durations and ages of those that the metrics do not tell apart.
        alike: dict[tuple[str, Why, int], tuple[list[float], list[float]]] = {}
        for queued, duration_s in jobs:
            queued.advance(Status.COMPLETED)
            job = queued.job
            # Since the event got into Kafka: a streams role that is behind makes answers late, too.
            begun_at = job.created_at if job.event_at is None else job.event_at
            labels = (job.task, job.why, job.priority)
            found = alike.get(labels)
            if found is None:
                found = alike[labels] = ([], [])
            found[0].append(duration_s)
            found[1].append(max(0, now_ms - begun_at) / 1000)
            self._ledger.add(job, Status.COMPLETED, now_ms, lines[queued.attempt + 1])
        for (task, why, priority), (durations, ages) in alike.items():
            self._durations.observe_all((task,), durations)
            self._ages.observe_all((task, why), ages)
            self._seconds.counts[task, why] += sum(durations)
            self._ends.counts[task, priority, Status.COMPLETED] += len(durations)
            self._count(task, durations)

    def _count(self, task: str, durations: Sequence[float]) -> None:
        computed, seconds = self._fields(task)
        self._counters.add("tasks_completed", len(durations))
        self._counters.add(computed, len(durations))
        self._counters.add(seconds, sum(durations))

    def skipped(self, queued: QueuedJob, reason: Reason, message: str = "") -> None:
        self._counters.add(f"skipped:{reason.value}")
        self._end(queued, Status.SKIPPED, reason, message)

    def failed(self, queued: QueuedJob, reason: Reason, message: str) -> None:
        self._counters.add("tasks_failed")
        self._end(queued, Status.FAILED, reason, message)

    def cancelled(self, queued: QueuedJob) -> None:
        self._end(queued, Status.CANCELLED, Reason.NONE)

    def attempt_failed(self, queued: QueuedJob, kind: str, message: str) -> None:
        """The job goes back to its queue, or to a retry topic."""
        _attempts_failed(queued.job.task, kind).inc()
        self._back(queued, kind, message)

    def handed_back(self, queued: QueuedJob) -> None:
        """Started, but not to be ended here; costs no attempt."""
        if queued.status is Status.PROCESSING:
            self._back(queued, "handed_back", "")

    def _back(self, queued: QueuedJob, reason: str, message: str) -> None:
        queued.advance(Status.QUEUED)
        self._ledger.record(queued.job, Status.QUEUED, attempt=queued.attempt, reason=reason, error=message)

    def _end(self, queued: QueuedJob, status: Status, reason: Reason, message: str = "") -> None:
        queued.advance(status)
        job = queued.job
        _jobs_finished(job.task, job.priority, reason or status).inc()
        self._ledger.record(
            job,
            status,
            attempt=queued.attempt + (status is not Status.SKIPPED),
            reason=reason or "",
            error=message,
            worker=self._worker_id,
        )

    def _fields(self, task: str) -> tuple[str, str]:
        found = self._names.get(task)
        if found is None:
            found = self._names[task] = (f"computed:{task}", f"seconds:{task}")
        return found


class _Lines(dict[int, bytes]):
    """The timeline's line by attempt: jobs that start or end together have the same."""

    def __init__(self, status: Status, at: int, worker: str) -> None:
        super().__init__()
        self._make = partial(line_of, status, at, worker=worker)

    def __missing__(self, attempt: int) -> bytes:
        line = self[attempt] = self._make(attempt=attempt)
        return line
