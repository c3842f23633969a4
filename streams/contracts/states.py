"""A job's life cycle: the one place that knows which transition may follow which.

emitted -> queued -> processing -> completed
              |           |-> queued      (a failed attempt waits for its retry, or the job is handed back)
              |           |-> failed      (attempts spent, poison, not retryable)
              |           |-> skipped     (nothing to do, superseded, not available)
              |           `-> cancelled   (by a person, while it ran)
              |-> skipped                 (duplicate, expired, shed, held_out, not_worth_it)
              |-> failed                  (poison, or refused, before a handler ran)
              `-> cancelled               (by a person, or because Kafka did not take it)
"""

from __future__ import annotations

from enum import StrEnum

from streams.contracts.errors import StateError


class Status(StrEnum):
    """The public status of a job."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why a job ended where it did; a bounded metric label."""

    NONE = ""
    DUPLICATE = "duplicate"
    EXPIRED = "expired"
    SHED = "shed"
    HELD_OUT = "held_out"
    NOT_WORTH_IT = "not_worth_it"
    NOTHING_TO_DO = "nothing_to_do"
    SUPERSEDED = "superseded"
    POISON = "poison"
    NOT_AVAILABLE = "not_available"
    REJECTED = "rejected"
    ATTEMPTS_SPENT = "attempts_spent"


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.SKIPPED, Status.CANCELLED})

_NEXT: dict[Status | None, frozenset[Status]] = {
    None: frozenset({Status.QUEUED}),
    Status.QUEUED: frozenset({Status.PROCESSING, Status.SKIPPED, Status.CANCELLED, Status.FAILED}),
    Status.PROCESSING: FINAL | {Status.QUEUED},
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.SKIPPED: frozenset(),
    Status.CANCELLED: frozenset(),
}


def advance(current: Status | None, following: Status) -> Status:
    """The following status, or `StateError` where the life cycle has no such step."""
    if following not in _NEXT[current]:
        raise StateError(f"a job cannot go from {current or 'nothing'} to {following}")
    return following


def is_final(status: Status) -> bool:
    return status in FINAL
