"""A Faust source that delivers whole slices of a partition instead of single records.

Plain Faust spends 160 us on each event in its drain loop, event objects and acknowledgements. Here one Faust
event carries up to a thousand records that one fetch returned for one partition; its offset is the last
record's, so acknowledging it covers them all. Agents, tables, recovery, assignment and commits stay Faust's.

It overrides private methods of faust-streaming 0.15.3, which is therefore pinned; tests/chaos kills it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any

from aiokafka.structs import ConsumerRecord
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from streams.ops.metrics import COMMITS, LAST_COMMIT


def slice_scheduler(topics: frozenset[str], most_records: int) -> type[DefaultSchedulingStrategy]:
    """The class for Faust's `ConsumerScheduler` setting: it orders what one fetch returned."""

    class SliceScheduler(DefaultSchedulingStrategy):  # type: ignore[misc]
        def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
            for tp, fetched in records.items():
                if tp.topic in topics:
                    for start in range(0, len(fetched), most_records):
                        yield tp, _pack(tp, fetched[start : start + most_records])
            rest = {tp: fetched for tp, fetched in records.items() if tp.topic not in topics}
            yield from super().iterate(rest)

    return SliceScheduler


def _pack(tp: TP, records: list[Any]) -> ConsumerRecord:
    last = records[-1]
    return ConsumerRecord(
        topic=tp.topic,
        partition=tp.partition,
        offset=last.offset,
        timestamp=last.timestamp,
        timestamp_type=last.timestamp_type,
        key=None,
        value=records,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=(),
    )


class SliceSchema(Schema):  # type: ignore[misc]
    """Leaves decoding to the agent: a record that Faust failed to decode would ack its neighbours."""

    def loads_key(self, _app: Any, _message: Any, **_: Any) -> None:
        return None

    def loads_value(self, _app: Any, message: Any, **_: Any) -> Any:
        return message.value


class SliceConsumer(driver.Consumer):  # type: ignore[misc]
    """Commits up to the end of the unbroken run of acknowledged slices, in the order of delivery.

    Faust counts single offsets and would take a slice's jump for a gap (faust-streaming #606). With this
    rule holes from compaction and acknowledgements out of order are harmless.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._delivered: defaultdict[TP, deque[Any]] = defaultdict(deque)
        super().__init__(*args, **kwargs)

    def _is_sliced(self, tp: TP) -> bool:
        return tp.topic in self.app.sliced_topics

    def _to_message(self, tp: TP, record: Any) -> Any:
        message = super()._to_message(tp, record)
        # Faust drops a slice that lies before its read offset; it must not wait here for an ack.
        if self._is_sliced(tp) and record.offset >= (self._read_offset[tp] or 0):
            self._delivered[tp].append(message)
        return message

    def ack(self, message: Any) -> bool:
        done: bool = super().ack(message)
        if message.topic in self.app.sliced_topics:
            # The message waits here for the commit; its records need not.
            message.value = None
        return done

    def on_buffer_full(self, tp: TP) -> None:
        # Faust would un-fetch the partition and look again a second later; a full queue holds the
        # fetch loop back by itself.
        if not self._is_sliced(tp):
            super().on_buffer_full(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if not self._is_sliced(tp):
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        if not self._is_sliced(tp):
            offset: int | None = super()._new_offset(tp)
            return offset
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        waiting = self._delivered[tp]
        following = None
        while waiting and waiting[0].acked:
            following = waiting.popleft().offset + 1
        return following

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        done: bool = await super()._commit(offsets)
        COMMITS.labels("ok" if done else "failed").inc()
        if done:
            LAST_COMMIT.set_to_current_time()
        return done

    async def perform_seek(self) -> None:
        # Back to the committed offsets: everything not committed is delivered again.
        self._delivered.clear()
        await super().perform_seek()
        await self._rewind_uncommitted()

    async def _rewind_uncommitted(self) -> None:
        """Also where nothing was committed yet: there aiokafka leaves the position behind what was fetched
        since the assignment and dropped, and those first records of a partition would be lost.

        Kafka is asked once more: a partition that was assigned after the seek began has no read offset
        either, and to rewind it would do its whole past again.
        """
        unread = [tp for tp in self.assignment() if self._is_sliced(tp) and not self._read_offset[tp]]
        new = [tp for tp in unread if await self._committed_in_kafka(tp) is None]
        if new:
            await self.seek_wait(await self.earliest_offsets(*new))

    async def _committed_in_kafka(self, tp: TP) -> int | None:
        thread = self._thread
        offset: int | None = await thread.call_thread(thread._ensure_consumer().committed, tp)  # noqa: SLF001 (Faust has no public way)
        return offset

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # Waits for the slice in hand and commits it.
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._delivered.pop(tp, None)


class SliceTransport(driver.Transport):  # type: ignore[misc]
    Consumer = SliceConsumer
