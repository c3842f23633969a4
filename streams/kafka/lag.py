"""How many records of a topic a consumer group has not committed yet.

The group's offsets are asked for by a consumer of that group which never subscribes, so it never joins.
The admin client's own call, `list_consumer_group_offsets`, ends the whole process with a segmentation fault
when the group's coordinator moves or still loads (librdkafka issue 5040), as at each restart of a broker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.contracts.clock import SYSTEM_CLOCK, Clock
from streams.contracts.errors import UnavailableError
from streams.kafka.complaints import Complaints
from streams.kafka.config import KAFKA_LOG, librdkafka_config
from streams.settings import Settings

ANSWER_WITHIN_S = 5.0
ASK_AGAIN_S = 0.1
_COORDINATOR_MOVES = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
)
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
        self._complaints = Complaints(settings)
        self._admin: AdminClient | None = None
        self._member: Consumer | None = None
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
            if self._admin is None or self._member is None:
                conf = librdkafka_config(self._settings)
                self._admin = AdminClient({**conf, "error_cb": self._complaints}, logger=KAFKA_LOG)
                self._member = Consumer({**conf, "group.id": self._group}, logger=KAFKA_LOG)
            self._find_partitions(self._admin)
            return self._lag(self._admin, self._member)
        except KafkaException as exc:
            if self._admin is not None:
                self._admin.poll(0)
            # What they know of leaders may be from before a restart, and they would ask by it for long.
            self._admin = self._member = None
            self._partitions = []
            if self._complaints.is_final:
                raise UnavailableError(self._complaints.reason) from exc
            raise UnavailableError(f"Kafka does not answer: {exc.args[0].str()}") from exc

    def _find_partitions(self, admin: AdminClient) -> None:
        if not self._partitions:
            topics = admin.list_topics(timeout=ANSWER_WITHIN_S).topics
            self._partitions = [
                TopicPartition(name, number)
                for name in self._topics
                if name in topics
                for number in topics[name].partitions
            ]

    def _lag(self, admin: AdminClient, member: Consumer) -> dict[str, int]:
        ends = self._offsets(admin, OffsetSpec.latest())
        starts = self._offsets(admin, OffsetSpec.earliest())
        lag = dict.fromkeys(self._topics, 0)
        for tp in self._committed(member):
            place = (tp.topic, tp.partition)
            committed = tp.offset if tp.offset >= 0 else starts[place]
            lag[tp.topic] += max(0, ends[place] - max(committed, starts[place]))
        return lag

    def _committed(self, member: Consumer) -> list[TopicPartition]:
        """Waits while the group's coordinator loads, which takes a moment after its broker started."""
        deadline = self._clock.monotonic() + ANSWER_WITHIN_S
        while True:
            try:
                found: list[TopicPartition] = member.committed(self._partitions, timeout=ANSWER_WITHIN_S)
            except KafkaException as exc:
                if exc.args[0].code() not in _COORDINATOR_MOVES or self._clock.monotonic() >= deadline:
                    raise
            else:
                return found
            time.sleep(ASK_AGAIN_S)

    def _offsets(self, admin: AdminClient, spec: OffsetSpec) -> dict[tuple[str, int], int]:
        found = admin.list_offsets(dict.fromkeys(self._partitions, spec), request_timeout=ANSWER_WITHIN_S)
        return {(tp.topic, tp.partition): future.result().offset for tp, future in found.items()}
