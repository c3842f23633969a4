"""Writes what readers need of the tables to Redis: histories, inputs, predictions, invalidations.

Best effort and behind the offsets: the tables are the truth, and after Redis lost its data they are written
out again. Redis being away never holds a stream back.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import redis.asyncio as aioredis
import structlog

from streams.cache.connection import AWAY
from streams.cache.inputs import NOBODY, EntityInput, UserPredictions
from streams.cache.invalidation import Invalidator
from streams.cache.ledger import JobLedger
from streams.cache.names import RedisNames
from streams.cache.scripting import send_many
from streams.contracts.errors import UnavailableError
from streams.contracts.keys import KeyPattern
from streams.contracts.states import Status
from streams.contracts.tasks import TaskCatalogue
from streams.ingest.effects import Effects
from streams.ingest.state import InputRow, decode_input, decode_user, encode_actions
from streams.ops.metrics import MIRROR_FLUSHES
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)

FLUSH_EVERY_S = 0.02
#: A pipeline of more would hold Redis, and this loop, for milliseconds.
MOST_A_PIPELINE = 500
#: Keys waiting while Redis is away; beyond that all is written again when it is back.
MOST_PENDING = 100_000
#: What nobody touched for a quarter of a year makes room; its next event brings it back.
TTL_S = 90 * 86_400
CHECK_EVERY_S = 1.0
RETRY_AFTER_S = 0.5


class TableRows(msgspec.Struct, frozen=True):
    """The tables themselves, to write out again after Redis lost its data."""

    users: Mapping[bytes, bytes]
    inputs: Mapping[bytes, bytes]


class Mirror(BackgroundService):
    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, tasks: TaskCatalogue, ledger: JobLedger
    ) -> None:
        super().__init__()
        #: The tables' rows as they are now; set before the start, once there are tables.
        self.rows: Callable[[], TableRows] = lambda: TableRows({}, {})
        self._redis = redis
        self._names = names
        self._tasks = tasks
        self._ledger = ledger
        self._invalidator = Invalidator(redis, names, tasks)
        #: Redis key to the value to set, or None to delete; only the newest counts.
        self._pending: dict[str, bytes | None] = {}
        #: Of a user nobody has seen: in no table, so it is kept here to be written again.
        self._prior: UserPredictions | None = None
        self._invalid: dict[str, int] = {}
        self._epoch: Any = None
        #: At the start, and after a rebalance: what a process that died had not written is not known.
        self._is_behind = True
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()

    def take(self, effects: Effects) -> None:
        """Notes what a slice changed; called after its records were acknowledged."""
        names = self._names
        for user_id, actions in effects.users.items():
            self._pending[names.history(user_id)] = actions
        for name, row in effects.inputs.items():
            self._pending[self._input_key(name)] = _input(row) if row is not None else None
        for shown in effects.predictions:
            self.show(shown)
        self._invalid.update(effects.invalidated)
        for outgoing in effects.jobs:
            self._ledger.record(outgoing.job, Status.QUEUED)
        for one in effects.withheld:
            # The API has told its id: whoever follows it learns what became of it.
            self._ledger.record(one.job, Status.QUEUED)
            self._ledger.record(one.job, Status.SKIPPED, reason=one.reason)
        if len(self._pending) > MOST_PENDING:
            self._pending.clear()
            self._is_behind = True
        self._wake.set()

    def write_again(self) -> None:
        """Writes the tables out within a second: this process has rows now that another one answered for."""
        self._is_behind = True

    def show(self, predictions: UserPredictions) -> None:
        if predictions.user_id == NOBODY:
            self._prior = predictions
        self._pending[self._names.predictions(predictions.user_id)] = msgspec.json.encode(predictions)
        self._wake.set()

    async def on_start(self) -> None:
        self.spawn(self._flush_forever(), "mirror")
        self.spawn(self._watch_epoch(), "mirror-epoch")

    async def on_stop(self) -> None:
        await self._flush()

    async def _flush_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not await self._flush():
                self._wake.set()
                await asyncio.sleep(RETRY_AFTER_S)
            else:
                await asyncio.sleep(FLUSH_EVERY_S)

    async def _flush(self) -> bool:
        """Whether everything noted so far stands in Redis."""
        try:
            while self._pending:
                await self._write(list(itertools.islice(self._pending.items(), MOST_A_PIPELINE)))
            while self._invalid:
                await self._invalidate(*next(iter(self._invalid.items())))
        except (*AWAY, UnavailableError) as exc:
            MIRROR_FLUSHES.labels("failed").inc()
            _log.warning("the mirror waits for Redis", error=str(exc))
            return False
        MIRROR_FLUSHES.labels("ok").inc()
        self._drained.set()
        return True

    async def _write(self, batch: list[tuple[str, bytes | None]]) -> None:
        await send_many(
            self._redis,
            [("SET", key, value, "EX", TTL_S) if value is not None else ("DEL", key) for key, value in batch],
        )
        for key, value in batch:
            if key in self._pending and self._pending[key] is value:
                del self._pending[key]

    async def _invalidate(self, key: str, at_ms: int) -> None:
        await self._invalidator.invalidate(KeyPattern.parse(key, self._tasks), at_ms=at_ms)
        if self._invalid.get(key) == at_ms:
            del self._invalid[key]

    async def _watch_epoch(self) -> None:
        """The marker's value changes when somebody found it gone: then Redis had lost its data."""
        while True:
            with contextlib.suppress(*AWAY):
                if await self._has_lost_data() or self._is_behind:
                    self._is_behind = False
                    await self._write_all()
            await asyncio.sleep(CHECK_EVERY_S)

    async def _has_lost_data(self) -> bool:
        fresh = uuid.uuid4().hex
        made = await self._redis.set(self._names.mirror_marker, fresh, nx=True)
        epoch = await self._redis.get(self._names.mirror_marker)
        before, self._epoch = self._epoch, epoch
        return bool(made) or before not in (None, epoch)

    async def _write_all(self) -> None:
        rows = self.rows()
        _log.info("writing the tables to Redis", users=len(rows.users), inputs=len(rows.inputs))
        for batch in _chunks(self._everything(rows)):
            for key, value in batch:
                self._pending.setdefault(key, value)
            self._wake.set()
            self._drained.clear()
            await self._drained.wait()

    def _everything(self, rows: TableRows) -> Iterator[tuple[str, bytes]]:
        if self._prior is not None:
            yield self._names.predictions(NOBODY), msgspec.json.encode(self._prior)
        # Each row is read when its turn comes: one of the start would undo what was written meanwhile.
        for key in list(rows.users):
            row = rows.users.get(key)
            if row is not None:
                yield self._names.history(key.decode()), encode_actions(decode_user(row).history)
        for key in list(rows.inputs):
            row = rows.inputs.get(key)
            if row is not None:
                yield self._input_key(key.decode()), _input(decode_input(row))

    def _input_key(self, name: str) -> str:
        entity, _, entity_id = name.partition(":")
        return self._names.input(entity, entity_id)


def _input(row: InputRow) -> bytes:
    return msgspec.json.encode(
        EntityInput(user_id=row.user_id, payload=msgspec.Raw(row.payload), input_version=row.version)
    )


def _chunks(items: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, MOST_A_PIPELINE)):
        yield chunk
