"""How answers are written: orjson, an envelope, and the headers of HTTP caching."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import orjson
from fastapi.responses import Response

from streams.contracts.results import Envelope, State


def json_bytes(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def json_response(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json_bytes(value), status_code=status, media_type="application/json", headers=headers)


def envelope_headers(envelope: Envelope, now: datetime) -> dict[str, str]:
    """ETag, Age and how long a front end may keep the answer, in whole seconds."""
    left = max(0, int((envelope.expires_at - now).total_seconds()))
    fresh = envelope.state is State.FRESH
    policy = f"private, max-age={left}, stale-while-revalidate=60" if fresh else "private, max-age=0"
    return {"ETag": f'"{envelope.etag}"', "Age": str(int(envelope.age_s)), "Cache-Control": policy}


def envelope_body(envelope: Envelope) -> dict[str, Any]:
    fields = msgspec.structs.asdict(envelope)
    if envelope.reason is None:
        del fields["reason"], fields["message"]
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
