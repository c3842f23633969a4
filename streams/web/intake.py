"""What the API takes in: events for streams, and jobs that a reader or an operator asks for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from streams.cache.counters import FleetCounters
from streams.cache.inputs import EntityInput, MirrorReader
from streams.cache.ledger import JobLedger
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.cloudevents import encode_binary
from streams.contracts.errors import EventError, UnavailableError
from streams.contracts.events import Event, decode_data, topic_of
from streams.contracts.ids import is_id
from streams.contracts.jobs import Job, Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.states import Status
from streams.contracts.tasks import Entity
from streams.contracts.topics import TopicNames
from streams.contracts.triggers import TriggerTable
from streams.kafka.producer import AckedProducer
from streams.ops.tracing import TRACING

#: The source of events that came over HTTP.
SOURCE = "precompute/api"
#: Jobs made and sent together, and how many such parts are under way at once: while the broker writes one
#: down, the next is made.
MOST_AT_ONCE = 500
MOST_PARTS = 4
#: So few jobs are in the ledger before their asker has the answer, who may look them up next.
MOST_SHOWN_AT_ONCE = 20


class EventPublisher:
    """Publishes an event and answers the ids of the jobs that streams will make of it."""

    def __init__(self, producer: AckedProducer, topics: TopicNames, triggers: TriggerTable) -> None:
        self._producer = producer
        self._topics = topics
        self._triggers = triggers

    async def publish(
        self, event_type: str, user_id: str, data: Mapping[str, Any], *, event_id: str | None = None
    ) -> list[Job]:
        """Returns once Kafka has it; raises `EventError` for data that is no such event."""
        if not is_id(user_id):
            raise EventError("user_id takes 1 to 128 of A-Za-z0-9._-", reason="schema", field="user_id")
        raw = _encode({**data, "user_id": user_id})
        now = datetime.now(UTC)
        event = Event(
            type=event_type,
            source=SOURCE,
            id=event_id or uuid.uuid4().hex,
            time_ms=millis(now.timestamp()),
            user_id=user_id,
            data=decode_data(event_type, raw),
            raw_data=raw,
        )
        value, headers = encode_binary(event_type, raw, source=SOURCE, event_id=event.id, time=now)
        topic = topic_of(event_type, self._topics)
        await self._producer.send(topic, value, key=user_id, headers=[*headers, *TRACING.headers()])
        return self._triggers.jobs(event, input_version=0, now_ms=event.time_ms)


def _encode(data: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(data)
    except (UnicodeEncodeError, OverflowError, RecursionError, TypeError, ValueError) as exc:
        raise EventError(f"data does not fit JSON: {exc}", reason="not_json", field="data") from exc


class JobRequester:
    """Makes jobs from the inputs that streams mirrored."""

    def __init__(
        self,
        producer: AckedProducer,
        topics: TopicNames,
        *,
        mirror: MirrorReader,
        ledger: JobLedger,
        counters: FleetCounters,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._producer = producer
        self._topics = topics
        self._mirror = mirror
        self._ledger = ledger
        self._counters = counters
        self._clock = clock

    async def request(
        self, keys: Sequence[CacheKey], *, why: Why, priority: int, cause: str, recompute: bool = False
    ) -> list[Job]:
        """The jobs that are in Kafka now; a key whose entity nobody has published an event of is left out."""
        make = partial(self._make, why=why, priority=priority, cause=cause, recompute=recompute)
        parts = [keys[start : start + MOST_AT_ONCE] for start in range(0, len(keys), MOST_AT_ONCE)]
        turns = asyncio.Semaphore(MOST_PARTS)

        async def one(part: Sequence[CacheKey]) -> list[Job]:
            async with turns:
                made = await make(part)
                await self._emit(made)
                return made

        found = await asyncio.gather(*map(one, parts), return_exceptions=True)
        jobs: list[Job] = []
        for made in found:
            if isinstance(made, BaseException):
                raise made
            jobs += made
        if len(jobs) <= MOST_SHOWN_AT_ONCE:
            await self._ledger.flush()
        return jobs

    async def _make(
        self, keys: Sequence[CacheKey], *, why: Why, priority: int, cause: str, recompute: bool
    ) -> list[Job]:
        inputs = await self._inputs(keys)
        return [
            new_job(
                key,
                cause=cause,
                user_id=found.user_id,
                priority=priority,
                why=why,
                created_at=millis(self._clock.now()),
                input_version=found.input_version,
                payload=bytes(found.payload),
                recompute=recompute,
            )
            for key, found in zip(keys, inputs, strict=True)
            if found is not None
        ]

    async def _emit(self, jobs: Sequence[Job]) -> None:
        """All of them, or `UnavailableError`: those that Kafka did not take count as cancelled."""
        # Before they are sent: a worker may have one before we have the broker's word.
        for job in jobs:
            self._ledger.record(job, Status.QUEUED)
        records = [(self._topics.jobs(job.priority), encode_job(job), job.key) for job in jobs]
        try:
            errors = await self._producer.send_all(records, headers=list(TRACING.headers()) or None)
        except UnavailableError as exc:
            errors = [exc] * len(jobs)
        for job, error in zip(jobs, errors, strict=True):
            if error is not None:
                self._ledger.record(job, Status.CANCELLED, error=str(error))
        self._counters.add("tasks_queued", sum(error is None for error in errors))
        first = next((error for error in errors if error is not None), None)
        if first is not None:
            raise first

    async def _inputs(self, keys: Sequence[CacheKey]) -> list[EntityInput | None]:
        """A user needs no event of its own: what it did is input enough."""
        found = await self._mirror.inputs_of([(key.entity, key.entity_id) for key in keys])
        return [
            one
            if one is not None or key.entity != Entity.USER
            else EntityInput(user_id=key.entity_id, payload=msgspec.Raw(b"{}"), input_version=0)
            for key, one in zip(keys, found, strict=True)
        ]
