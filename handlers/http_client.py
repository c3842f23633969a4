"""One HTTP call with a deadline: retries on 429 and 5xx, no redirect, no proxy from the environment."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import httpx
import msgspec

from streams.contracts.outcomes import Retry

#: Seconds before the second attempt; doubles, unless the server names its own time.
FIRST_PAUSE_S = 0.5
MAX_ANSWER_BYTES = 4 * 1024 * 1024

Pause = Callable[[float], Awaitable[None]]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `deadline_s` bounds all its attempts together, in seconds from now."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: Any = None
    deadline_s: float = 30.0
    attempts: int = 3


class HttpStatusError(Exception):
    """An answer that a repetition does not change, such as 401."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answers {status}")
        self.status = status


class HttpCaller:
    """Sends calls. `transport` and `pause` are the tests' doors."""

    def __init__(
        self, *, transport: httpx.AsyncBaseTransport | None = None, pause: Pause = asyncio.sleep
    ) -> None:
        self._transport = transport
        self._pause = pause

    async def send(self, call: Call) -> bytes:
        """The body of a 2xx answer. Raises `HttpStatusError`, or `Retry` where time or attempts are spent."""
        ends_at = time.monotonic() + call.deadline_s
        pause, said = FIRST_PAUSE_S, "no attempt was left"
        for attempt in range(call.attempts):
            left = ends_at - time.monotonic()
            if left <= 0:
                break
            try:
                answer = await asyncio.wait_for(self._once(call, left), left)
            except (httpx.HTTPError, TimeoutError) as exc:
                said, wait = type(exc).__name__, pause
            else:
                if answer.is_success:
                    return answer.content
                if answer.status_code != 429 and answer.status_code < 500:
                    raise HttpStatusError(answer.status_code)
                said, wait = f"the server answers {answer.status_code}", _asked_pause(answer, pause)
            if attempt + 1 == call.attempts or wait > ends_at - time.monotonic():
                break
            await self._pause(wait)
            pause *= 2
        raise Retry(f"{_host(call.url)}: {said}")

    async def _once(self, call: Call, left: float) -> httpx.Response:
        async with httpx.AsyncClient(
            timeout=left, trust_env=False, follow_redirects=False, transport=self._transport, verify=_tls()
        ) as client:
            content = None if call.body is None else msgspec.json.encode(call.body)
            headers = {"content-type": "application/json", "accept": "application/json"} | call.headers
            async with client.stream(call.method, call.url, content=content, headers=headers) as answer:
                kept = bytearray()
                async for chunk in answer.aiter_bytes():
                    kept += chunk
                    if len(kept) > MAX_ANSWER_BYTES:
                        raise httpx.DecodingError(f"more than {MAX_ANSWER_BYTES} bytes")
                return httpx.Response(answer.status_code, headers=_plain(answer), content=bytes(kept))


@cache
def _tls() -> ssl.SSLContext:
    """Shared by all calls: reading the certificates takes longer than most of them."""
    return httpx.create_ssl_context(trust_env=False)


def _plain(answer: httpx.Response) -> dict[str, str]:
    """The headers that count, without the encoding that has been undone."""
    asked = answer.headers.get("retry-after")
    return {"retry-after": asked} if asked else {}


def _asked_pause(answer: httpx.Response, otherwise: float) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else otherwise


def _host(url: str) -> str:
    return httpx.URL(url).host
