"""/livez, /readyz and /metrics of a role, served from a thread so that a stuck event loop still answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
import structlog
from prometheus_client import REGISTRY, make_wsgi_app

from streams.contracts.clock import SYSTEM_CLOCK, Clock
from streams.contracts.errors import ConfigurationError
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)

#: Answers None where all is well, else a sentence for the person who is looking.
Check = Callable[[], str | None]

#: A loop that has not come round for so long does no work; an orchestrator should restart the process.
STUCK_AFTER_S = 30.0


class Health:
    """Named checks. Live: the process makes progress. Ready: it can do its work now."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._live: dict[str, Check] = {"event_loop": self._loop_turns}
        self._ready: dict[str, Check] = {}
        self._turned = clock.monotonic()

    def add_live(self, name: str, check: Check) -> None:
        self._live[name] = check

    def add_ready(self, name: str, check: Check) -> None:
        self._ready[name] = check

    def beat(self) -> None:
        """Called by the event loop once a second."""
        self._turned = self._clock.monotonic()

    def live(self) -> dict[str, str]:
        """The failing checks by name; empty where the process is alive."""
        return _failing(self._live)

    def ready(self) -> dict[str, str]:
        """The failing checks by name; empty where the process can work. Not live is not ready."""
        return _failing(self._live) | _failing(self._ready)

    def _loop_turns(self) -> str | None:
        silent = self._clock.monotonic() - self._turned
        return None if silent < STUCK_AFTER_S else f"the event loop has been stuck for {silent:.0f} s"


def _failing(checks: dict[str, Check]) -> dict[str, str]:
    return {name: reason for name, check in checks.items() if (reason := _ask(check)) is not None}


def _ask(check: Check) -> str | None:
    try:
        return check()
    except Exception as exc:  # noqa: BLE001 (a check that breaks is a finding, not a broken probe)
        return f"the check itself failed: {exc!r}"


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the library's name)
        """Probes every few seconds are not worth a line."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class HealthServer(BackgroundService):
    """Serves a role's health and metrics on a port of its own, and keeps the loop's heartbeat."""

    def __init__(self, health: Health, host: str, port: int, *, may_be_taken: bool = False) -> None:
        """`may_be_taken`: several processes share the setting (uvicorn's workers); the first one serves."""
        super().__init__()
        self._may_be_taken = may_be_taken
        self._health = health
        self._host = host
        self._port = port
        self._metrics = make_wsgi_app(REGISTRY)
        self._server: WSGIServer | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one the system chose where the setting is 0."""
        return self._server.server_port if self._server is not None else self._port

    async def on_start(self) -> None:
        try:
            server = make_server(
                self._host, self._port, self._answer, server_class=_Server, handler_class=_QuietHandler
            )
        except OSError as exc:
            if self._may_be_taken:
                _log.warning("another process serves the metrics port", port=self._port)
                return
            raise ConfigurationError(
                f"cannot listen on {self._host}:{self._port} ({exc.strerror}); "
                "set PRECOMPUTE_METRICS_PORT to a free port, or to 0 for any"
            ) from exc
        self._server = server
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        self.spawn(self._beat(), "heartbeat")

    async def on_stop(self) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.shutdown)
            self._server.server_close()

    async def _beat(self) -> None:
        while True:
            self._health.beat()
            await asyncio.sleep(1.0)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            return self._metrics(environ, start_response)  # type: ignore[no-any-return]
        if path not in ("/livez", "/readyz"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics, /livez or /readyz\n"]
        failing = self._health.live() if path == "/livez" else self._health.ready()
        status = "200 OK" if not failing else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json")])
        return [orjson.dumps({"ok": not failing, "failing": failing})]
