"""The result envelope: an answer and everything a reader may want to know about it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from streams.contracts.jobs import Why


class State(StrEnum):
    """What a stored answer is worth to its reader."""

    FRESH = "fresh"
    STALE = "stale"
    UNAVAILABLE = "unavailable"


NO_RESULT = msgspec.Raw(b"null")


class StoredResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a worker writes. Times are whole milliseconds since the Unix epoch, `compute_ms` a duration.

    Either `result` holds the handler's JSON, or `reason` says why there will be none.
    """

    key: str
    task: str
    job_id: str
    why: Why
    handler_version: str
    input_version: int
    started_at: int
    computed_at: int
    expires_at: int
    compute_ms: float
    #: JSON; `null` exactly where there is a reason. (A union of Raw and None would not decode.)
    result: msgspec.Raw = NO_RESULT
    reason: str | None = None
    message: str | None = None
    #: W3C traceparent of the computation, where somebody records it: the spans of its readers point there.
    traceparent: str | None = None

    def __post_init__(self) -> None:
        if (bytes(self.result) == b"null") == (self.reason is None):
            raise ValueError("a stored result has either a result or a reason, never both or neither")

    @property
    def is_available(self) -> bool:
        return self.reason is None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader gets. `age_s` is seconds since the answer was computed."""

    key: str
    task: str
    state: State
    result: Any
    computed_at: datetime
    expires_at: datetime
    age_s: float
    job_id: str
    why: Why
    handler_version: str
    etag: str
    compute_ms: float
    reason: str | None = None
    message: str | None = None


def timestamp(ms: int) -> datetime:
    """A stored time as an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)
