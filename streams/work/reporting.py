"""What became of jobs: the ledger, the metrics and the fleet's counters, in one place."""

from __future__ import annotations

from streams.cache.counters import FleetCounters
from streams.cache.ledger import JobLedger
from streams.contracts.clock import Clock, millis
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

_compute_seconds = Children(COMPUTE_SECONDS)
_job_attempts_failed = Children(JOB_ATTEMPTS_FAILED)
_job_duration = Children(JOB_DURATION)
_job_event_to_cached = Children(JOB_EVENT_TO_CACHED)
_job_wait = Children(JOB_WAIT)
_jobs_finished = Children(JOBS_FINISHED)


class JobReporter:
    """Each transition of a job passes here once."""

    def __init__(self, ledger: JobLedger, counters: FleetCounters, worker_id: str, clock: Clock) -> None:
        self._ledger = ledger
        self._counters = counters
        self._worker_id = worker_id
        self._clock = clock

    def started(self, queued: QueuedJob) -> None:
        queued.advance(Status.PROCESSING)
        job = queued.job
        _job_wait(job.priority).observe(self._age_s(queued))
        self._ledger.record(job, Status.PROCESSING, attempt=queued.attempt + 1, worker=self._worker_id)

    def completed(self, queued: QueuedJob, duration_s: float) -> None:
        job = queued.job
        _job_duration(job.task).observe(duration_s)
        _job_event_to_cached(job.task, job.why.value).observe(self._since_event_s(queued))
        _compute_seconds(job.task, job.why.value).inc(duration_s)
        self._counters.add("tasks_completed")
        self._counters.add(f"seconds:{job.task}", duration_s)
        self._counters.add(f"computed:{job.task}")
        self._end(queued, Status.COMPLETED, Reason.NONE)

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
        _job_attempts_failed(queued.job.task, kind).inc()
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
        _jobs_finished(job.task, job.priority, reason.value or status.value).inc()
        self._ledger.record(
            job,
            status,
            attempt=queued.attempt + (status is not Status.SKIPPED),
            reason=reason.value,
            error=message,
            worker=self._worker_id,
        )

    def _since_event_s(self, queued: QueuedJob) -> float:
        """Since the event got into Kafka: a streams role that is behind makes answers late, too."""
        event_at = queued.job.event_at
        if event_at is None:
            return self._age_s(queued)
        return max(0, millis(self._clock.now()) - event_at) / 1000

    def _age_s(self, queued: QueuedJob) -> float:
        return max(0, millis(self._clock.now()) - queued.job.created_at) / 1000
