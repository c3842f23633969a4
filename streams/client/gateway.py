"""Asking for answers: the client has no Kafka, so the API enqueues for it."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import msgspec

from streams.contracts.errors import ConfigurationError, PrecomputeError, UnavailableError

#: Requests at once; asking is rare, reading is not done here.
THREADS = 4
TIMEOUT_S = 5.0
PATH = "/api/precompute/demand"


class DemandError(PrecomputeError):
    """The API refused; the message is its problem's detail."""


class Asked(msgspec.Struct, frozen=True):
    """What became of one key: a job's id, or None and why not."""

    key: str
    job_id: str | None = None
    reason: str | None = None


class _Answer(msgspec.Struct):
    jobs: list[Asked]


class ApiGateway:
    """Blocking HTTP of the standard library, in threads of its own, one kept connection each."""

    def __init__(self, api_url: str, api_key: str | None) -> None:
        parts = urlsplit(api_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"api_url {api_url!r} is not http://host:port or https://host")
        self._parts = parts
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="precompute-demand")
        self._local = threading.local()

    async def ask(self, keys: Sequence[str], *, refresh: bool, urgent: bool) -> list[Asked]:
        """`refresh`: again although there is an answer; `urgent`: somebody waits, the highest priority.

        Raises `UnavailableError` where no API answers, `DemandError` where it refuses.
        """
        body = msgspec.json.encode({"keys": list(keys), "refresh": refresh, "urgent": urgent})
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._post, body)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _post(self, body: bytes) -> list[Asked]:
        try:
            status, data = self._send(body)
        except (OSError, http.client.HTTPException) as exc:
            self._drop()
            raise UnavailableError(f"no API answers at {self._parts.netloc}: {exc}") from exc
        if status == 503:
            raise UnavailableError(_detail(status, data))
        if status >= 400:
            raise DemandError(_detail(status, data))
        return msgspec.json.decode(data, type=_Answer).jobs

    def _send(self, body: bytes) -> tuple[int, bytes]:
        for attempt in (1, 2):
            connection = self._connection()
            try:
                connection.request("POST", self._parts.path.rstrip("/") + PATH, body, self._headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (ConnectionError, http.client.RemoteDisconnected):
                # A kept connection may have been closed meanwhile; asking twice is harmless.
                self._drop()
                if attempt == 2:
                    raise
        raise AssertionError

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            kind: Any = (
                http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            )
            found = kind(self._parts.hostname, self._parts.port, timeout=TIMEOUT_S)
            self._local.connection = found
        return found

    def _drop(self) -> None:
        found = getattr(self._local, "connection", None)
        if found is not None:
            found.close()
            self._local.connection = None


def _detail(status: int, data: bytes) -> str:
    try:
        return str(msgspec.json.decode(data)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the API answered {status}"
