from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from streams.ingest.source import SliceConsumer

NEW, LATE, READ, OTHER = TP("events", 0), TP("events", 1), TP("events", 2), TP("other", 0)


async def test_only_what_was_never_committed_is_read_from_its_beginning() -> None:
    """`LATE` was assigned while the others were sought: it has a committed offset, and no read offset yet."""
    consumer: Any = SliceConsumer.__new__(SliceConsumer)
    sought: dict[TP, int] = {}
    committed = {LATE: 7, READ: 9}

    async def call_thread(function: Any, tp: TP) -> int | None:
        return function(tp)

    async def earliest_offsets(*tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, 0)

    async def seek_wait(offsets: dict[TP, int]) -> None:
        sought.update(offsets)

    consumer.app = SimpleNamespace(sliced_topics={"events"})
    consumer.assignment = lambda: {NEW, LATE, READ, OTHER}
    consumer.earliest_offsets, consumer.seek_wait = earliest_offsets, seek_wait
    consumer._read_offset = defaultdict(lambda: None, {READ: 9})
    kafka = SimpleNamespace(committed=committed.get)
    consumer._thread = SimpleNamespace(call_thread=call_thread, _ensure_consumer=lambda: kafka)
    await consumer._rewind_uncommitted()
    assert sought == {NEW: 0}
