"""Answers kept in the process: fresh ones for a moment, copies for when the cache is away."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.cache.backplane import BackplaneMessage
from streams.client.result import Result
from streams.contracts.clock import Clock

#: An answer's key, and the type it was decoded to.
Place = tuple[str, Any]


class Memory:
    """`fresh` is served as it is until its time; `copies` only where nothing better can be had.

    Nothing is fresh here while the backplane is silent (`is_heard` False): an invalidation could have been
    missed. Both forget their oldest entries first.
    """

    def __init__(self, ttl_s: float, entries: int, clock: Clock) -> None:
        self._ttl_s = ttl_s
        self._most = entries
        self._clock = clock
        #: To the result and the monotonic time until which it is fresh.
        self.fresh: dict[Place, tuple[Result[Any], float]] = {}
        self._copies: dict[Place, Result[Any]] = {}
        self.is_heard = False

    def put(self, place: Place, result: Result[Any]) -> None:
        _set(self._copies, place, result, self._most)
        if self.is_heard and result.expires_at is not None:
            left = min(self._ttl_s, result.expires_at - self._clock.now())
            if left > 0:
                _set(self.fresh, place, (result, self._clock.monotonic() + left), self._most)

    def copy(self, place: Place, oldest_s: float) -> Result[Any] | None:
        """The last answer seen, if it was computed at most `oldest_s` ago."""
        found = self._copies.get(place)
        if found is None or found.age is None or found.age > oldest_s:
            return None
        return found

    def hear(self, data: bytes) -> None:
        """Takes an invalidation from the backplane."""
        try:
            message = msgspec.json.decode(data, type=BackplaneMessage)
        except msgspec.DecodeError:
            self.forget()
            return
        for kept in (self.fresh, self._copies):
            for place in [place for place in kept if message.matches(place[0])]:
                kept.pop(place, None)

    def forget(self) -> None:
        """After a gap: what was invalidated in it is not known."""
        self.fresh.clear()


def _set(kept: dict[Place, Any], place: Place, value: Any, most: int) -> None:
    kept.pop(place, None)
    if len(kept) >= most:
        kept.pop(next(iter(kept)), None)
    kept[place] = value
