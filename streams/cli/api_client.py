"""A thin client of the API for commands."""

from __future__ import annotations

import os
from typing import Any

import httpx

from streams.contracts.errors import PrecomputeError, UnavailableError
from streams.settings import load_settings

BASE = "/api/precompute"


class ApiError(PrecomputeError):
    """The API refused; the message is its problem's detail."""


def api_url() -> str:
    """`PRECOMPUTE_API_URL`, or where the settings say that the API listens."""
    settings = load_settings()
    return os.environ.get("PRECOMPUTE_API_URL") or f"http://{settings.host}:{settings.port}"


def call(method: str, path: str, *, timeout_s: float = 10.0, **options: Any) -> tuple[int, dict[str, Any]]:
    """Status and body; raises `UnavailableError` where no API answers."""
    url = f"{api_url()}{BASE}{path}"
    key = os.environ.get("PRECOMPUTE_API_KEY")
    if key:
        options["headers"] = {**options.get("headers", {}), "Authorization": f"Bearer {key}"}
    try:
        response = httpx.request(method, url, timeout=timeout_s, trust_env=False, **options)
        body: dict[str, Any] = response.json()
    except (httpx.HTTPError, ValueError) as exc:
        raise UnavailableError(
            f"no API answers at {api_url()} ({exc}); run `precompute api`, or set PRECOMPUTE_API_URL"
        ) from exc
    return response.status_code, body


def require(status: int, body: dict[str, Any]) -> dict[str, Any]:
    """The body of a success; raises `ApiError` with the problem's detail."""
    if status >= 400:
        raise ApiError(str(body.get("detail", f"the API answered {status}")))
    return body
