"""Serves the API until a signal ends it; ready when its port takes connections, not before."""

from __future__ import annotations

import socket

import uvicorn

from streams.settings import Settings
from streams.web.app import create_app


class ApiServer(uvicorn.Server):
    """Knows when it listens: the application starts before its port is open."""

    is_listening = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_listening = self.started

    def readiness(self) -> str | None:
        return None if self.is_listening else "the port is not open yet"


def serve(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT, when open requests have ended or their grace is over."""
    app = create_app(settings)
    server = ApiServer(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=int(settings.grace_s),
            server_header=False,
        )
    )
    app.state.services.health.add_ready("http", server.readiness)
    server.run()
    if not server.started:
        raise SystemExit(3)
