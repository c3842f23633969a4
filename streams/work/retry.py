"""When a failed attempt is tried again, and where it waits until then."""

from __future__ import annotations

import random

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.topics import RETRY_DELAYS, Delay

#: Longer waits would hold the partition's commit position back; they go through a retry topic.
LONGEST_IN_MEMORY_S = 5.0


class Wait(msgspec.Struct, frozen=True):
    """In memory for `seconds` where `topic` is None, else in that fixed-delay topic."""

    seconds: float
    topic: Delay | None


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Exponential backoff with jitter: `base_s` x 2^n, at most `longest_s`, times 0.5 to 1."""

    max_attempts: int
    base_s: float
    longest_s: float

    def __post_init__(self) -> None:
        if self.max_attempts < 1 or not 0 < self.base_s <= self.longest_s:
            raise ConfigurationError("max_attempts >= 1 and 0 < backoff <= longest backoff")

    def is_spent(self, attempts: int) -> bool:
        """Whether that many failed attempts were all there are."""
        return attempts >= self.max_attempts

    def wait(self, attempts: int, *, asked_s: float | None = None, draw: float | None = None) -> Wait:
        """The wait after `attempts` failures; `asked_s` is what the handler asked for at least.

        `draw` in 0..1 replaces the random number, for tests.
        """
        ceiling = min(self.longest_s, self.base_s * 2.0 ** min(attempts - 1, 30))
        jitter = 0.5 + 0.5 * (random.random() if draw is None else draw)  # noqa: S311 (no secret)
        seconds = max(ceiling * jitter, asked_s or 0.0)
        if seconds <= LONGEST_IN_MEMORY_S:
            return Wait(seconds, None)
        return Wait(seconds, next((d for d in RETRY_DELAYS if d.seconds >= seconds), RETRY_DELAYS[-1]))
