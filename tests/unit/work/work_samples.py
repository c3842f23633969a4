"""Jobs in a worker's hands, written down in short."""

from __future__ import annotations

from itertools import count

from streams.contracts.jobs import Job, Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from streams.work.records import Fetched, Partition, QueuedJob

_numbers = count()


def partition(number: int = 0, topic: str = "precompute.jobs.p08") -> Partition:
    return Partition(topic, number)


def job(priority: int = 8, *, task: str = "ctr_prediction", entity: str = "video", **fields: object) -> Job:
    """A job of an entity nobody else uses."""
    given = {
        "cause": "1",
        "user_id": "u1",
        "why": Why.UPLOAD,
        "created_at": 1_700_000_000_000,
        "input_version": 1,
        **fields,
    }
    key = CacheKey(task, entity, f"e{next(_numbers)}")
    return new_job(key, priority=priority, **given)  # type: ignore[arg-type]


def fetched(one: Job, *, at: Partition | None = None, epoch: int = 1, offset: int = 0) -> Fetched:
    return Fetched(at or partition(), epoch, offset, one.key.encode(), encode_job(one), ())


def queued(
    priority: int = 8, *, at: Partition | None = None, epoch: int = 1, offset: int = 0, **fields: object
) -> QueuedJob:
    one = job(priority, **fields)  # type: ignore[arg-type]
    return QueuedJob(one, fetched(one, at=at, epoch=epoch, offset=offset), one.attempt)
