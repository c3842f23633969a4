"""A producer whose word counts: a record is sent when the broker said so, or an error says it was not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
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

    async def _serve_reports(self) -> None:
        assert self._producer is not None
        while True:
            if not self._unacked:
                self._wake.clear()
                await self._wake.wait()
            self._producer.poll(0)
            await asyncio.sleep(0.002)


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
