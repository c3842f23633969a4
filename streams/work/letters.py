"""Jobs that leave the worker for another topic: retries that wait long, and dead letters."""

from __future__ import annotations

import hashlib

import msgspec

from streams.contracts.jobs import encode_job
from streams.contracts.topics import TopicNames
from streams.kafka.fitting import fit_letter
from streams.kafka.producer import AckedProducer, Headers
from streams.ops.metrics import DEAD_LETTERS
from streams.work.records import Fetched, QueuedJob
from streams.work.retry import Wait

#: When a record of a retry topic is due, in milliseconds since the epoch.
DUE = "precompute-due"
LONGEST_MESSAGE = 500


class JobLetters:
    """Both calls return when the broker has the record; `UnavailableError` otherwise."""

    def __init__(self, producer: AckedProducer, topics: TopicNames) -> None:
        self._producer = producer
        self._topics = topics

    async def retry(self, queued: QueuedJob, attempts: int, wait: Wait, now_ms: int) -> None:
        assert wait.topic is not None
        job = msgspec.structs.replace(queued.job, attempt=attempts)
        due = now_ms + int(wait.topic.seconds * 1000)
        headers: Headers = [*_without(queued.record, DUE), (DUE, str(due).encode())]
        await self._producer.send(
            self._topics.retry(wait.topic), encode_job(job), key=job.key, headers=headers
        )

    async def bury(
        self, record: Fetched, reason: str, message: str, *, attempts: int, trace: str = ""
    ) -> None:
        """Sends the original bytes to the dead letters, with the reason and where they came from."""
        place = record.partition
        reasons: Headers = [
            ("precompute-reason", reason.encode()),
            ("precompute-error", message[:LONGEST_MESSAGE].encode()),
            ("precompute-attempts", str(attempts).encode()),
            ("precompute-trace", digest(trace).encode()),
            ("precompute-source", f"{place.topic}/{place.number}/{record.offset}".encode()),
        ]
        value, key, headers = fit_letter(record.value, record.key, _without(record, DUE), reasons)
        await self._producer.send(self._topics.jobs_dlq, value, key=key, headers=headers)
        DEAD_LETTERS.labels("jobs", reason).inc()


def digest(trace: str) -> str:
    """Equal for equal failures: letters of one cause can be counted and replayed together."""
    return hashlib.blake2b(trace.encode(), digest_size=8).hexdigest() if trace else ""


def _without(record: Fetched, name: str) -> Headers:
    return [
        (key, value) for key, value in record.headers if key != name and not key.startswith("precompute-")
    ]
