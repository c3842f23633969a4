"""What happens beyond memory: the cache, and what the caller wants done where it has nothing good enough."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypedDict

import msgspec

from streams.cache.waiting import TooManyWaitersError, WaitingRooms
from streams.client.asking import Asker
from streams.client.config import ClientConfig
from streams.client.early import FARTHEST, is_due
from streams.client.memory import Memory
from streams.client.metrics import ClientMetrics
from streams.client.reading import GuardedReader, to_result
from streams.client.reporting import ReadReporter
from streams.client.result import Result, ResultState
from streams.contracts.clock import Clock
from streams.contracts.errors import ConfigurationError, UnavailableError
from streams.contracts.results import StoredResult

#: "none": look only. "stale": also have a stale answer refreshed. "compute": ask for what is missing and go
#: on. "wait": ask and wait. A function computes it here and now.
OnMiss = Literal["none", "stale", "compute", "wait"] | Callable[[str], Any | Awaitable[Any]]
WORDS = ("none", "stale", "compute", "wait")


_FRESH, _STALE = ResultState.FRESH, ResultState.STALE


class Wishes(TypedDict, total=False):
    """What a call may ask for beyond its key and type; durations in seconds.

    `max_age`: how old the answer may be. `soft_timeout`: how long to wait while an older one is at hand.
    `hard_timeout`: how long the call may take. `on_miss`: what to do where nothing good enough is there.
    What is left out is as the config says; `on_miss` is "none" then.
    """

    max_age: float | None
    soft_timeout: float | None
    hard_timeout: float | None
    on_miss: OnMiss


def check_wishes(wishes: Wishes) -> None:
    """Raises `TypeError` for a wish that there is not, as a call of a function would."""
    unknown = wishes.keys() - Wishes.__annotations__.keys()
    if unknown:
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")


class Call(msgspec.Struct, frozen=True):
    """One call's wishes; seconds."""

    kind: Any
    max_age: float | None
    soft_s: float | None
    hard_s: float
    on_miss: OnMiss

    def __post_init__(self) -> None:
        if not callable(self.on_miss) and self.on_miss not in WORDS:
            raise ConfigurationError(
                f"on_miss is {self.on_miss!r}; it takes {', '.join(WORDS)} or a function"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts:
    """What a resolver works with."""

    config: ClientConfig
    reader: GuardedReader
    memory: Memory
    asker: Asker
    rooms: WaitingRooms[StoredResult]
    reporter: ReadReporter
    metrics: ClientMetrics
    clock: Clock
    draw: Callable[[], float]


class Resolver:
    def __init__(self, parts: Parts) -> None:
        self._of = parts
        self._background: set[asyncio.Task[Any]] = set()

    async def resolve(self, keys: Sequence[str], call: Call) -> list[Result[Any]]:
        """A result for each key, in their order, within the call's hard timeout and a little."""
        deadline = asyncio.get_running_loop().time() + call.hard_s
        try:
            stored = await self._read(keys, call)
        except UnavailableError as exc:
            return [await self._without_cache(key, call, exc) for key in keys]
        now = self._of.clock.now()
        results = [self._take(key, one, call, now) for key, one in zip(keys, stored, strict=True)]
        lacking = [r for r in results if r.state in (ResultState.MISS, ResultState.STALE)]
        if not lacking or call.on_miss == "none":
            return results
        better = {r.key: r for r in await self._improve(lacking, call, deadline)}
        return [better.get(result.key, result) for result in results]

    def take(self, key: str, stored: StoredResult, kind: Any) -> Result[Any]:
        """An answer that came some other way, put into memory."""
        clock = self._of.clock
        result = to_result(key, stored, kind, max_age=None, now=clock.now(), clock=clock)
        self._of.memory.put((key, kind), result)
        return result

    async def _read(self, keys: Sequence[str], call: Call) -> list[StoredResult | None]:
        reading = self._of.reader.read(keys, call.hard_s)
        if call.soft_s is None or not all(self._copy(key, call) for key in keys):
            return await reading
        task = asyncio.ensure_future(reading)
        done, _ = await asyncio.wait((task,), timeout=call.soft_s)
        if done:
            return task.result()
        # It goes on, so that the next reader finds memory filled.
        self._background.add(task)
        task.add_done_callback(lambda ended: self._take_late(ended, keys, call))
        raise UnavailableError(f"the cache did not answer within the soft timeout of {call.soft_s} s")

    def _take_late(self, ended: asyncio.Task[Any], keys: Sequence[str], call: Call) -> None:
        self._background.discard(ended)
        if ended.cancelled() or ended.exception() is not None:
            return
        for key, stored in zip(keys, ended.result(), strict=True):
            if stored is not None:
                self.take(key, stored, call.kind)

    def _take(self, key: str, stored: StoredResult | None, call: Call, now: float) -> Result[Any]:
        of = self._of
        result = to_result(key, stored, call.kind, max_age=call.max_age, now=now, clock=of.clock)
        state = result.state
        if stored is None:
            of.metrics.misses += 1
            return result
        if state is _FRESH:
            of.metrics.hits += 1
            self._refresh_early(stored, now)
        elif state is _STALE:
            of.metrics.stale += 1
        else:
            of.metrics.unavailable += 1
        of.reporter.note(key, int(now * 1000), stored.compute_ms, stored.why)
        if state is not _STALE:
            of.memory.put((key, call.kind), result)
        return result

    def _refresh_early(self, stored: StoredResult, now: float) -> None:
        of = self._of
        beta, left_ms = of.config.early_beta, stored.expires_at - now * 1000
        # No draw reaches further than that: most answers are far from their end.
        if left_ms > FARTHEST * beta * stored.compute_ms:
            return
        if is_due(stored, int(now * 1000), beta=beta, draw=of.draw()):
            of.metrics.early_refreshes += 1
            of.asker.ask_in_background([stored.key])

    async def _improve(self, lacking: list[Result[Any]], call: Call, deadline: float) -> list[Result[Any]]:
        if callable(call.on_miss):
            return [await self._compute_here(result.key, call) for result in lacking]
        stale = [r.key for r in lacking if r.state is ResultState.STALE]
        if call.on_miss != "wait" and stale:
            self._of.asker.ask_in_background(stale)
        if call.on_miss == "stale":
            return lacking
        if call.on_miss == "wait":
            return await self._wait_for(lacking, call, deadline)
        missing = [r for r in lacking if r.state is ResultState.MISS]
        return await self._ask(missing, refresh=False) if missing else []

    async def _ask(self, results: list[Result[Any]], *, refresh: bool) -> list[Result[Any]]:
        """The results again: computing where somebody is at it now, else with the reason why not."""
        asked = await self._of.asker.ask([r.key for r in results], refresh=refresh, urgent=True)
        found = []
        for result, one in zip(results, asked, strict=True):
            if result.state is ResultState.STALE:
                found.append(result)
            elif one.job_id is None:
                found.append(msgspec.structs.replace(result, reason=one.reason))
            else:
                found.append(msgspec.structs.replace(result, state=ResultState.COMPUTING, job_id=one.job_id))
        return found

    async def _wait_for(self, lacking: list[Result[Any]], call: Call, deadline: float) -> list[Result[Any]]:
        stale = [r for r in lacking if r.state is ResultState.STALE]
        missing = [r for r in lacking if r.state is ResultState.MISS]
        asked: list[Result[Any]] = []
        for part, refresh in ((missing, False), (stale, True)):
            if part:
                asked += await self._ask(part, refresh=refresh)
        return list(await asyncio.gather(*(self._wait_one(r, call, deadline) for r in asked)))

    async def _wait_one(self, result: Result[Any], call: Call, deadline: float) -> Result[Any]:
        if result.state is ResultState.MISS:
            # Nobody was asked: nothing will come.
            return result
        left = deadline - asyncio.get_running_loop().time()
        if result.state is ResultState.STALE and call.soft_s is not None:
            left = min(left, call.soft_s)
        before = result.computed_at
        self._of.metrics.waits += 1
        try:
            stored = await self._of.rooms.wait(
                result.key, max(0.0, left), lambda one: before is None or one.computed_at / 1000 > before
            )
        except TooManyWaitersError as exc:
            return msgspec.structs.replace(result, reason="too_many_waiters", message=str(exc))
        if stored is None:
            self._of.metrics.waits_in_vain += 1
            return result
        return self.take(result.key, stored, call.kind)

    async def _compute_here(self, key: str, call: Call) -> Result[Any]:
        assert callable(call.on_miss)
        value = call.on_miss(key)
        if inspect.isawaitable(value):
            value = await value
        now = self._of.clock.now()
        return Result(
            key=key, state=ResultState.FRESH, value=value, computed_at=now, why="local", source="local",
            clock=self._of.clock,
        )  # fmt: skip

    async def _without_cache(self, key: str, call: Call, exc: UnavailableError) -> Result[Any]:
        copy = self._copy(key, call)
        if copy is not None:
            self._of.metrics.fail_safe += 1
            return msgspec.structs.replace(
                copy, state=_state_of_copy(copy), source="memory", reason="cache_away"
            )
        self._of.metrics.errors += 1
        if callable(call.on_miss):
            return await self._compute_here(key, call)
        return Result(
            key=key, state=ResultState.MISS, reason="cache_away", message=str(exc), clock=self._of.clock
        )

    def _copy(self, key: str, call: Call) -> Result[Any] | None:
        return self._of.memory.copy((key, call.kind), self._of.config.fail_safe_s)


def _state_of_copy(copy: Result[Any]) -> ResultState:
    return ResultState.STALE if copy.state is ResultState.FRESH else copy.state
