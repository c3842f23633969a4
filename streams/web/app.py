"""The API: `precompute api`, or `uvicorn streams.web.app:app --workers 4`."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response

from streams.contracts.errors import ConfigurationError
from streams.ops.logging import configure_logging
from streams.ops.metrics import BUILD_INFO
from streams.settings import Settings, load_settings
from streams.version import VERSION
from streams.web import cache_routes, event_routes, operation_routes
from streams.web.limits import BodyLimit
from streams.web.problems import install_problems
from streams.web.responses import json_response
from streams.web.services import WebServices

_log = structlog.get_logger(__name__)

BASE = "/api/precompute"


def create_app(settings: Settings) -> FastAPI:
    """The application; it connects when it starts. Raises `ConfigurationError` for an unsafe bind."""
    check_bind(settings)
    services = WebServices(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        configure_logging(settings, "api")
        BUILD_INFO.labels(VERSION, "api").set(1)
        await services.start()
        try:
            yield
        finally:
            await services.stop()

    app = FastAPI(
        title="precompute",
        version=VERSION,
        summary="Answers that exist before anyone asks.",
        lifespan=lifespan,
        openapi_url=f"{BASE}/openapi.json",
        docs_url=f"{BASE}/docs",
        redoc_url=None,
    )
    app.state.services = services
    app.add_middleware(BodyLimit, most_bytes=settings.max_body_bytes)
    install_problems(app)
    for module in (event_routes, cache_routes, operation_routes):
        app.include_router(module.router, prefix=BASE)
    _add_probes(app, services)
    return app


def check_bind(settings: Settings) -> None:
    """Without keys the API listens on loopback only, unless somebody says that this is meant."""
    try:
        is_loopback = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        is_loopback = settings.host == "localhost"
    if not is_loopback and settings.auth == "on":
        raise ConfigurationError(
            f"PRECOMPUTE_HOST={settings.host} is reachable from elsewhere and no key is asked for; "
            "listen on 127.0.0.1 behind your gateway, or set PRECOMPUTE_AUTH=off in a closed network"
        )


def _add_probes(app: FastAPI, services: WebServices) -> None:
    @app.get("/livez", include_in_schema=False)
    async def livez() -> dict[str, Any]:
        return {"ok": True}

    @app.get("/readyz", include_in_schema=False)
    async def readyz(_: Request) -> Response:
        problem = await services.redis_problem()
        failing = {"redis": problem} if problem else {}
        return json_response({"ok": not failing, "failing": failing}, status=503 if failing else 200)


def __getattr__(name: str) -> Any:
    """`app` is made when somebody asks for it: importing this module reads no settings."""
    if name == "app":
        return create_app(load_settings())
    raise AttributeError(name)
