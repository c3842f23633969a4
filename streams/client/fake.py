"""A client for the tests of its users: no Redis, no API, the same calls."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self, Unpack

import msgspec

from streams.client.metrics import ClientMetrics
from streams.client.reading import check_key
from streams.client.resolving import OnMiss, Wishes, check_wishes
from streams.client.result import Result, ResultState
from streams.contracts.clock import SYSTEM_CLOCK, Clock


class FakePrecompute:
    """Answers what a test put into it.

    `put` stores an answer, `fail` a failure, `take_away` and `bring_back` switch the cache off and on.
    `asked` lists the keys that a read with `on_miss` asked for; `arrives` is put when a reader waits.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self.metrics = ClientMetrics()
        self.asked: list[str] = []
        self._clock = clock
        self._answers: dict[str, Result[Any]] = {}
        self._coming: dict[str, Any] = {}
        self._is_away = False

    def put(
        self, key: str, value: Any, *, age: float = 0.0, ttl: float = 3600.0, why: str = "upload"
    ) -> None:
        """An answer computed `age` seconds ago; stale where that is more than `ttl`."""
        check_key(key)
        computed_at = self._clock.now() - age
        self._answers[key] = Result(
            key=key,
            state=ResultState.FRESH,
            value=value,
            computed_at=computed_at,
            expires_at=computed_at + ttl,
            why=why,
            job_id=f"job-{len(self._answers)}",
            body=msgspec.json.encode(value),
            source="cache",
            clock=self._clock,
        )

    def fail(self, key: str, reason: str, message: str = "") -> None:
        """Computing the key has ended without an answer."""
        check_key(key)
        self._answers[key] = Result(
            key=key, state=ResultState.UNAVAILABLE, reason=reason, message=message, clock=self._clock
        )

    def arrives(self, key: str, value: Any) -> None:
        """What a reader who waits for the key will get."""
        check_key(key)
        self._coming[key] = value

    def take_away(self) -> None:
        self._is_away = True

    def bring_back(self) -> None:
        self._is_away = False

    async def get(
        self,
        key: str,
        *,
        type: Any = None,  # noqa: A002 (as the client's)
        **wishes: Unpack[Wishes],
    ) -> Result[Any]:
        """As `Precompute.get`; nothing here takes time, so the timeouts change nothing."""
        check_key(key)
        check_wishes(wishes)
        result = self._look(key, wishes.get("max_age"))
        if result.state in (ResultState.MISS, ResultState.STALE):
            result = await self._improve(result, wishes.get("on_miss", "none"))
        if type is not None and result.value is not None:
            return msgspec.structs.replace(result, value=msgspec.convert(result.value, type))
        return result

    async def get_many(
        self,
        keys: Sequence[str],
        *,
        type: Any = None,  # noqa: A002 (as the client's)
        **wishes: Unpack[Wishes],
    ) -> dict[str, Result[Any]]:
        return {key: await self.get(key, type=type, **wishes) for key in keys}

    async def close(self) -> None:
        """Nothing to end."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _look(self, key: str, max_age: float | None) -> Result[Any]:
        if self._is_away:
            return Result(key=key, state=ResultState.MISS, reason="cache_away", clock=self._clock)
        found = self._answers.get(key)
        if found is None:
            return Result(key=key, state=ResultState.MISS, clock=self._clock)
        too_old = max_age is not None and (found.age or 0.0) > max_age
        expired = found.expires_at is not None and self._clock.now() >= found.expires_at
        if found.state is ResultState.FRESH and (too_old or expired):
            return msgspec.structs.replace(found, state=ResultState.STALE)
        return found

    async def _improve(self, result: Result[Any], on_miss: OnMiss) -> Result[Any]:
        key = result.key
        if callable(on_miss):
            value = on_miss(key)
            value = await value if inspect.isawaitable(value) else value
            now = self._clock.now()
            return Result(
                key=key, state=ResultState.FRESH, value=value, computed_at=now, why="local", source="local"
            )
        if self._is_away or on_miss == "none" or (on_miss == "stale" and result.value is None):
            return result
        self.asked.append(key)
        if on_miss == "wait" and key in self._coming:
            self.put(key, self._coming.pop(key), why="demand")
            return self._answers[key]
        if result.state is ResultState.MISS:
            return msgspec.structs.replace(
                result, state=ResultState.COMPUTING, job_id=f"asked-{len(self.asked)}"
            )
        return result
