"""The contract of everything that runs long: start, stop; safe to stop twice or unstarted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Coroutine, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import structlog

_log = structlog.get_logger(__name__)

CANCEL_AGAIN_S = 0.5
MOST_CANCELS = 20


@runtime_checkable
class Service(Protocol):
    """Starts once; `stop` may be called at any time, any number of times."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class BackgroundService:
    """A service made of asyncio tasks; subclasses put them up in `on_start` with `spawn`.

    A task that ends with an exception sets `failed`, so that the process can end with a reason
    instead of living on without one of its parts.
    """

    def __init__(self) -> None:
        self._background: set[asyncio.Task[None]] = set()
        self._started = False
        #: A stop waits for a start that is under way: what it has not put up yet would live on.
        self._turn = asyncio.Lock()
        self.failed: asyncio.Future[BaseException] | None = None

    async def start(self) -> None:
        async with self._turn:
            if self._started:
                return
            self._started = True
            self.failed = asyncio.get_running_loop().create_future()
            await self.on_start()

    async def stop(self) -> None:
        async with self._turn:
            if not self._started:
                return
            self._started = False
            try:
                await self.on_stop()
            finally:
                await end_tasks(self._background)
                if self.failed is not None and not self.failed.done():
                    self.failed.cancel()

    async def on_start(self) -> None:
        """Put the service up; called once a start."""

    async def on_stop(self) -> None:
        """Finish what must be finished; the tasks are cancelled afterwards."""

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine, name=name)
        self._background.add(task)
        task.add_done_callback(self._on_done)
        return task

    def fail_with(self, part: BackgroundService) -> None:
        """From now on a failure of a started part is this service's own."""
        if part.failed is not None:
            part.failed.add_done_callback(self._on_part_failed)

    def _on_part_failed(self, failed: asyncio.Future[BaseException]) -> None:
        if not failed.cancelled() and self.failed is not None and not self.failed.done():
            self.failed.set_result(failed.result())

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if task.cancelled() or (exc := task.exception()) is None:
            return
        _log.error("a background task failed", task=task.get_name(), exc_info=exc)
        if self.failed is not None and not self.failed.done():
            self.failed.set_result(exc)


async def end_tasks(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancels the tasks until they have ended.

    Once is not enough: redis-py takes a cancellation at the wrong moment for a broken connection, and the
    task goes on.
    """
    for _ in range(MOST_CANCELS):
        left = [task for task in tasks if not task.done()]
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    _log.error("background tasks do not end", tasks=[task.get_name() for task in tasks if not task.done()])


class ServiceGroup:
    """Starts services in order and stops them in reverse; what was started is stopped, whatever fails."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._stack = contextlib.AsyncExitStack()

    async def start(self) -> None:
        for service in self._services:
            self._stack.push_async_callback(service.stop)
            await service.start()

    async def stop(self) -> None:
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
