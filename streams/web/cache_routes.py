"""Reading, asking for, invalidating and refreshing answers."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response

from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.keys import CacheKey, KeyPattern
from streams.contracts.results import StoredResult
from streams.ops.tracing import TRACING
from streams.web.access import services
from streams.web.callers import caller_of
from streams.web.examples import ANSWER, ASKED, DEMANDED, INVALIDATED, READ_PARAMETERS, REFRESHED, example
from streams.web.models import DemandBody, InvalidateBody, RefreshBody
from streams.web.problems import Problem
from streams.web.responses import answer_body, answer_headers, is_usable, json_response, tag_matches
from streams.web.services import WebServices
from streams.web.waiting import TooManyWaitersError

router = APIRouter(tags=["cache"])

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,6})(?:$|[,;\s])", re.IGNORECASE)


@router.get(
    "/cache/{key:path}",  # noqa: FAST003 (the key is read by hand, in a tenth of the time)
    summary="Read an answer",
    response_model=None,
    responses={200: ANSWER, 202: DEMANDED, 304: {"description": "The tag in If-None-Match is still right"}},
    openapi_extra={"parameters": READ_PARAMETERS},
)
async def read_answer(request: Request) -> Response:
    """200 with a fresh or stale answer; 404 on a miss or where the answer is unavailable.

    `?on_miss=compute` asks for a missing answer and gives 202 with where to look; `Prefer: wait=5` holds the
    request that many seconds for it.
    """
    web = services(request)
    key = CacheKey.parse(request.path_params["key"], web.tasks)
    stored = await web.reads.read(key)
    if stored is not None:
        return _respond(request, stored)
    on_miss = request.query_params.get("on_miss")
    if on_miss not in (None, "compute"):
        raise Problem(422, "on_miss takes compute", field="on_miss")
    waits = _wait_of(request.headers.get("prefer"), web.settings.max_wait_s)
    if on_miss is None and waits is None:
        raise Problem(404, f"no answer for {key} yet; ?on_miss=compute asks for one", key=str(key))
    return await _compute(request, web, key, waits)


async def _compute(request: Request, web: WebServices, key: CacheKey, waits: float | None) -> Response:
    asked = (await web.demand.ask([key]))[0]
    if asked.job_id is None:
        raise Problem(
            404,
            f"nothing is known of {key.entity} {key.entity_id}; publish its event first",
            key=str(key),
            reason=asked.reason,
        )
    headers = {"Location": f"/api/precompute/jobs/{asked.job_id}", "Retry-After": "1"}
    if waits is not None:
        try:
            stored = await web.waiter.wait(str(key), waits)
        except TooManyWaitersError:
            stored = None
        else:
            headers["Preference-Applied"] = f"wait={int(waits)}"
        if stored is not None:
            return _respond(request, stored, headers)
    body = {"success": True, "cached": False, "key": str(key), "job_id": asked.job_id, "status": "queued"}
    return json_response(body, status=202, headers=headers)


def _respond(request: Request, stored: StoredResult, headers: dict[str, str] | None = None) -> Response:
    now_ms = millis(SYSTEM_CLOCK.now())
    if not is_usable(stored, now_ms):
        raise Problem(
            404,
            stored.message or "this answer is not available",
            key=stored.key,
            state="unavailable",
            reason=stored.reason,
        )
    if TRACING.on:
        TRACING.link(stored.traceparent)
    cached = answer_headers(stored, now_ms) | (headers or {})
    if_none_match = request.headers.get("if-none-match")
    if if_none_match is not None and tag_matches(if_none_match, cached["ETag"].strip('"')):
        return Response(status_code=304, headers=cached)
    return json_response(answer_body(stored, now_ms), headers=cached)


def _wait_of(prefer: str | None, longest_s: float) -> float | None:
    """The seconds of `Prefer: wait=n` (RFC 7240), at most what the settings allow."""
    found = _WAIT.search(prefer) if prefer else None
    return min(float(found.group(1)), longest_s) if found else None


@router.post(
    "/demand", status_code=202, summary="Ask for answers", responses={202: example("asked for", ASKED)}
)
async def demand(request: Request, body: DemandBody) -> dict[str, Any]:
    """Jobs for up to 1,000 keys; a key somebody asked for a moment ago joins that job.

    A key whose entity no event has named has no job, and `reason` says so.
    """
    web = services(request)
    keys = [CacheKey.parse(text, web.tasks) for text in dict.fromkeys(body.keys)]
    asked = await web.demand.ask(keys, refresh=body.refresh, urgent=body.urgent)
    return {"success": True, "jobs": msgspec.to_builtins(asked)}


@router.delete(
    "/cache", summary="Invalidate answers by pattern", responses={200: example("invalidated", INVALIDATED)}
)
async def invalidate(
    request: Request,
    body: Annotated[InvalidateBody | None, Body()] = None,
    pattern: Annotated[str | None, Query(max_length=512)] = None,
    confirm: Annotated[bool, Query()] = False,  # noqa: FBT002 (FastAPI's way to declare a query)
    dry_run: Annotated[bool, Query()] = False,  # noqa: FBT002 (as above)
) -> dict[str, Any]:
    """`task:*`, `task:entity:*`, `*:entity:id` or an exact key; a bare `*` needs `confirm=true`.

    `dry_run=true` counts what would go and changes nothing.
    """
    web = services(request)
    text = body.pattern if body is not None else pattern
    if text is None:
        raise Problem(400, "name a pattern, in the body or as ?pattern=", field="pattern")
    parsed = KeyPattern.parse(text, web.tasks)
    if dry_run:
        count = await web.invalidator.preview(parsed)
        return {"success": True, "invalidated": 0, "would_invalidate": count, "pattern": text}
    if parsed.is_everything and not (confirm or (body is not None and body.confirm)):
        raise Problem(400, "* invalidates every answer; say confirm=true if you mean it", field="confirm")
    count = await web.operations.invalidate(caller_of(request), parsed, text)
    return {"success": True, "invalidated": count, "pattern": text}


@router.post(
    "/refresh/{task_type}",
    status_code=202,
    summary="Compute a task's answers again",
    response_model=None,
    responses={202: example("queued", REFRESHED)},
)
async def refresh(
    request: Request, task_type: str, body: Annotated[RefreshBody | None, Body()] = None
) -> Response:
    """At priority 3, for the answers that pass the filters; all of the task's where none is given."""
    web = services(request)
    spec = web.tasks.require(task_type)

    async def act() -> tuple[int, dict[str, Any]]:
        count = await web.operations.refresh(caller_of(request), spec, (body or RefreshBody()).filters)
        return 202, {"success": True, "task_type": task_type, "tasks_queued": count}

    return await web.idempotent.run(request, act)
