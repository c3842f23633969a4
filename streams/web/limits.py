"""Bounds on a request's body: its size, and how long its sender may take."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.web.problems import problem_response

#: A body of two megabytes at half a megabit; who is slower than that holds a place for nothing.
BODY_WITHIN_S = 30.0


class BodyLimit:
    """Refuses bodies over their limit, announced or not, with 413; bodies that do not end with 408."""

    def __init__(
        self,
        app: ASGIApp,
        most_bytes: int,
        larger: dict[str, int] | None = None,
        within_s: float = BODY_WITHIN_S,
    ) -> None:
        """`larger` gives single paths a limit of their own."""
        self._app = app
        self._most = most_bytes
        self._larger = larger or {}
        self._within_s = within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], self._most)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > most:
            await _refuse(413, f"the body has more than {most} bytes", scope, receive, send)
            return
        body = _BoundedBody(receive, most, self._within_s)
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            if body.refused is not None and not started:
                # Whatever the app made of the broken body: the refusal is the answer.
                return
            started = True
            await send(message)

        try:
            await self._app(scope, body.receive, noted)
        except _RefusedError:
            if started:
                raise
        if body.refused is not None and not started:
            await _refuse(body.refused.status, str(body.refused), scope, receive, send)


class _BoundedBody:
    def __init__(self, receive: Receive, most: int, within_s: float) -> None:
        self._receive = receive
        self._most = most
        self._deadline = asyncio.get_running_loop().time() + within_s
        self._seen = 0
        self._has_ended = False
        self.refused: _RefusedError | None = None

    async def receive(self) -> Message:
        if self._has_ended:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise self._refuse(408, "the body did not arrive in time") from None
        self._seen += len(message.get("body", b""))
        if self._seen > self._most:
            raise self._refuse(413, f"the body has more than {self._most} bytes")
        self._has_ended = not message.get("more_body", False)
        return message

    def _refuse(self, status: int, detail: str) -> _RefusedError:
        self.refused = _RefusedError(status, detail)
        return self.refused


class _RefusedError(Exception):
    """Unwinds the request."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


async def _refuse(status: int, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
    response: Any = problem_response(status, detail, headers={"Connection": "close"})
    await response(scope, receive, send)
