"""From keys to results: what the cache has, judged by what the caller accepts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from streams.cache.fetching import AnswerFetcher
from streams.cache.reader import body_of
from streams.client.breaker import CircuitBreaker
from streams.client.result import Result, ResultState, Source
from streams.contracts.clock import Clock
from streams.contracts.errors import CacheKeyError, ContractError, UnavailableError
from streams.contracts.results import StoredResult

#: Three ids (contracts/ids.py); `\Z` is the end even before a last newline.
_is_key = re.compile(r"(?:[A-Za-z0-9._-]{1,128}:){2}[A-Za-z0-9._-]{1,128}\Z").match


@lru_cache(maxsize=256)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind) if kind is not None else msgspec.json.Decoder()


def check_key(key: str) -> None:
    """Raises `CacheKeyError`; which task types there are only the server knows."""
    if not _is_key(key):
        raise CacheKeyError("a key reads task:entity:id, for example ctr_prediction:video:v42", field="key")


def to_result(
    key: str, stored: StoredResult | None, kind: Any, *, max_age: float | None, now: float, clock: Clock
) -> Result[Any]:
    """`now` in seconds; raises `ContractError` where the answer does not fit the caller's type."""
    if stored is None:
        return Result(key=key, state=ResultState.MISS, clock=clock)
    computed_at = stored.computed_at / 1000
    if not stored.is_available:
        state = _UNAVAILABLE
    else:
        too_old = max_age is not None and now - computed_at > max_age
        state = _STALE if too_old or now * 1000 >= stored.expires_at else _FRESH
    return Result(
        key=key,
        state=state,
        value=_decode(key, stored, kind) if stored.is_available else None,
        computed_at=computed_at,
        expires_at=stored.expires_at / 1000,
        why=stored.why,
        job_id=stored.job_id,
        reason=stored.reason,
        message=stored.message,
        source=_CACHE,
        body=body_of(stored),
        clock=clock,
    )


_CACHE: Source = "cache"
_FRESH, _STALE, _UNAVAILABLE = ResultState.FRESH, ResultState.STALE, ResultState.UNAVAILABLE


def _decode(key: str, stored: StoredResult, kind: Any) -> Any:
    try:
        return _decoder(kind).decode(stored.result)
    except msgspec.ValidationError as exc:
        name = getattr(kind, "__name__", kind)
        raise ContractError(f"the answer of {key} is no {name}: {exc}; read it without `type`") from exc


class GuardedReader:
    """Reads within a time and behind the breaker; every failure is an `UnavailableError`."""

    def __init__(self, fetcher: AnswerFetcher, breaker: CircuitBreaker, socket_s: float) -> None:
        """`socket_s` is the connections' own timeout: a longer time needs no second one, which costs."""
        self._socket_s = socket_s
        self._fetcher = fetcher
        self._breaker = breaker

    async def read(self, keys: Sequence[str], within_s: float) -> list[StoredResult | None]:
        self._breaker.enter()
        try:
            if within_s >= self._socket_s:
                found = await self._fetcher.fetch(keys)
            else:
                async with asyncio.timeout(within_s):
                    found = await self._fetcher.fetch(keys)
        except TimeoutError:
            self._breaker.fail()
            raise UnavailableError(f"the cache did not answer within {within_s} s") from None
        except UnavailableError:
            self._breaker.fail()
            raise
        self._breaker.succeed()
        return found
