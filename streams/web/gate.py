"""What every request passes before an endpoint sees it: who it is, whether it may, and how much of it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import math
import re
import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.settings import Settings
from streams.web.callers import ANYBODY, LOOPBACK, Caller
from streams.web.callers import Scope as Right
from streams.web.keys import KeyStore, is_key
from streams.web.oidc import TokenIntrospection
from streams.web.problems import Problem, problem_response
from streams.web.rates import RateLimiter

#: All headers of a request together; uvicorn's own limit is 64 KiB.
MOST_HEADER_BYTES = 16 * 1024
#: What a path may be long; a key has at most 386 characters, each up to 3 when it is quoted.
MOST_PATH_BYTES = 2048

_OPEN_PATHS = frozenset({"/livez", "/readyz"})
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_PUBLISHING = re.compile(r"/api/precompute/(video|campaign|login)$")
_READING = re.compile(r"/api/precompute/(predict-actions|demand)$")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def asks_for_keys(settings: Settings) -> bool:
    """Without keys the API is for this machine alone, unless somebody says that this is meant."""
    return settings.auth == "required" or (settings.auth == "on" and not is_loopback(settings.host))


def right_for(method: str, path: str) -> Right:
    """What a request needs."""
    if method in _LOOKING or _READING.match(path):
        return Right.READ
    return Right.PUBLISH if _PUBLISHING.match(path) else Right.OPERATE


class Gate:
    """Puts the caller and the request's id into the scope, and the id into the answer."""

    def __init__(self, app: ASGIApp, settings: Settings, keys: KeyStore, tokens: TokenIntrospection) -> None:
        self._app = app
        self._settings = settings
        self._keys = keys
        self._tokens = tokens
        self._asks = asks_for_keys(settings)
        self._limiter = RateLimiter(settings.rate_limit)
        self._everybody = ANYBODY if settings.auth == "off" else LOOPBACK
        self._hosts = _hosts(settings) if not self._asks else frozenset(settings.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(8)
        mark = (b"x-request-id", request_id.encode())

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], mark, (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            scope["precompute.caller"] = await self._admit(scope, headers)
        except Problem as exc:
            response = problem_response(exc.status, exc.detail, headers=exc.headers, **exc.extra)
            await response(scope, receive, marked)
            return
        except Exception as exc:  # noqa: BLE001 (Redis away while keys are checked)
            response = problem_response(503, str(exc), headers={"Retry-After": "1"})
            await response(scope, receive, marked)
            return
        if scope["method"] in _LOOKING:
            await self._app(scope, receive, marked)
            return
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, marked)

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Caller:
        path, method = scope["path"], scope["method"]
        _check_size(scope)
        if path in _OPEN_PATHS:
            return self._everybody
        self._check_origin(method, headers)
        caller = await self._caller(path, headers) if self._asks else self._everybody
        wait_s = self._limiter.take(caller.name) if self._asks else 0.0
        if wait_s:
            raise Problem(
                429, "too many requests of this key", headers={"Retry-After": str(math.ceil(wait_s))}
            )
        right = right_for(method, path)
        if not caller.may(right):
            raise Problem(403, f"this key lacks the scope {right.value}", scope=right.value)
        if self._settings.read_only and right is not Right.READ:
            raise Problem(403, "this system is read-only (PRECOMPUTE_READ_ONLY)")
        return caller

    def _check_origin(self, method: str, headers: dict[bytes, bytes]) -> None:
        """A web page elsewhere may not act through somebody's browser, nor reach us by a name of its own."""
        host = headers.get(b"host", b"").decode("latin-1")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self._hosts and name not in self._hosts:
            raise Problem(421, f"this is not {name[:100]!r}; PRECOMPUTE_ALLOWED_HOSTS names more hosts")
        if method in _LOOKING:
            return
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and urlsplit(origin).netloc != host:
            raise Problem(403, "requests of other origins are refused")
        if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            raise Problem(403, "requests of other sites are refused")

    async def _caller(self, path: str, headers: dict[bytes, bytes]) -> Caller:
        token = _token(headers)
        caller = await self._keys.caller(token) if token else None
        if caller is None and token and self._tokens.is_configured and not is_key(token):
            caller = await self._tokens.caller(token)
        if caller is None:
            challenge = 'Basic realm="precompute"' if path.startswith("/console") else "Bearer"
            detail = (
                "this key is not known" if token else "a key is needed; `precompute keys create` makes one"
            )
            raise Problem(401, detail, headers={"WWW-Authenticate": challenge})
        return caller


def _check_size(scope: Scope) -> None:
    if len(scope.get("raw_path") or b"") > MOST_PATH_BYTES or len(scope["query_string"]) > MOST_PATH_BYTES:
        raise Problem(414, f"the path or the query has more than {MOST_PATH_BYTES} bytes")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADER_BYTES:
        raise Problem(431, f"the headers have more than {MOST_HEADER_BYTES} bytes")


def _token(headers: dict[bytes, bytes]) -> str:
    """From `Authorization: Bearer KEY`, `X-API-Key: KEY`, or a browser's Basic, whose password it is."""
    given = headers.get(b"authorization", b"").decode("latin-1")
    kind, _, value = given.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return headers.get(b"x-api-key", b"").decode("latin-1")


def _hosts(settings: Settings) -> frozenset[str]:
    """The names that a loopback server answers to: a page that points its own name here gets nothing."""
    if settings.auth == "off" and not settings.allowed_hosts:
        return frozenset()
    known: Iterable[Any] = (
        "localhost", "127.0.0.1", "[::1]", settings.host, *settings.allowed_hosts,
    )  # fmt: skip
    return frozenset(known)
