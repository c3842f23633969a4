"""What a reader gets."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

import msgspec

from streams.cache.reader import tag_of
from streams.contracts.clock import SYSTEM_CLOCK

T = TypeVar("T")


class ResultState(StrEnum):
    """What a result is worth."""

    #: There, and within its TTL and the caller's `max_age`.
    FRESH = "fresh"
    #: There, but older than that.
    STALE = "stale"
    #: Computing it ended without an answer; `reason` and `message` say why.
    UNAVAILABLE = "unavailable"
    #: Not there yet; somebody has been asked to compute it.
    COMPUTING = "computing"
    #: Not there, and nobody was asked; or the cache is away, as `reason` then says.
    MISS = "miss"


Source = Literal["memory", "cache", "local", "none"]


class Result(msgspec.Struct, Generic[T], frozen=True, kw_only=True, repr_omit_defaults=True):
    """An answer and what there is to know about it. Treat `value` as read-only: memory hands it out again.

    `computed_at` and `expires_at` are seconds since the Unix epoch, None where there is no answer.
    """

    key: str
    state: ResultState
    value: T | None = None
    computed_at: float | None = None
    expires_at: float | None = None
    #: What asked for the answer: `predicted`, `upload`, `demand`, ...; `local` where the caller computed it.
    why: str | None = None
    job_id: str | None = None
    reason: str | None = None
    message: str | None = None
    source: Source = "none"
    #: The answer's bytes, which its tag is made of.
    body: bytes = b""
    #: A `Clock`; age is told by it.
    clock: Any = SYSTEM_CLOCK

    @property
    def is_usable(self) -> bool:
        """Whether there is a value to work with."""
        return self.state is ResultState.FRESH or self.state is ResultState.STALE

    @property
    def age(self) -> float | None:
        """Seconds since the answer was computed."""
        return None if self.computed_at is None else max(0.0, self.clock.now() - self.computed_at)

    @property
    def etag(self) -> str | None:
        """Changes when the answer's bytes do, not when only its age does; the tag that HTTP gives."""
        return tag_of(self.body) if self.body else None
