"""Reading, invalidating and refreshing answers."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request
from fastapi.responses import Response

from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Priority, Why
from streams.contracts.keys import CacheKey, KeyPattern
from streams.contracts.results import Envelope, State
from streams.ops.metrics import CACHE_READ, CACHE_REQUESTS
from streams.web.models import InvalidateBody, RefreshBody
from streams.web.problems import Problem
from streams.web.responses import envelope_body, envelope_headers, json_response
from streams.web.services import WebServices
from streams.web.waiting import TooManyWaitersError

router = APIRouter(tags=["cache"])

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,6})(?:$|[,;\s])", re.IGNORECASE)


def services(request: Request) -> WebServices:
    found: WebServices = request.app.state.services
    return found


@router.get("/cache/{key:path}", summary="Read an answer")
async def read_answer(
    request: Request,
    key: str,
    on_miss: Annotated[str | None, Query(pattern="^compute$")] = None,
    prefer: Annotated[str | None, Header(max_length=256)] = None,
    if_none_match: Annotated[str | None, Header(max_length=256)] = None,
) -> Response:
    """200 with a fresh or stale answer; 404 on a miss or where the answer is unavailable.

    `?on_miss=compute` asks for a missing answer and gives 202 with where to look; `Prefer: wait=5` holds the
    request that many seconds for it.
    """
    web = services(request)
    cache_key = CacheKey.parse(key, web.tasks)
    with CACHE_READ.time():
        envelope = await _read(web, cache_key)
    waits = _wait_of(prefer, web.settings.max_wait_s)
    if envelope is None and (on_miss == "compute" or waits is not None):
        return await _compute(web, cache_key, waits)
    if envelope is None:
        raise Problem(
            404, f"no answer for {cache_key} yet; ?on_miss=compute asks for one", key=str(cache_key)
        )
    return _respond(envelope, if_none_match)


async def _read(web: WebServices, key: CacheKey) -> Envelope | None:
    try:
        envelope = await web.reader.read(key)
    except UnavailableError:
        CACHE_REQUESTS.labels(key.task, "error").inc()
        web.counters.add("cache_misses")
        raise
    result = "miss"
    if envelope is not None:
        result = "hit" if envelope.state is State.FRESH else envelope.state.value
    CACHE_REQUESTS.labels(key.task, result).inc()
    web.counters.add("cache_hits" if result in ("hit", "stale") else "cache_misses")
    return envelope


async def _compute(web: WebServices, key: CacheKey, waits: float | None) -> Response:
    cause = f"demand/{uuid.uuid4().hex}"
    jobs = await web.jobs.request([key], why=Why.DEMAND, priority=Priority.DEMAND, cause=cause)
    if not jobs:
        raise Problem(
            404,
            f"nothing is known of {key.entity} {key.entity_id}; publish its event first",
            key=str(key),
            reason="unknown_entity",
        )
    job = jobs[0]
    headers = {"Location": f"/api/precompute/jobs/{job.id}", "Retry-After": "1"}
    if waits is not None:
        try:
            envelope = await web.waiter.wait(key, waits)
        except TooManyWaitersError:
            envelope = None
        else:
            headers["Preference-Applied"] = f"wait={int(waits)}"
        if envelope is not None:
            return _respond(envelope, None, headers)
    body = {"success": True, "cached": False, "key": str(key), "job_id": job.id, "status": "queued"}
    return json_response(body, status=202, headers=headers)


def _respond(
    envelope: Envelope, if_none_match: str | None, headers: dict[str, str] | None = None
) -> Response:
    if envelope.state is State.UNAVAILABLE:
        raise Problem(
            404,
            envelope.message or "this answer is not available",
            key=envelope.key,
            state=envelope.state.value,
            reason=envelope.reason,
        )
    cached = envelope_headers(envelope, datetime.now(UTC)) | (headers or {})
    if if_none_match is not None and f'"{envelope.etag}"' in if_none_match:
        return Response(status_code=304, headers=cached)
    return json_response({"success": True, "cached": True, **envelope_body(envelope)}, headers=cached)


def _wait_of(prefer: str | None, longest_s: float) -> float | None:
    """The seconds of `Prefer: wait=n` (RFC 7240), at most what the settings allow."""
    found = _WAIT.search(prefer) if prefer else None
    return min(float(found.group(1)), longest_s) if found else None


@router.delete("/cache", summary="Invalidate answers by pattern")
async def invalidate(
    request: Request,
    body: Annotated[InvalidateBody | None, Body()] = None,
    pattern: Annotated[str | None, Query(max_length=512)] = None,
    confirm: Annotated[bool, Query()] = False,  # noqa: FBT002 (FastAPI's way to declare a query)
) -> dict[str, Any]:
    """`task:*`, `task:entity:*`, `*:entity:id` or an exact key; a bare `*` needs `confirm=true`."""
    web = services(request)
    text = body.pattern if body is not None else pattern
    if text is None:
        raise Problem(400, "name a pattern, in the body or as ?pattern=", field="pattern")
    parsed = KeyPattern.parse(text, web.tasks)
    if parsed.is_everything and not (confirm or (body is not None and body.confirm)):
        raise Problem(400, "* invalidates every answer; say confirm=true if you mean it", field="confirm")
    count = await web.invalidator.invalidate(parsed)
    web.counters.add("cache_invalidations", count)
    return {"success": True, "invalidated": count, "pattern": text}


@router.post("/refresh/{task_type}", status_code=202, summary="Compute a task's answers again")
async def refresh(
    request: Request, task_type: str, body: Annotated[RefreshBody | None, Body()] = None
) -> dict[str, Any]:
    """At priority 3, for the answers that pass the filters; all of the task's where none is given."""
    web = services(request)
    spec = web.tasks.require(task_type)
    jobs = await web.refresher.refresh(spec, (body or RefreshBody()).filters)
    return {"success": True, "task_type": task_type, "tasks_queued": len(jobs)}
