"""Group commit: calls that arrive while one is under way share the next round trip."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

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
        self._items: list[tuple[Item, asyncio.Future[Answer]]] = []
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
        for _, future in self._items:
            future.cancel()

    def submit(self, item: Item) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._items.append((item, future))
        self._idle.clear()
        self._wake.set()
        return future

    async def _run(self) -> None:
        while True:
            if not self._items:
                self._wake.clear()
                self._idle.set()
                await self._wake.wait()
            batch = self._items[:MOST_A_BATCH]
            del self._items[:MOST_A_BATCH]
            try:
                answers = await self._persist([item for item, _ in batch])
            except asyncio.CancelledError:
                for _, future in batch:
                    future.cancel()
                raise
            except Exception as exc:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(exc)
                raise
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

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
