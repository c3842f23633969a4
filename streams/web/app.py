"""The API: `precompute api`, or `uvicorn streams.web.app:app --workers 4`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI

from streams.contracts.errors import ConfigurationError
from streams.ops.logging import configure_logging
from streams.ops.metrics import BUILD_INFO
from streams.ops.tracing import TRACING, is_asked_for
from streams.settings import Settings, load_settings
from streams.version import VERSION
from streams.web import (
    batch_routes,
    cache_routes,
    event_routes,
    job_routes,
    letter_routes,
    operation_routes,
    predictor_routes,
    schema_routes,
)
from streams.web.console import actions, live, pages
from streams.web.console.rendering import problem_page
from streams.web.gate import Gate, asks_for_keys, is_loopback
from streams.web.limits import BodyLimit
from streams.web.openapi import install_openapi
from streams.web.probes import add_probes
from streams.web.problems import install_problems
from streams.web.services import WebServices
from streams.web.spans import RequestSpans

_log = structlog.get_logger(__name__)

BASE = "/api/precompute"
_ROUTES = (
    event_routes,
    cache_routes,
    operation_routes,
    job_routes,
    batch_routes,
    letter_routes,
    predictor_routes,
    schema_routes,
)


def create_app(settings: Settings) -> FastAPI:
    """The application; it connects when it starts. Raises `ConfigurationError` for an unsafe bind."""
    services = WebServices(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        configure_logging(settings, "api")
        BUILD_INFO.labels(VERSION, "api").set(1)
        await services.start()
        try:
            await check_access(settings, services)
            yield
        finally:
            await services.stop()
            TRACING.stop()

    app = FastAPI(
        title="precompute",
        version=VERSION,
        summary="Answers that exist before anyone asks.",
        lifespan=lifespan,
        openapi_url=f"{BASE}/openapi.json",
        # Its page loads scripts from elsewhere; the description itself is enough for any tool.
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    larger = {f"{BASE}/batch": settings.max_batch_bytes}
    app.add_middleware(BodyLimit, most_bytes=settings.max_body_bytes, larger=larger)
    app.add_middleware(Gate, settings=settings, keys=services.keys, tokens=services.tokens)
    if is_asked_for(os.environ):
        app.add_middleware(RequestSpans)
    install_problems(app, problem_page)
    install_openapi(app)
    for module in _ROUTES:
        app.include_router(module.router, prefix=BASE)
    # Where schema registries and publishers look; the same as below the base.
    app.include_router(schema_routes.router, include_in_schema=False)
    app.state.live_regions = live.LiveRegions()
    for part in (pages, actions, live):
        app.include_router(part.router)
    add_probes(app, services)
    return app


async def check_access(settings: Settings, services: WebServices) -> None:
    """Says who may call; raises `ConfigurationError` where nobody could, or anybody from anywhere."""
    if asks_for_keys(settings):
        keys = await services.keys.list()
        if not keys and not services.tokens.is_configured:
            raise ConfigurationError(
                f"PRECOMPUTE_HOST={settings.host} is reachable from elsewhere and there are no keys; "
                "make one with `precompute keys create`, or set PRECOMPUTE_AUTH=off in a closed network"
            )
        _log.info("keys are asked for", keys=len(keys))
    elif is_loopback(settings.host):
        _log.warning("no keys are asked for: this API is for this machine alone", host=settings.host)
    else:
        _log.warning("no keys are asked for (PRECOMPUTE_AUTH=off): anybody who gets here may do anything")


def __getattr__(name: str) -> Any:
    """`app` is made when somebody asks for it: importing this module reads no settings."""
    if name == "app":
        return create_app(load_settings())
    raise AttributeError(name)
