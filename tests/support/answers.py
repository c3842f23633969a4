"""Answers put into Redis by hand, as a worker would have written them."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from streams.cache.codec import encode_stored
from streams.cache.names import RedisNames
from streams.contracts.jobs import Why
from streams.contracts.results import NO_RESULT, StoredResult

JOB_ID = "5f0d3c1b9a7e8d6f4c2b1a09"
#: How long a stale answer is still kept.
STALE_MS = 3_600_000


def stored_answer(
    key: str,
    result: Any = None,
    *,
    age_s: float = 0.0,
    ttl_s: float = 600.0,
    why: Why = Why.UPLOAD,
    reason: str | None = None,
    compute_ms: float = 5.0,
    version: int = 1,
) -> StoredResult:
    """An answer computed `age_s` ago; stale where that is more than `ttl_s`."""
    computed_at = int((time.time() - age_s) * 1000)
    return StoredResult(
        key=key,
        task=key.partition(":")[0],
        job_id=JOB_ID,
        why=why,
        handler_version="1",
        input_version=version,
        started_at=computed_at,
        computed_at=computed_at,
        expires_at=computed_at + int(ttl_s * 1000),
        compute_ms=compute_ms,
        result=msgspec.Raw(msgspec.json.encode(result)) if reason is None else NO_RESULT,
        reason=reason,
        message=None if reason is None else f"because of {reason}",
    )


async def put_answer(redis: Any, names: RedisNames, stored: StoredResult) -> None:
    """Into Redis and into its task's lists."""
    vanishes = stored.expires_at + STALE_MS
    await redis.set(names.result(stored.key), encode_stored(stored), pxat=vanishes)
    await redis.zadd(names.index(stored.task), {stored.key: vanishes})
    if stored.is_available and stored.why is not Why.DEMAND:
        await redis.zadd(names.unread(stored.task), {stored.key: vanishes})
