"""A producer whose word counts: a record is sent when the broker said so, or an error says it was not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.contracts.errors import UnavailableError
from streams.contracts.topics import MAX_RECORD_BYTES
from streams.kafka.config import KAFKA_LOG, librdkafka_config
from streams.ops.service import BackgroundService
from streams.settings import Settings

_log = structlog.get_logger(__name__)

#: Record headers as confluent-kafka takes them.
Headers = list[tuple[str, bytes | None]]


def producer_config(settings: Settings, **overrides: Any) -> dict[str, Any]:
    """Idempotent, acknowledged by all in-sync replicas, partitioned as Java and aiokafka do it."""
    return {
        **librdkafka_config(settings),
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": 5,
        # librdkafka's own default is CRC32, which would send one user's records to two partitions.
        "partitioner": "murmur2_random",
        "message.max.bytes": MAX_RECORD_BYTES,
        "delivery.timeout.ms": 60_000,
        "queue.buffering.max.messages": 1_000_000,
        **overrides,
    }


class AckedProducer(BackgroundService):
    """Sends single records and waits for their delivery reports: retries, dead letters, HTTP events.

    The delivery reports are served by a task of the event loop, so a callback never runs elsewhere.
    """

    def __init__(self, settings: Settings, **overrides: Any) -> None:
        super().__init__()
        # A person waits for these: no lingering, and an answer before an HTTP client gives up.
        self._conf = producer_config(settings, **{"linger.ms": 0, "delivery.timeout.ms": 10_000, **overrides})
        self._producer: Producer | None = None
        self._unacked = 0
        self._wake = asyncio.Event()

    async def on_start(self) -> None:
        self._producer = Producer(self._conf, logger=KAFKA_LOG)
        self.spawn(self._serve_reports(), "producer-reports")

    async def on_stop(self) -> None:
        if self._producer is not None:
            await asyncio.to_thread(self._producer.flush, 5.0)

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | str | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        """Returns when the broker has the record; raises `UnavailableError` where it does not take it."""
        if self._producer is None:
            raise UnavailableError("the producer is not started")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            loop.call_soon_threadsafe(_settle, done, topic, error)

        where = {} if partition is None else {"partition": partition}
        try:
            self._producer.produce(
                topic, value, key=key, headers=headers or [], on_delivery=on_delivery, **where
            )
        except (BufferError, KafkaException) as exc:
            raise UnavailableError(f"Kafka does not take records for {topic}: {exc}") from exc
        self._unacked += 1
        self._wake.set()
        try:
            await done
        finally:
            self._unacked -= 1

    async def send_all(
        self, records: Sequence[tuple[str, bytes, str]], *, headers: Headers | None = None
    ) -> list[UnavailableError | None]:
        """Sends (topic, value, key) records at once, all with the same headers; what befell each, None where
        the broker has it.
        """
        if self._producer is None:
            raise UnavailableError("the producer is not started")
        reports = _Reports(len(records))
        for place, (topic, value, key) in enumerate(records):
            try:
                self._producer.produce(
                    topic, value, key=key, headers=headers, on_delivery=partial(reports.take, place, topic)
                )
            except (BufferError, KafkaException) as exc:
                reports.refuse(place, f"Kafka does not take records for {topic}: {exc}")
        self._unacked += 1
        self._wake.set()
        try:
            await reports.complete.wait()
        finally:
            self._unacked -= 1
        return reports.errors

    async def _serve_reports(self) -> None:
        assert self._producer is not None
        while True:
            if not self._unacked:
                self._wake.clear()
                await self._wake.wait()
            self._producer.poll(0)
            await asyncio.sleep(0.002)


class _Reports:
    """The delivery reports of records that were sent together."""

    def __init__(self, count: int) -> None:
        self.errors: list[UnavailableError | None] = [None] * count
        self.complete = asyncio.Event()
        self._left = count
        self._count_down(0)

    def take(self, place: int, topic: str, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.errors[place] = UnavailableError(f"Kafka did not take a record for {topic}: {error.str()}")
        self._count_down(1)

    def refuse(self, place: int, why: str) -> None:
        self.errors[place] = UnavailableError(why)
        self._count_down(1)

    def _count_down(self, by: int) -> None:
        self._left -= by
        if self._left <= 0:
            self.complete.set()


def _settle(done: asyncio.Future[None], topic: str, error: KafkaError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(UnavailableError(f"Kafka did not take a record for {topic}: {error.str()}"))


def message_headers(message: Mapping[str, Any] | Message) -> Headers:
    """A record's headers as a list, empty where it has none."""
    headers = message.headers()  # type: ignore[union-attr]
    return list(headers) if headers else []
