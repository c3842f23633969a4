"""Waiting for answers: subscribe, then look, then sleep until told or in doubt.

One connection carries every subscription, however many wait. A hint makes the key due for a look; looks are
shared by all who wait for a key and batched over keys. Every second or two each key is looked at anyway,
which makes up for a hint that was lost.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from streams.cache.hints import HintChannels
from streams.contracts.errors import UnavailableError

Found = TypeVar("Found")

#: Seconds between looks at a key nobody says anything about; each draws its own between the two.
LOOK_AGAIN_S = (1.0, 2.0)
SWEEP_EVERY_S = 0.25
MOST_A_LOOK = 256
AFTER_OUTAGE_S = 0.2
#: Hints after which no answer will come: the wait is over, with or without one.
ENDED = frozenset({b"failed", b"unavailable", b"skipped", b"cancelled"})


class TooManyWaitersError(UnavailableError):
    """The cap on waiting readers is reached; ask again later."""


class _Waiter(Generic[Found]):
    __slots__ = ("accept", "future")

    def __init__(self, accept: Callable[[Found], bool] | None) -> None:
        self.accept = accept
        self.future: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()

    def settle(self, found: Found | None) -> None:
        if not self.future.done():
            self.future.set_result(found)


class _Room(Generic[Found]):
    """Everybody who waits for one key."""

    __slots__ = ("ended", "look_at", "waiters")

    def __init__(self, look_at: float) -> None:
        self.waiters: set[_Waiter[Found]] = set()
        self.look_at = look_at
        self.ended = False


class WaitingRooms(Generic[Found]):
    """`look` reads many keys at once; `channel_of` names a key's channel; `hints` makes the listener, from
    what to call with a hint and what to call at a gap. `run` does the work.
    """

    def __init__(
        self,
        *,
        look: Callable[[Sequence[str]], Awaitable[Sequence[Found | None]]],
        channel_of: Callable[[str], str],
        hints: Callable[[Callable[[str, bytes], None], Callable[[], None]], HintChannels],
        most: int,
    ) -> None:
        self._look = look
        self._channel_of = channel_of
        self._most = most
        self._rooms: dict[str, _Room[Found]] = {}
        self._keys: dict[str, str] = {}
        self._due: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._listener = hints(self._on_hint, self._on_gap)
        self.count = 0

    async def wait(
        self, key: str, seconds: float, accept: Callable[[Found], bool] | None = None
    ) -> Found | None:
        """What was found, as soon as it is accepted; None when the time is over or the job ended without.

        Raises `TooManyWaitersError` at the cap.
        """
        if self.count >= self._most:
            raise TooManyWaitersError("too many readers wait already; ask again in a moment")
        waiter = _Waiter(accept)
        self._enter(key, waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter.future
        except TimeoutError:
            return None
        finally:
            self._leave(key, waiter)

    async def run(self) -> None:
        """Listens, looks and sweeps until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listener.run(), name="waiting-hints")
            group.create_task(self._look_forever(), name="waiting-looks")
            group.create_task(self._sweep_forever(), name="waiting-sweep")

    def dismiss(self) -> None:
        """Ends every wait, as if its time were over."""
        for room in self._rooms.values():
            for waiter in room.waiters:
                waiter.settle(None)

    def _enter(self, key: str, waiter: _Waiter[Found]) -> None:
        self.count += 1
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = _Room(_next_look())
            channel = self._channel_of(key)
            self._keys[channel] = key
            self._listener.subscribe(channel)
        else:
            # The answer may have come between this reader's look and its entry.
            self._make_due(key)
        room.waiters.add(waiter)

    def _leave(self, key: str, waiter: _Waiter[Found]) -> None:
        self.count -= 1
        room = self._rooms[key]
        room.waiters.discard(waiter)
        if not room.waiters:
            del self._rooms[key]
            channel = self._channel_of(key)
            del self._keys[channel]
            self._listener.unsubscribe(channel)

    def _on_hint(self, channel: str, data: bytes) -> None:
        key = self._keys.get(channel)
        if key is not None:
            self._rooms[key].ended |= data in ENDED
            self._make_due(key)

    def _on_gap(self) -> None:
        for key in self._rooms:
            self._make_due(key)

    def _make_due(self, key: str) -> None:
        self._due[key] = None
        self._wake.set()

    async def _look_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                keys = list(itertools.islice(self._due, MOST_A_LOOK))
                for key in keys:
                    del self._due[key]
                wanted = [key for key in keys if key in self._rooms]
                if wanted and not await self._look_at(wanted):
                    await asyncio.sleep(AFTER_OUTAGE_S)

    async def _look_at(self, keys: Sequence[str]) -> bool:
        """Whether the cache answered; keys it said nothing of stay due."""
        ended = {key for key in keys if self._rooms[key].ended}
        try:
            found = await self._look(keys)
        except UnavailableError:
            self._due.update(dict.fromkeys(keys))
            return False
        for key, one in zip(keys, found, strict=True):
            room = self._rooms.get(key)
            if room is not None:
                _settle(room, one, ended=key in ended)
        return True

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now = asyncio.get_running_loop().time()
            for key, room in self._rooms.items():
                if room.look_at <= now:
                    room.look_at = _next_look()
                    self._make_due(key)


def _settle(room: _Room[Found], found: Found | None, *, ended: bool) -> None:
    for waiter in room.waiters:
        if found is not None and (waiter.accept is None or waiter.accept(found)):
            waiter.settle(found)
        elif ended:
            waiter.settle(None)


def _next_look() -> float:
    return asyncio.get_running_loop().time() + random.uniform(*LOOK_AGAIN_S)  # noqa: S311 (no secret)
