"""Replaying dead letters: a job letter becomes a new job, an event letter the event again."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from streams.cache.invalidation import Invalidator
from streams.cache.ledger import JobLedger
from streams.cache.reader import AnswerReader
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import JobError, UnavailableError
from streams.contracts.ids import derive_job_id
from streams.contracts.jobs import Job, decode_job, encode_job
from streams.contracts.keys import KeyPattern
from streams.contracts.states import Status
from streams.contracts.topics import TopicNames
from streams.kafka.producer import AckedProducer
from streams.web.letter_marks import LetterMarks, Settled
from streams.web.letters import Letter, original_headers


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one letter: the new job's id, "event", or why it cannot be replayed."""

    place: str
    replayed_as: str | None
    problem: str | None = None


class Replayer:
    def __init__(
        self,
        marks: LetterMarks,
        *,
        producer: AckedProducer,
        topics: TopicNames,
        reader: AnswerReader,
        invalidator: Invalidator,
        ledger: JobLedger,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._marks = marks
        self._producer = producer
        self._topics = topics
        self._reader = reader
        self._invalidator = invalidator
        self._ledger = ledger
        self._clock = clock

    async def replay(self, letters: Sequence[Letter]) -> list[Replayed]:
        """Each letter once more; returns when Kafka has them."""
        return [await self._replay(letter) for letter in letters]

    async def _replay(self, letter: Letter) -> Replayed:
        if letter.place.startswith(self._topics.jobs_dlq + "/"):
            try:
                replayed_as = await self._replay_job(letter)
            except JobError as exc:
                return Replayed(place=letter.place, replayed_as=None, problem=str(exc))
        else:
            topic = letter.source.split("/")[0]
            if topic not in self._topics.events:
                return Replayed(place=letter.place, replayed_as=None, problem="its source topic is not known")
            headers = original_headers(letter)
            await self._producer.send(topic, letter.value, key=letter.key or None, headers=headers)
            replayed_as = "event"
        with contextlib.suppress(UnavailableError):
            # The replay stands in Kafka; only its mark in the list is missing.
            await self._marks.put(Settled.REPLAYED, [letter])
        return Replayed(place=letter.place, replayed_as=replayed_as)

    async def _replay_job(self, letter: Letter) -> str:
        dead = decode_job(letter.value)
        job = msgspec.structs.replace(
            dead,
            id=derive_job_id(dead.task, dead.key, f"replay/{letter.place}"),
            attempt=0,
            created_at=millis(self._clock.now()),
            expires_at=None,
            event_at=None,
        )
        await self._clear_failure(job)
        headers = original_headers(letter)
        await self._producer.send(
            self._topics.jobs(job.priority), encode_job(job), key=job.key, headers=headers
        )
        self._ledger.record(job, Status.QUEUED)
        return job.id

    async def _clear_failure(self, job: Job) -> None:
        """While the cached failure is fresh, the new job would be taken for a duplicate."""
        stored = (await self._reader.stored([job.key]))[0]
        if stored is not None and not stored.is_available:
            await self._invalidator.invalidate(
                KeyPattern(job.task, job.entity, job.entity_id), at_ms=stored.computed_at
            )
