"""How endpoints reach the services, and the caller that the gate let in."""

from __future__ import annotations

from fastapi import Request

from streams.web.callers import ANYBODY, Caller
from streams.web.services import WebServices


def services(request: Request) -> WebServices:
    found: WebServices = request.app.state.services
    return found


def caller_of(request: Request) -> Caller:
    found: Caller = request.scope.get("precompute.caller", ANYBODY)
    return found
