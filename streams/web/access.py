"""How endpoints reach the services."""

from __future__ import annotations

from fastapi import Request

from streams.web.services import WebServices


def services(request: Request) -> WebServices:
    found: WebServices = request.app.state.services
    return found
