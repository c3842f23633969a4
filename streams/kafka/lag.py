"""How many records of a topic a consumer group has not committed yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.contracts.clock import SYSTEM_CLOCK, Clock
from streams.contracts.errors import UnavailableError
from streams.kafka.config import KAFKA_LOG, librdkafka_config
from streams.settings import Settings

ANSWER_WITHIN_S = 5.0
#: Consoles and scrapers ask often; the broker need not be asked each time.
KEPT_S = 1.0


class GroupLag:
    """Lag of one group, by topic; the last answer is kept for a second."""

    def __init__(
        self, settings: Settings, group: str, topics: Sequence[str], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._settings = settings
        self._group = group
        self._topics = list(topics)
        self._clock = clock
        self._admin: AdminClient | None = None
        self._partitions: list[TopicPartition] = []
        self._kept: dict[str, int] = {}
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def read(self) -> dict[str, int]:
        """Records per topic; raises `UnavailableError` where Kafka does not answer."""
        async with self._lock:
            if self._clock.monotonic() - self._read_at >= KEPT_S:
                self._kept = await asyncio.to_thread(self._ask)
                self._read_at = self._clock.monotonic()
            return self._kept

    def _ask(self) -> dict[str, int]:
        try:
            return self._lag(self._client())
        except KafkaException as exc:
            raise UnavailableError(f"Kafka does not answer: {exc.args[0].str()}") from exc

    def _client(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient(librdkafka_config(self._settings), logger=KAFKA_LOG)
        if not self._partitions:
            topics = self._admin.list_topics(timeout=ANSWER_WITHIN_S).topics
            self._partitions = [
                TopicPartition(name, number)
                for name in self._topics
                if name in topics
                for number in topics[name].partitions
            ]
        return self._admin

    def _lag(self, admin: AdminClient) -> dict[str, int]:
        ends = {
            (tp.topic, tp.partition): future.result().offset
            for tp, future in self._offsets(admin, OffsetSpec.latest()).items()
        }
        starts = {
            (tp.topic, tp.partition): future.result().offset
            for tp, future in self._offsets(admin, OffsetSpec.earliest()).items()
        }
        asked = [ConsumerGroupTopicPartitions(self._group, self._partitions)]
        group = admin.list_consumer_group_offsets(asked, request_timeout=ANSWER_WITHIN_S)[
            self._group
        ].result()
        lag = dict.fromkeys(self._topics, 0)
        for tp in group.topic_partitions:
            place = (tp.topic, tp.partition)
            committed = tp.offset if tp.offset >= 0 else starts[place]
            lag[tp.topic] += max(0, ends[place] - max(committed, starts[place]))
        return lag

    def _offsets(self, admin: AdminClient, spec: OffsetSpec) -> dict[TopicPartition, Any]:
        return admin.list_offsets(  # type: ignore[no-any-return]
            dict.fromkeys(self._partitions, spec), request_timeout=ANSWER_WITHIN_S
        )
