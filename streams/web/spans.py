"""A span around each HTTP request; part of the application only where traces are asked for."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.ops.tracing import TRACING

#: Of a path, what names it: what comes behind are keys and ids, of which there is no end.
_SEGMENTS = 4
_SERVER_ERROR = 500


class RequestSpans:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not TRACING.on:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        name = f"{scope['method']} {'/'.join(scope['path'].split('/')[:_SEGMENTS])}"
        with TRACING.request(name, headers) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.note(status=message["status"])
                    if message["status"] >= _SERVER_ERROR:
                        span.fail(str(message["status"]))
                await send(message)

            await self._app(scope, receive, noted)
