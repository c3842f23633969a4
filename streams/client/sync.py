"""The client for code without an event loop: the same client on a thread of its own."""

from __future__ import annotations

import asyncio
import builtins
import os
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, Self, TypeVar, Unpack, overload

from streams.client.client import Precompute
from streams.client.config import ClientConfig
from streams.client.metrics import ClientMetrics
from streams.client.resolving import Wishes, check_wishes
from streams.client.result import Result

T = TypeVar("T")
R = TypeVar("R")


class PrecomputeSync:
    """Every call runs on one event loop in a daemon thread; hits in memory do not even go there.

    Safe to share between threads. After a fork the child gets a thread and connections of its own.
    """

    def __init__(self, config: ClientConfig | None = None, **fields: Any) -> None:
        self.config = config if config is not None else ClientConfig(**fields)
        self._lock = threading.Lock()
        self._pid = 0
        self._open()

    @property
    def metrics(self) -> ClientMetrics:
        return self._client.metrics

    @overload
    def get(self, key: str, *, type: builtins.type[T], **wishes: Unpack[Wishes]) -> Result[T]: ...

    @overload
    def get(self, key: str, *, type: None = None, **wishes: Unpack[Wishes]) -> Result[Any]: ...

    def get(
        self,
        key: str,
        *,
        type: Any = None,  # noqa: A002 (what it is: the type of the value)
        **wishes: Unpack[Wishes],
    ) -> Result[Any]:
        """As `Precompute.get`."""
        check_wishes(wishes)
        known = self._client.peek(key, type, wishes.get("max_age"))
        if known is not None and self._pid == os.getpid():
            return known
        return self._run(self._ready().get(key, type=type, **wishes))

    def get_many(
        self,
        keys: Sequence[str],
        *,
        type: Any = None,  # noqa: A002 (as above)
        **wishes: Unpack[Wishes],
    ) -> dict[str, Result[Any]]:
        """As `Precompute.get_many`."""
        return self._run(self._ready().get_many(keys, type=type, **wishes))

    def close(self) -> None:
        """Safe to call twice; the client cannot be used again."""
        if self._loop.is_closed() or self._pid != os.getpid():
            return
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self) -> Precompute:
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._open()
        return self._client

    def _open(self) -> None:
        self._client = Precompute(self.config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="precompute-client", daemon=True)
        self._thread.start()
        self._pid = os.getpid()

    def _run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
