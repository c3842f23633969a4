"""Errors as RFC 9457 problem+json."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from streams.contracts.errors import CacheKeyError, ContractError, UnavailableError
from streams.web.responses import json_bytes

MEDIA_TYPE = "application/problem+json"


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
        "detail": detail,
        "success": False,
        **extra,
    }
    return Response(json_bytes(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install_problems(app: FastAPI) -> None:
    """Every error of an app leaves as problem+json."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, exc: Problem) -> Response:
        return problem_response(exc.status, exc.detail, headers=exc.headers, **exc.extra)

    @app.exception_handler(CacheKeyError)
    async def on_key(_: Request, exc: CacheKeyError) -> Response:
        return problem_response(400, str(exc), field=exc.field)

    @app.exception_handler(ContractError)
    async def on_contract(_: Request, exc: ContractError) -> Response:
        return problem_response(422, str(exc), field=exc.field)

    @app.exception_handler(UnavailableError)
    async def on_unavailable(_: Request, exc: UnavailableError) -> Response:
        return problem_response(503, str(exc), headers={"Retry-After": "1"})

    @app.exception_handler(RequestValidationError)
    async def on_validation(_: Request, exc: RequestValidationError) -> Response:
        errors = [
            {"field": ".".join(str(part) for part in error["loc"]), "message": error["msg"]}
            for error in exc.errors()
        ]
        first = errors[0]
        return problem_response(422, f"{first['field']}: {first['message']}", errors=errors)

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, exc: HTTPException) -> Response:
        return problem_response(exc.status_code, str(exc.detail), headers=dict(exc.headers or {}))
