"""Group commit: calls that arrive while one is under way share the next round trip."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import structlog

from streams.cache.connection import AWAY
from streams.ops.metrics import REDIS_ERRORS
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: The round trip of a larger batch would hold Redis for over a millisecond.
MOST_A_BATCH = 256
FIRST_BACKOFF_S = 0.05
LONGEST_BACKOFF_S = 2.0
LAST_FLUSH_S = 2.0


class Batcher(BackgroundService, Generic[Item, Answer]):
    """Hands items to `send` in batches, one batch at a time, and each caller its own answer.

    While Redis is away the batch is tried again until it comes back: callers wait, nothing is dropped.
    `send` must therefore be idempotent. `away_since` is the monotonic time of the first failure, or None.
    """

    def __init__(self, name: str, send: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]) -> None:
        super().__init__()
        self._name = name
        self._send = send
        #: Items, whoever waits for their answers, and whether it waits for a list.
        self._groups: list[tuple[Sequence[Item], asyncio.Future[Any], bool]] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.away_since: float | None = None

    async def on_start(self) -> None:
        self.spawn(self._run(), f"batcher-{self._name}")

    async def on_stop(self) -> None:
        """What is still here is sent, if Redis answers soon; its callers are cancelled otherwise."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_FLUSH_S):
                await self._idle.wait()
        for _, future, _ in self._groups:
            future.cancel()

    def submit(self, item: Item) -> asyncio.Future[Answer]:
        return self._put([item], together=False)

    def submit_many(self, items: Sequence[Item]) -> asyncio.Future[list[Answer]]:
        """One answer for each item, in one future; they are sent together."""
        return self._put(items, together=True)

    def _put(self, items: Sequence[Item], *, together: bool) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self._groups:
            self._idle.clear()
            self._wake.set()
        self._groups.append((items, future, together))
        return future

    async def _run(self) -> None:
        while True:
            if not self._groups:
                self._wake.clear()
                self._idle.set()
                await self._wake.wait()
            batch = self._take()
            try:
                answers = await self._persist([item for items, _, _ in batch for item in items])
            except asyncio.CancelledError:
                for _, future, _ in batch:
                    future.cancel()
                raise
            except Exception as exc:
                for _, future, _ in batch:
                    if not future.done():
                        future.set_exception(exc)
                raise
            at = 0
            for items, future, together in batch:
                if not future.done():
                    future.set_result(answers[at : at + len(items)] if together else answers[at])
                at += len(items)

    def _take(self) -> list[tuple[Sequence[Item], asyncio.Future[Any], bool]]:
        """The groups that come first and are no more than a batch, but at least one."""
        size = count = 0
        for items, _, _ in self._groups:
            size += len(items)
            if count and size > MOST_A_BATCH:
                break
            count += 1
        batch = self._groups[:count]
        del self._groups[:count]
        return batch

    async def _persist(self, items: Sequence[Item]) -> Sequence[Answer]:
        backoff = FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            try:
                answers = await self._send(items)
            except AWAY as exc:
                REDIS_ERRORS.labels(self._name).inc()
                if self.away_since is None:
                    self.away_since = loop.time()
                    _log.warning("Redis does not answer; waiting", operation=self._name, error=str(exc))
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_S)
            else:
                if self.away_since is not None:
                    _log.info("Redis answers again", operation=self._name)
                    self.away_since = None
                return answers
