"""How answers are written: orjson, an envelope, and the headers of HTTP caching."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import orjson
from fastapi.responses import Response

from streams.cache.reader import etag_of, state_of
from streams.contracts.results import State, StoredResult, timestamp

#: How long a front end may show an answer whose time is over while it asks for the next one, seconds.
REVALIDATE_S = 60


def json_bytes(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        # A lone surrogate that came in through JSON; the standard library can write it.
        return json.dumps(value, default=_plain).encode()


def json_response(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json_bytes(value), status_code=status, media_type="application/json", headers=headers)


def answer_headers(stored: StoredResult, now_ms: int) -> dict[str, str]:
    """ETag, Age and how long a front end may keep the answer, in whole seconds."""
    left = (stored.expires_at - now_ms) // 1000
    policy = (
        f"private, max-age={left}, stale-while-revalidate={REVALIDATE_S}"
        if left > 0
        else "private, max-age=0"
    )
    age = max(0, now_ms - stored.computed_at) // 1000
    return {"ETag": f'"{etag_of(stored)}"', "Age": str(age), "Cache-Control": policy}


def answer_body(stored: StoredResult, now_ms: int) -> dict[str, Any]:
    """The envelope; the result goes through as the bytes that the worker wrote."""
    body = {
        "success": True,
        "cached": True,
        "key": stored.key,
        "task": stored.task,
        "state": state_of(stored, now_ms).value,
        "result": orjson.Fragment(bytes(stored.result)),
        "computed_at": timestamp(stored.computed_at),
        "expires_at": timestamp(stored.expires_at),
        "age_s": max(0.0, (now_ms - stored.computed_at) / 1000),
        "job_id": stored.job_id,
        "why": stored.why.value,
        "handler_version": stored.handler_version,
        "etag": etag_of(stored),
        "compute_ms": stored.compute_ms,
    }
    if stored.reason is not None:
        body |= {"reason": stored.reason, "message": stored.message}
    return body


def is_usable(stored: StoredResult, now_ms: int) -> bool:
    return state_of(stored, now_ms) is not State.UNAVAILABLE


def tag_matches(if_none_match: str, etag: str) -> bool:
    """RFC 9110, 13.1.2: `*`, or a list of tags; `W/` makes no difference here."""
    if if_none_match.strip() == "*":
        return True
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return f'"{etag}"' in tags


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if isinstance(value, orjson.Fragment):
        raise TypeError("a fragment is only for orjson")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
