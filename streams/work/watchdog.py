"""Finds partitions that deliver nothing although they have something.

librdkafka can wedge a partition that was paused, reassigned and resumed (#5591). Used by the intake's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.ops.metrics import CONSUMER_LAG, PARTITIONS_WEDGED
from streams.work.records import Partition

LOOK_EVERY_S = 5.0
SILENT_FOR_S = 30.0
#: Kicks in a row after which the process says that it is not ready.
MOST_KICKS = 3
ANSWER_WITHIN_S = 0.5


class PartitionWatchdog:
    """Remembers when each partition last delivered; kicks (pauses and resumes) those that are stuck."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._delivered: dict[Partition, float] = {}
        self._kicks: dict[Partition, int] = {}
        self._looked = monotonic()
        self.paused: set[Partition] = set()
        #: Records of each topic that were not delivered yet, as of the last look. A paused partition's end is
        #: that of its last fetch: a lower bound. Replaced as a whole, so that any thread may read it.
        self.lags: Mapping[str, int] = {}

    @property
    def problem(self) -> str | None:
        stuck = [p for p, kicks in self._kicks.items() if kicks >= MOST_KICKS]
        return f"{stuck[0].topic}/{stuck[0].number} delivers nothing although it lags" if stuck else None

    def assigned(self, partitions: Iterable[Partition]) -> None:
        now = self._monotonic()
        for partition in partitions:
            self._delivered[partition] = now
            self.paused.discard(partition)

    def forget(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._delivered.pop(partition, None)
            self._kicks.pop(partition, None)
            self.paused.discard(partition)

    def delivered(self, partition: Partition) -> None:
        self._delivered[partition] = self._monotonic()
        self._kicks.pop(partition, None)

    def look(self, consumer: Consumer) -> None:
        """Exports the lag, and kicks what is stuck; does nothing more often than it should."""
        now = self._monotonic()
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        lags = self._lags(consumer)
        by_topic: dict[str, int] = {}
        for partition, lag in lags.items():
            by_topic[partition.topic] = by_topic.get(partition.topic, 0) + lag
        self.lags = by_topic
        for topic, lag in by_topic.items():
            CONSUMER_LAG.labels(topic).set(lag)
        for partition, lag in lags.items():
            silent = now - self._delivered[partition]
            if lag > 0 and silent >= SILENT_FOR_S and partition not in self.paused:
                self._kick(consumer, partition)

    def _lags(self, consumer: Consumer) -> dict[Partition, int]:
        places = [TopicPartition(p.topic, p.number) for p in self._delivered]
        if not places:
            return {}
        lags = {}
        for place in consumer.position(places):
            try:
                low, high = consumer.get_watermark_offsets(place, timeout=ANSWER_WITHIN_S, cached=True)
            except KafkaException:
                continue
            begin = place.offset if place.offset >= 0 else low
            lags[Partition(place.topic, place.partition)] = max(0, high - max(begin, low))
        return lags

    def _kick(self, consumer: Consumer, partition: Partition) -> None:
        place = [TopicPartition(partition.topic, partition.number)]
        consumer.pause(place)
        consumer.resume(place)
        PARTITIONS_WEDGED.inc()
        self._kicks[partition] = self._kicks.get(partition, 0) + 1
        self._delivered[partition] = self._monotonic()
