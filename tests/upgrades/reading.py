"""What today's code makes of stored bytes, as plain values: used to write fixtures and to test them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import redis
import redis.asyncio as aioredis

from streams.cache.answers import AnswerStore, Claim
from streams.cache.inputs import MirrorReader
from streams.cache.ledger import LedgerReader
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.contracts.clock import ManualClock
from streams.contracts.cloudevents import RecordPlace, decode_event
from streams.contracts.jobs import Job, decode_job
from streams.contracts.keys import CacheKey
from streams.contracts.states import Status
from streams.contracts.tasks import BUILTIN_TASKS
from streams.ingest.state import decode_input, decode_user

NAMES = RedisNames("fixtures")
#: The moment at which everything in the fixtures happened, in seconds and milliseconds.
NOW_S = 1_795_600_800.0
NOW_MS = int(NOW_S * 1000)
PLACE = RecordPlace("precompute.events.users", 0, 7, NOW_MS)


def plain(value: Any) -> Any:
    """Structs, times and raw JSON as what a JSON file can hold."""

    def other(found: Any) -> Any:
        if isinstance(found, msgspec.Raw):
            return msgspec.json.decode(found)
        raise TypeError(f"no plain form of {type(found)}")

    return msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(value, enc_hook=other)))


def event(value: bytes, headers: list[tuple[str, bytes]]) -> Any:
    found = decode_event(value, headers, PLACE)
    return {
        "type": found.type,
        "source": found.source,
        "id": found.id,
        "time_ms": found.time_ms,
        "user_id": found.user_id,
        "data": plain(found.data),
        "traceparent": found.traceparent,
    }


def job(value: bytes) -> Any:
    return {**plain(msgspec.structs.asdict(decode_job(value)))}


def user_row(value: bytes) -> Any:
    return plain(
        {
            "actions": decode_user(value).history.actions,
            **{
                name: getattr(decode_user(value), name)
                for name in ("offsets", "version", "entities", "recent", "partition")
            },
        }
    )


def input_row(value: bytes) -> Any:
    row = decode_input(value)
    return {"user_id": row.user_id, "version": row.version, "payload": msgspec.json.decode(row.payload)}


def dump(client: redis.Redis) -> dict[str, Any]:
    """Every key of a Redis: its type and value."""
    read: Mapping[bytes, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    found = {}
    for key in sorted(client.scan_iter()):
        kind = client.type(key)
        found[key] = (kind, read[kind](key))
    return found


def restore(client: redis.Redis, key: str, kind: str, value: Any) -> None:
    if kind == "string":
        client.set(key, value)
    elif kind == "hash":
        client.hset(key, mapping=value)
    else:
        client.zadd(key, value)


class StoredState:
    """Reads a whole Redis as the roles do."""

    def __init__(self, client: aioredis.Redis) -> None:
        self._client = client

    async def everything(self, keys: list[str], job_ids: list[str], user: str) -> Any:
        clock = ManualClock(NOW_S)
        answers = await AnswerReader(self._client, NAMES, clock).read_many(
            [CacheKey.parse(key, BUILTIN_TASKS) for key in keys]
        )
        ledger = LedgerReader(self._client, NAMES, BUILTIN_TASKS)
        mirror = MirrorReader(self._client, NAMES)
        newest = await ledger.newest(statuses=list(Status), tasks=list(BUILTIN_TASKS), limit=10)
        return plain(
            {
                "answers": dict(zip(keys, answers, strict=True)),
                "jobs": {one: await ledger.job(one) for one in job_ids},
                "newest": sorted(record.facts.id for record in newest),
                "history": await mirror.history(user),
                "input": await mirror.input("video", "v42"),
                "predictions": await mirror.predictions(user),
            }
        )

    async def claim(self, wanted: Job) -> str:
        """The verdict of a worker of today that wants to compute the job."""
        store = AnswerStore(self._client, NAMES, 10.0, ManualClock(NOW_S))
        return (await store.claim([Claim(wanted, "today-1")]))[0].verdict
