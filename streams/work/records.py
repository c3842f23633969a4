"""A job record in a worker's hands."""

from __future__ import annotations

import msgspec

from streams.contracts.jobs import Job
from streams.contracts.states import Status, advance


class Partition(msgspec.Struct, frozen=True):
    """One partition of one topic."""

    topic: str
    number: int


class Fetched(msgspec.Struct, frozen=True):
    """A record as Kafka gave it. `epoch` names the assignment it was fetched under."""

    partition: Partition
    epoch: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class QueuedJob(msgspec.Struct, eq=False):
    """A job that waits or runs here; `attempt` counts the failed attempts so far."""

    job: Job
    record: Fetched
    attempt: int
    status: Status = Status.QUEUED

    def advance(self, status: Status) -> None:
        """Takes the next status; `StateError` where the life cycle has no such step."""
        self.status = advance(self.status, status)
