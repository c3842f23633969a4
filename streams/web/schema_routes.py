"""JSON Schemas of events and results, as this installation knows them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from handlers.registry import load_handlers
from handlers.schemas import result_schemas
from streams.contracts.schemas import event_schemas, plain_schema, structured_schema
from streams.web.access import services
from streams.web.problems import Problem
from streams.web.responses import json_response

router = APIRouter(tags=["schemas"])

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,128}$", examples=["video.uploaded"])]

#: The types do not change while a process runs: a reader may keep what it got for an hour.
CACHED = {"Cache-Control": "private, max-age=3600"}


@router.get("/schemas/events/", summary="The event types", response_model=None)
async def event_names(request: Request) -> Response:
    """Types of events, and `plain` and `structured` for a whole event in either mode."""
    return json_response({"success": True, "schemas": sorted(_events(request))}, headers=CACHED)


@router.get("/schemas/events/{name}", summary="The JSON Schema of an event", response_model=None)
async def event(request: Request, name: Name) -> Response:
    """Of an event type's data; `plain` and `structured` are those of a whole event."""
    return _respond(_events(request), name, "event type")


@router.get("/schemas/results/", summary="The task types that have a result", response_model=None)
async def result_names(request: Request) -> Response:
    return json_response({"success": True, "schemas": sorted(_results(request))}, headers=CACHED)


@router.get("/schemas/results/{name}", summary="The JSON Schema of a task's result", response_model=None)
async def result(request: Request, name: Name) -> Response:
    """Of `result` in an answer; task types of your own included."""
    return _respond(_results(request), name, "task type")


def _respond(schemas: dict[str, dict[str, Any]], name: str, kind: str) -> Response:
    found = schemas.get(name)
    if found is None:
        raise Problem(404, f"no {kind} {name}; known are {', '.join(sorted(schemas))}", field="name")
    return json_response(found, headers=CACHED)


def _events(request: Request) -> dict[str, dict[str, Any]]:
    state = request.app.state
    if not hasattr(state, "event_schemas"):
        wholes = {"plain": plain_schema(), "structured": structured_schema()}
        state.event_schemas = {**event_schemas(), **wholes}
    made: dict[str, dict[str, Any]] = state.event_schemas
    return made


def _results(request: Request) -> dict[str, dict[str, Any]]:
    state = request.app.state
    if not hasattr(state, "result_schemas"):
        # Its modules are imported already: this only looks them up once more.
        state.result_schemas = result_schemas(load_handlers(services(request).settings.handler_modules))
    made: dict[str, dict[str, Any]] = state.result_schemas
    return made
