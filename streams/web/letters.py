"""Dead letters: read from the ends of their topics, and sent again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from streams.contracts.errors import ContractError, UnavailableError
from streams.kafka.config import KAFKA_LOG, librdkafka_config
from streams.kafka.producer import Headers, message_headers
from streams.settings import Settings

READ_WITHIN_S = 5.0
#: Letters looked at from the end of each partition, for one page.
MOST_A_PARTITION = 500


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter. `place` is topic/partition/offset; `at` milliseconds since the epoch."""

    place: str
    partition: int
    offset: int
    at: int
    key: str
    reason: str
    error: str
    attempts: int
    trace: str
    source: str
    value: bytes
    headers: tuple[tuple[str, bytes | None], ...]


def newest_first(letter: Letter) -> tuple[int, int, str]:
    """To sort by; letters of one moment stand in the same order in every reading."""
    return -letter.at, -letter.offset, letter.place


class LetterCursor(msgspec.Struct, frozen=True):
    """Partition to the offset below which the next page begins."""

    below: dict[int, int]


class LetterBox:
    """One dead-letter topic. Raises `UnavailableError` where Kafka does not answer."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self.topic = topic
        self._conf = {
            **librdkafka_config(settings),
            # Offsets are never committed: the group is only a name.
            "group.id": "precompute-letters",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,
        }
        self._lock = asyncio.Lock()

    async def newest(
        self, limit: int, before: LetterCursor | None = None
    ) -> tuple[list[Letter], LetterCursor | None]:
        """The newest letters first, and the next page's cursor; None at the end."""
        async with self._lock:
            return await asyncio.to_thread(self._newest, limit, before.below if before else {})

    async def at(self, places: Sequence[str]) -> list[Letter]:
        """The letters at those places; `ContractError` for a place that is none of this topic's."""
        parsed = [self._parse(place) for place in places]
        async with self._lock:
            return await asyncio.to_thread(self._at, parsed)

    def _newest(self, limit: int, before: Mapping[int, int]) -> tuple[list[Letter], LetterCursor | None]:
        depth = min(limit, MOST_A_PARTITION)
        consumer = self._open()
        try:
            ranges = {}
            for number in self._partitions(consumer):
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(self.topic, number), timeout=READ_WITHIN_S
                )
                high = min(high, before.get(number, high))
                ranges[number] = (max(low, high - depth), high)
            letters = _read(consumer, self.topic, ranges)
        except KafkaException as exc:
            raise UnavailableError(f"Kafka does not answer: {exc.args[0].str()}") from exc
        finally:
            consumer.close()
        letters.sort(key=newest_first)
        shown = letters[:limit]
        following = {number: high for number, (_, high) in ranges.items()}
        for letter in shown:
            following[letter.partition] = min(following[letter.partition], letter.offset)
        is_end = len(letters) <= limit and all(low <= 0 or low == high for low, high in ranges.values())
        return shown, None if is_end or not shown else LetterCursor(following)

    def _at(self, places: Sequence[tuple[int, int]]) -> list[Letter]:
        consumer = self._open()
        found = []
        try:
            for number, offset in places:
                found += _read(consumer, self.topic, {number: (offset, offset + 1)})
        except KafkaException as exc:
            raise UnavailableError(f"Kafka does not answer: {exc.args[0].str()}") from exc
        finally:
            consumer.close()
        return found

    def _open(self) -> Consumer:
        return Consumer(self._conf, logger=KAFKA_LOG)

    def _partitions(self, consumer: Consumer) -> list[int]:
        topics = consumer.list_topics(self.topic, timeout=READ_WITHIN_S).topics
        return sorted(topics[self.topic].partitions)

    def _parse(self, place: str) -> tuple[int, int]:
        topic, _, rest = place.rpartition("/")[0].rpartition("/")
        number, offset = rest, place.rpartition("/")[2]
        if topic != self.topic or not number.isdigit() or not offset.isdigit() or len(offset) > 18:
            raise ContractError(f"{place[:200]!r} is no place in {self.topic}", field="letters")
        return int(number[:9]), int(offset)


def _read(consumer: Consumer, topic: str, ranges: Mapping[int, tuple[int, int]]) -> list[Letter]:
    """Everything in the ranges [low, high) that is still there."""
    open_ = {number: high for number, (low, high) in ranges.items() if low < high}
    consumer.assign([TopicPartition(topic, number, ranges[number][0]) for number in open_])
    letters = []
    deadline = time.monotonic() + READ_WITHIN_S
    while open_ and time.monotonic() < deadline:
        for message in consumer.consume(500, timeout=0.1):
            if message.error() is not None:
                continue
            number, offset = message.partition(), message.offset()
            if number in open_ and offset < open_[number]:
                letters.append(_letter(topic, message))
            if number in open_ and offset >= open_[number] - 1:
                del open_[number]
        for tp in consumer.position([TopicPartition(topic, number) for number in open_]):
            if tp.offset >= open_[tp.partition]:
                del open_[tp.partition]
    return letters


def _letter(topic: str, message: Message) -> Letter:
    headers = message_headers(message)
    ours = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    number: Any = message.partition()
    offset: Any = message.offset()
    attempts = ours.get("precompute-attempts", "0")
    return Letter(
        place=f"{topic}/{number}/{offset}",
        partition=number,
        offset=offset,
        at=message.timestamp()[1],
        key=(message.key() or b"").decode("utf-8", "replace"),
        reason=ours.get("precompute-reason", ""),
        error=ours.get("precompute-error", ""),
        attempts=int(attempts) if attempts.isdigit() else 0,
        trace=ours.get("precompute-trace", ""),
        source=ours.get("precompute-source", ""),
        value=message.value() or b"",
        headers=tuple(headers),
    )


def original_headers(letter: Letter) -> Headers:
    """The headers that the record had before it became a dead letter."""
    return [(name, value) for name, value in letter.headers if not name.startswith("precompute-")]
