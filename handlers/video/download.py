"""Fetching a remote video: resolve, check every address, connect to the checked one, count bytes and time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpcore

from handlers.context import MediaPolicy
from handlers.video.addresses import Address, is_public, resolve
from handlers.video.refusal import MISSING, OUTSIDE, TOO_LARGE, TOO_SLOW, UNREADABLE, refuse
from streams.contracts.outcomes import Reject, Retry

#: Seconds to wait for a connection or the next bytes; the whole is bounded by the policy.
STEP_TIMEOUT_S = 10.0
CHUNK_BYTES = 256 * 1024
_DEFAULT_PORTS = {"https": 443, "http": 80}

Resolver = Callable[[str, int], list[Address]]


class _DeadlineStream(httpcore.NetworkStream):
    """A stream none of whose waits outlasts the download's deadline, whatever drips."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def _left(self, timeout: float | None) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the download's time is over")
        return min(left, timeout or left)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._inner.start_tls(ssl_context, server_hostname, self._left(timeout))
        return _DeadlineStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class CheckedBackend(httpcore.SyncBackend):
    """Connects to addresses it has resolved and checked itself, so that a name cannot change in between."""

    def __init__(self, *, private_ok: bool, deadline: float, resolver: Resolver = resolve) -> None:
        self._private_ok = private_ok
        self._deadline = deadline
        self._resolver = resolver

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._resolver(host, port)
        if not addresses or not (self._private_ok or all(map(is_public, addresses))):
            raise refuse(OUTSIDE, f"{host} does not resolve to public addresses alone")
        left = max(0.1, self._deadline - time.monotonic())
        inner = super().connect_tcp(
            str(addresses[0]), port, min(left, timeout or left), local_address, socket_options
        )
        return _DeadlineStream(inner, self._deadline)


def download(
    url: str,
    target: Path,
    policy: MediaPolicy,
    *,
    headers: dict[str, str] | None = None,
    resolver: Resolver = resolve,
) -> None:
    """Writes the body of `url` to `target`, at most `max_download_bytes` in `max_download_s`.

    Raises `Reject` for what is not allowed or will not heal, `Retry` for a server that is away or busy.
    """
    parts = _check_address(url, policy)
    deadline = time.monotonic() + policy.max_download_s
    backend = CheckedBackend(
        private_ok=_is_listed(parts, policy.internal_hosts), deadline=deadline, resolver=resolver
    )
    timeouts = {"connect": STEP_TIMEOUT_S, "read": STEP_TIMEOUT_S, "write": STEP_TIMEOUT_S}
    sent = list(({"accept": "*/*"} | (headers or {})).items())
    try:
        with (
            httpcore.ConnectionPool(network_backend=backend, retries=0) as pool,
            pool.stream("GET", url, headers=sent, extensions={"timeout": timeouts}) as answer,
        ):
            _check_answer(answer, policy)
            _write(answer, target, policy, deadline)
    except Reject:
        raise
    except httpcore.TimeoutException as exc:
        raise refuse(TOO_SLOW, f"{parts.hostname} did not deliver in time") from exc
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as exc:
        raise Retry(f"uri: {parts.hostname} is not reachable: {type(exc).__name__}") from exc


def _check_address(url: str, policy: MediaPolicy) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as exc:
        raise refuse(OUTSIDE, "not an address") from exc
    internal = _is_listed(parts, policy.internal_hosts)
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not internal):
        raise refuse(OUTSIDE, f"{parts.scheme}:// is not read; use https")
    if parts.username is not None or parts.password is not None:
        raise refuse(OUTSIDE, "an address with a user name is not read")
    if not (internal or _is_listed(parts, policy.hosts)):
        raise refuse(OUTSIDE, f"host {parts.hostname} is not listed in PRECOMPUTE_MEDIA_HOSTS")
    return parts


def _is_listed(parts: SplitResult, hosts: tuple[str, ...]) -> bool:
    """`name` stands for the scheme's usual port, `name:port` for that port."""
    usual = _DEFAULT_PORTS.get(parts.scheme)
    port = parts.port or usual
    names = {f"{parts.hostname}:{port}"} | ({str(parts.hostname)} if port == usual else set())
    return any(host.lower() in names for host in hosts)


def _check_answer(answer: httpcore.Response, policy: MediaPolicy) -> None:
    if 300 <= answer.status < 400:
        raise refuse(OUTSIDE, "the server redirects; give the final address")
    if answer.status == 429 or answer.status >= 500:
        raise Retry(f"uri: the server answers {answer.status}")
    if answer.status != 200:
        raise refuse(MISSING, f"the server answers {answer.status}")
    for name, value in answer.headers:
        if name.lower() == b"content-length" and int(value) > policy.max_download_bytes:
            raise refuse(TOO_LARGE, f"{int(value)} bytes; at most {policy.max_download_bytes} are fetched")
        if name.lower() == b"content-encoding" and value.lower() != b"identity":
            raise refuse(UNREADABLE, "the server compresses the video; serve it as it is")


def _write(answer: httpcore.Response, target: Path, policy: MediaPolicy, deadline: float) -> None:
    size = 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in answer.iter_stream():
            size += len(chunk)
            if size > policy.max_download_bytes:
                raise refuse(TOO_LARGE, f"more than {policy.max_download_bytes} bytes")
            if time.monotonic() > deadline:
                raise refuse(TOO_SLOW, f"more than {policy.max_download_s:g} s")
            file.write(chunk)
