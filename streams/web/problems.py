"""Errors as RFC 9457 problem+json."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from streams.contracts.errors import CacheKeyError, ContractError, UnavailableError
from streams.web.responses import json_bytes

_log = structlog.get_logger(__name__)

#: Makes an HTML page of a request, a status and a detail.
ShowProblem = Callable[[Request, int, str], Response]

MEDIA_TYPE = "application/problem+json"
#: A detail quotes what the caller sent; not all of it.
LONGEST_DETAIL = 1000


class Problem(Exception):  # noqa: N818 (the RFC's word)
    """Raised in an endpoint; becomes the response."""

    def __init__(
        self, status: int, detail: str, *, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.extra = extra


def problem_response(
    status: int, detail: str, *, headers: dict[str, str] | None = None, **extra: Any
) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail[:LONGEST_DETAIL],
        "success": False,
        **extra,
    }
    return Response(json_bytes(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install_problems(app: FastAPI, show: ShowProblem) -> None:
    """Every error of an app leaves as problem+json, or as a page (`show`) where a person looks."""

    def respond(
        request: Request, status: int, detail: str, *, headers: dict[str, str] | None = None, **extra: Any
    ) -> Response:
        if request.url.path.startswith("/console") and "text/html" in request.headers.get("accept", ""):
            return show(request, status, detail[:LONGEST_DETAIL])
        return problem_response(status, detail, headers=headers, **extra)

    @app.exception_handler(Problem)
    async def on_problem(request: Request, exc: Problem) -> Response:
        return respond(request, exc.status, exc.detail, headers=exc.headers, **exc.extra)

    @app.exception_handler(CacheKeyError)
    async def on_key(request: Request, exc: CacheKeyError) -> Response:
        return respond(request, 400, str(exc), field=exc.field)

    @app.exception_handler(ContractError)
    async def on_contract(request: Request, exc: ContractError) -> Response:
        return respond(request, 422, str(exc), field=exc.field)

    @app.exception_handler(UnavailableError)
    async def on_unavailable(request: Request, exc: UnavailableError) -> Response:
        return respond(request, 503, str(exc), headers={"Retry-After": "1"})

    @app.exception_handler(RequestValidationError)
    async def on_validation(request: Request, exc: RequestValidationError) -> Response:
        errors = [
            {"field": ".".join(str(part) for part in error["loc"])[:200], "message": error["msg"]}
            for error in exc.errors()[:20]
        ]
        first = errors[0]
        status = 400 if exc.errors()[0]["type"] == "json_invalid" else 422
        return respond(request, status, f"{first['field']}: {first['message']}", errors=errors)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, exc: HTTPException) -> Response:
        return respond(request, exc.status_code, str(exc.detail), headers=dict(exc.headers or {}))

    @app.exception_handler(Exception)
    async def on_bug(request: Request, exc: Exception) -> Response:
        _log.error("a request failed", path=request.url.path, exc_info=exc)
        return respond(request, 500, "this is our fault; the log has it under the request's id")
