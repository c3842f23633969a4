"""Who did what: every action of a person, kept in a stream."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import redis.asyncio as aioredis
import structlog

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.web.callers import Caller

_log = structlog.get_logger("audit")

#: Entries kept, about: the log lines have all of them.
MOST_KEPT = 10_000


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`at` in milliseconds since the epoch; `who` is a key's id, never a key."""

    at: int
    who: str
    action: str
    target: str
    result: str


class AuditLog:
    """Written before the action's answer: to the log always, to Redis where it answers."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, clock: Clock = SYSTEM_CLOCK) -> None:
        self._redis = redis
        self._name = names.audit
        self._clock = clock

    async def record(self, caller: Caller, action: str, target: str, result: str) -> None:
        at = millis(self._clock.now())
        _log.info("action", who=caller.name, action=action, target=target, result=result)
        fields: dict[Any, Any] = {
            "at": at,
            "who": caller.name,
            "action": action,
            "target": target[:500],
            "result": result[:500],
        }
        try:
            await self._redis.xadd(self._name, fields, maxlen=MOST_KEPT, approximate=True)
        except AWAY:
            _log.warning("the audit log in Redis lacks an entry; the process's log has it")

    async def newest(self, limit: int) -> list[AuditEntry]:
        try:
            found = cast("list[Any]", await self._redis.xrevrange(self._name, count=limit))
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc
        return [_entry(fields) for _, fields in found]


def _entry(fields: dict[bytes, bytes]) -> AuditEntry:
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return AuditEntry(
        at=int(text["at"]), who=text["who"], action=text["action"], target=text["target"],
        result=text["result"],
    )  # fmt: skip
