"""Connections that are kept between requests: who closes them, and when."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from precompute import Precomputer
from streams.contracts.errors import UnavailableError
from streams.settings import Settings
from streams.web.serving import ApiServer, server_config
from tests.support.eventually import eventually

REQUEST = b"GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
STATS = b'{"success": true, "queue_stats": {"total": 3}}'
#: What nginx (`keepalive_timeout` of an upstream) and the usual cloud load balancers keep.
LONGEST_OF_CLIENTS_S = 60


class Application:
    """Answers at once, or under `/slow` when it is told to."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        if scope["path"] == "/slow":
            self.is_asked.set()
            await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def application() -> Application:
    return Application()


@pytest.fixture
async def server(application: Application, settings: Settings) -> AsyncIterator[ApiServer]:
    config = server_config(application, settings)
    config.lifespan = "off"
    running = ApiServer(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(running.serve([listening]))
        await eventually(lambda: running.is_listening)
        yield running
        application.may_answer.set()
        running.should_exit = True
        await serving


@pytest.fixture
def settings() -> Settings:
    return Settings(host="127.0.0.1", grace_s=10)


def test_the_server_keeps_a_connection_for_longer_than_its_clients(settings: Settings) -> None:
    """With equal times a client sends a request just as the server closes: it gets no response."""
    kept_s = server_config(Application(), settings).timeout_keep_alive
    assert kept_s > LONGEST_OF_CLIENTS_S
    assert kept_s > (httpx.Limits().keepalive_expiry or 0)


async def test_a_server_that_ends_answers_what_is_open_and_closes_what_is_idle(
    server: ApiServer, application: Application
) -> None:
    port = server.servers[0].sockets[0].getsockname()[1]
    idle, to_idle = await asyncio.open_connection("127.0.0.1", port)
    to_idle.write(REQUEST % b"")
    assert b"close" not in await idle.readuntil(b"\r\n\r\n")
    busy, to_busy = await asyncio.open_connection("127.0.0.1", port)
    to_busy.write(REQUEST % b"slow")
    await application.is_asked.wait()

    server.should_exit = True

    assert await idle.read() == b""
    application.may_answer.set()
    answer = await busy.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer.lower()
    to_idle.close()
    to_busy.close()


class ClosingServer:
    """Answers the first request of its first connection, and closes it when the second one has come."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections = 0
        self._threads = ThreadPoolExecutor(1)
        self._serving: Future[None] = self._threads.submit(self._serve)

    def close(self) -> None:
        # Wakes the accept, which a plain close does not.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._serving.result(timeout=10)
        self._threads.shutdown()

    def _serve(self) -> None:
        for requests in (2, 1):
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                for number in range(requests):
                    if not connection.recv(65536):
                        break
                    if number == 0:
                        connection.sendall(ANSWER % (len(STATS), STATS))


@pytest.fixture
def closing_server() -> Iterator[ClosingServer]:
    server = ClosingServer()
    yield server
    server.close()


@pytest.fixture
def precomputer(closing_server: ClosingServer) -> Iterator[Precomputer]:
    with Precomputer(api_url=closing_server.url, redis_url="redis://127.0.0.1:1/0") as found:
        yield found


def test_what_only_reads_is_asked_again_over_a_new_connection(
    precomputer: Precomputer, closing_server: ClosingServer
) -> None:
    assert precomputer.get_queue_stats() == {"total": 3}
    assert precomputer.get_queue_stats() == {"total": 3}
    assert closing_server.connections == 2


@pytest.mark.parametrize(
    "act",
    [
        lambda one: one.on_user_login("u1"),
        lambda one: one.invalidate_cache("ctr_prediction:*"),
    ],
)
def test_what_changes_something_is_not_sent_twice(
    precomputer: Precomputer, closing_server: ClosingServer, act: Callable[[Precomputer], object]
) -> None:
    precomputer.get_queue_stats()
    with pytest.raises(UnavailableError):
        act(precomputer)
    assert closing_server.connections == 1
