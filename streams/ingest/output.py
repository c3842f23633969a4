"""What a slice of events causes, written through one idempotent producer and acknowledged together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.contracts.errors import UnavailableError
from streams.kafka.config import KAFKA_LOG
from streams.kafka.producer import Headers, producer_config
from streams.settings import Settings

#: A restarting broker is back within seconds; after this the process gives up and starts over.
FLUSH_TIMEOUT_S = 90.0


class SliceOutput:
    """Jobs, dead letters and changelog records of a slice.

    Faust's own send costs 60 to 100 us a record and its flush may give up early; here `flush` returns
    when the broker has everything, or raises and the events' offset stays where it is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._errors: list[KafkaError] = []
        self._producer: Producer | None = None
        # The flush blocks: a thread of its own keeps the default executor free.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="slice-output")

    def open(self) -> None:
        """Connects; before this, and after `close`, nothing can be sent."""
        self._producer = Producer(
            producer_config(
                self._settings,
                **{"delivery.report.only.error": True, "on_delivery": self._on_delivery},
            ),
            logger=KAFKA_LOG,
        )

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(5.0)
            self._producer = None

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        *,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Queues a record; raises `UnavailableError` where the client itself refuses it."""
        assert self._producer is not None
        where: dict[str, Any] = {} if partition is None else {"partition": partition}
        while True:
            try:
                self._producer.produce(topic, value, key, headers=headers, **where)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as exc:
                raise UnavailableError(f"Kafka does not take a record for {topic}: {exc}") from exc
            else:
                return

    async def flush(self) -> None:
        """Waits until the broker has every record sent so far; raises `UnavailableError` otherwise."""
        assert self._producer is not None
        loop = asyncio.get_running_loop()
        left = await loop.run_in_executor(self._thread, self._producer.flush, FLUSH_TIMEOUT_S)
        errors, self._errors = self._errors, []
        if errors or left:
            why = (
                errors[0].str() if errors else f"{left} records without an answer in {FLUSH_TIMEOUT_S:.0f} s"
            )
            raise UnavailableError(
                f"Kafka did not take what these events caused ({why}); they will be read again"
            )

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._errors.append(error)


def with_headers(pairs: Sequence[tuple[str, bytes | None]], **extra: str) -> Headers:
    """The original headers and ours behind them."""
    return [*pairs, *((name.replace("_", "-"), value.encode()) for name, value in extra.items())]
