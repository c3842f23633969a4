"""Serves the API until a signal ends it; ready when its port takes connections, not before."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

from streams.settings import Settings
from streams.web.app import create_app

#: Longer than the other end keeps an idle connection: httpx 5 s, nginx and cloud load balancers 60 s. Where
#: both stop at the same second (5 s is uvicorn's own), a request that is just being sent gets no response.
KEEP_ALIVE_S = 75


class ApiServer(uvicorn.Server):
    """Knows when it listens: the application starts before its port is open."""

    is_listening = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_listening = self.started

    def readiness(self) -> str | None:
        return None if self.is_listening else "the port is not open yet"


def server_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.grace_s),
        server_header=False,
    )


def serve(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT, when open requests have ended or their grace is over."""
    app = create_app(settings)
    server = ApiServer(server_config(app, settings))
    app.state.services.health.add_ready("http", server.readiness)
    server.run()
    if not server.started:
        raise SystemExit(3)
