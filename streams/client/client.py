"""The client: one object a process, shared by all of its tasks."""

from __future__ import annotations

import asyncio
import builtins
import math
import os
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, TypeVar, Unpack, overload

import msgspec

from streams.cache.address import parse_address
from streams.cache.fetching import AnswerFetcher
from streams.cache.hints import SUBSCRIBED
from streams.cache.link import open_redis, plain_hints, sharded_hints
from streams.cache.names import RedisNames
from streams.cache.waiting import WaitingRooms
from streams.client.asking import Asker
from streams.client.breaker import CircuitBreaker
from streams.client.config import ClientConfig
from streams.client.gateway import ApiGateway
from streams.client.memory import Memory
from streams.client.metrics import ClientMetrics
from streams.client.reading import GuardedReader, check_key
from streams.client.reporting import ReadReporter
from streams.client.resolving import Call, OnMiss, Parts, Resolver, Wishes
from streams.client.result import Result
from streams.contracts.clock import SYSTEM_CLOCK, Clock
from streams.contracts.results import StoredResult

T = TypeVar("T")


class Precompute:
    """Reads answers from Redis; asks the API, where it knows one, for those that are missing.

    Make it with a config, or with the config's fields. Use it in `async with`, or `close` it. It is bound to
    the event loop of its first call. `draw` (uniform in [0, 1)) and `clock` are for tests.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        draw: Callable[[], float] = random.random,
        **fields: Any,
    ) -> None:
        self.config = config if config is not None else ClientConfig(**fields)
        self._address = parse_address(self.config.redis_url, "redis_url")
        self.metrics = ClientMetrics()
        self._clock = clock
        # A bound function: a method of a method costs a tenth of a hit in memory.
        self._monotonic = time.monotonic if clock is SYSTEM_CLOCK else clock.monotonic
        self._draw = draw
        self._memory = Memory(self.config.memory_ttl_s, self.config.memory_entries, clock)
        self._fresh = self._memory.fresh
        self._resolver: Resolver | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    def from_env(cls, **fields: Any) -> Self:
        """From REDIS_URL, PRECOMPUTE_NAMESPACE, PRECOMPUTE_API_URL and PRECOMPUTE_API_KEY."""
        names = {
            "redis_url": "REDIS_URL",
            "namespace": "PRECOMPUTE_NAMESPACE",
            "api_url": "PRECOMPUTE_API_URL",
            "api_key": "PRECOMPUTE_API_KEY",
        }
        found = {name: os.environ[variable] for name, variable in names.items() if variable in os.environ}
        return cls(**{**found, **fields})

    @overload
    async def get(self, key: str, *, type: builtins.type[T], **wishes: Unpack[Wishes]) -> Result[T]: ...

    @overload
    async def get(self, key: str, *, type: None = None, **wishes: Unpack[Wishes]) -> Result[Any]: ...

    async def get(
        self,
        key: str,
        *,
        type: Any = None,  # noqa: A002 (what it is: the type of the value)
        **wishes: Unpack[Wishes],
    ) -> Result[Any]:
        """The answer of a key, decoded to `type`, as the call's `Wishes` (or the config) have it.

        Never raises because the cache is away: the result says so. Raises `CacheKeyError` for a key of the
        wrong shape and `ContractError` where the answer does not fit the type.
        """
        known = self._fresh.get((key, type))
        if known is not None and known[1] > self._monotonic():
            result = known[0]
            if not wishes or _is_young(result, self._call(type, **wishes).max_age):
                self.metrics.memory_hits += 1
                return result
        check_key(key)
        return (await self._start().resolve((key,), self._call(type, **wishes)))[0]

    async def get_many(
        self,
        keys: Sequence[str],
        *,
        type: Any = None,  # noqa: A002 (as above)
        **wishes: Unpack[Wishes],
    ) -> dict[str, Result[Any]]:
        """The answers of many keys in one round trip, those in memory left out of it."""
        call = self._call(type, **wishes)
        found: dict[str, Result[Any]] = {}
        absent = []
        for key in dict.fromkeys(keys):
            known = self.peek(key, type, call.max_age)
            if known is not None:
                found[key] = known
            else:
                check_key(key)
                absent.append(key)
        if absent:
            results = await self._start().resolve(absent, call)
            found.update(zip(absent, results, strict=True))
        return {key: found[key] for key in keys}

    def peek(self, key: str, kind: Any = None, max_age: float | None = None) -> Result[Any] | None:
        """What memory has, if it is fresh; safe from any thread."""
        known = self._fresh.get((key, kind))
        if known is None or known[1] <= self._monotonic():
            return None
        if not _is_young(known[0], max_age):
            return None
        self.metrics.memory_hits += 1
        return known[0]

    async def close(self) -> None:
        """Ends the background tasks and the connections; safe to call twice, or before any call."""
        tasks, self._tasks = self._tasks, []
        if self._resolver is None:
            return
        self._resolver = None
        self._rooms.dismiss()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._asker.close()
        if self.config.report_reads:
            await self._reporter.flush()
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _call(
        self,
        kind: Any,
        *,
        max_age: float | None = None,
        soft_timeout: float | None = None,
        hard_timeout: float | None = None,
        on_miss: OnMiss = "none",
    ) -> Call:
        """The wishes, with the config's in place of those left out."""
        config = self.config
        soft = soft_timeout if soft_timeout is not None else config.soft_timeout_s
        return Call(kind, max_age, soft, hard_timeout or config.hard_timeout_s, on_miss)

    def _start(self) -> Resolver:
        """The first call connects: only then is there an event loop."""
        if self._resolver is not None:
            return self._resolver
        config = self.config
        names = RedisNames(config.namespace)
        self._redis = redis = open_redis(self._address, config.hard_timeout_s)
        fetcher = AnswerFetcher(redis, names)
        # A single server's connections keep the time; Sentinel and clusters try one server after the other.
        bound = config.hard_timeout_s if self._address.kind == "single" else math.inf
        breaker = CircuitBreaker(config.breaker_failures, config.breaker_open_s, self._clock)
        self._rooms = WaitingRooms[StoredResult](
            look=fetcher.fetch,
            channel_of=names.done_channel,
            hints=partial(sharded_hints, redis),
            most=config.most_waiters,
        )
        gateway = ApiGateway(config.api_url, config.api_key) if config.api_url else None
        self._asker = Asker(gateway, self.metrics, self._clock)
        self._reporter = ReadReporter(redis, names, self.metrics, self._clock)
        self._resolver = Resolver(
            Parts(
                config=config,
                reader=GuardedReader(fetcher, breaker, bound),
                memory=self._memory,
                asker=self._asker,
                rooms=self._rooms,
                reporter=self._reporter,
                metrics=self.metrics,
                clock=self._clock,
                draw=self._draw,
            )
        )
        self._spawn(names)
        return self._resolver

    def _spawn(self, names: RedisNames) -> None:
        runs = [self._rooms.run()]
        if self.config.report_reads:
            runs.append(self._reporter.run())
        if self.config.memory_ttl_s > 0:
            backplane = plain_hints(self._redis, self._on_backplane, self._on_gap)
            backplane.subscribe(names.backplane)
            runs.append(backplane.run())
        self._tasks = [asyncio.create_task(run, name="precompute-client") for run in runs]

    def _on_backplane(self, _channel: str, data: bytes) -> None:
        if data == SUBSCRIBED:
            self._memory.is_heard = True
        else:
            self._memory.hear(data)

    def _on_gap(self) -> None:
        self._memory.is_heard = False
        self._memory.forget()


def _is_young(result: Result[Any], max_age: float | None) -> bool:
    return max_age is None or (result.age or 0.0) <= max_age


def without_value(result: Result[Any]) -> Result[Any]:
    """The result for logs: everything but the value."""
    return msgspec.structs.replace(result, value=None)
