"""Jobs: what became of them, once more, no more."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from streams.cache.job_search import JobFilter
from streams.cache.job_walk import JobCursor
from streams.cache.ledger import JobRecord
from streams.contracts.jobs import Why
from streams.contracts.results import timestamp
from streams.contracts.states import Status
from streams.contracts.tasks import TaskCatalogue
from streams.web.access import services
from streams.web.callers import caller_of
from streams.web.cursors import LONGEST, decode_cursor, encode_cursor
from streams.web.examples import CANCELLED, JOB, STOPPING, example
from streams.web.problems import Problem
from streams.web.responses import json_response

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$", examples=["5f0d3c1b9a7e8d6f4c2b1a09"])]
Text = Annotated[str, Query(max_length=400)]


@router.get("/jobs", summary="The newest jobs")
async def jobs(
    request: Request,
    *,
    status: Annotated[list[Status] | None, Query()] = None,
    task: Annotated[list[str] | None, Query()] = None,
    user: Text = "",
    why: Annotated[Why | None, Query()] = None,
    key: Text = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=LONGEST, description="`next` of the page before")] = None,
) -> dict[str, Any]:
    """Newest first. `next` leads to the following page; null at the end."""
    web = services(request)
    wanted = job_filter(web.tasks, status, task, user=user, why=why, key=key)
    after = decode_cursor(cursor, JobCursor) if cursor else None
    found, following = await web.search.page(wanted, limit=limit, after=after)
    return {
        "success": True,
        "jobs": [shown(record) for record in found],
        "next": encode_cursor(following) if following is not None else None,
    }


@router.post("/jobs/bulk/{action}", summary="Retry or cancel all jobs that match")
async def bulk(
    request: Request,
    action: Literal["retry", "cancel"],
    *,
    status: Annotated[list[Status] | None, Query()] = None,
    task: Annotated[list[str] | None, Query()] = None,
    user: Text = "",
    why: Annotated[Why | None, Query()] = None,
    key: Text = "",
    dry_run: Annotated[bool, Query()] = True,
) -> dict[str, Any]:
    """Up to 1,000 at once. Counts them and does nothing unless `dry_run=false`."""
    web = services(request)
    wanted = job_filter(web.tasks, status, task, user=user, why=why, key=key)
    count = await web.operations.bulk(caller_of(request), action, wanted, dry_run=dry_run)
    return {"success": True, "action": action, "dry_run": dry_run, "jobs": count}


@router.get("/jobs/{job_id}", summary="A job's timeline", responses={200: example("a job", JOB)})
async def job(request: Request, job_id: JobId) -> dict[str, Any]:
    record = await services(request).ledger.job(job_id)
    if record is None:
        raise Problem(404, "no job of that id; timelines are kept for a day")
    return {"success": True, "job": shown(record)}


@router.post("/jobs/{job_id}/retry", status_code=202, summary="Compute an ended job's answer again")
async def retry(request: Request, job_id: JobId) -> dict[str, Any]:
    """A new job at priority 9; 409 while the old one has not ended."""
    new = await services(request).operations.retry(caller_of(request), job_id)
    return {"success": True, "job_id": new.id, "key": new.key}


@router.post(
    "/jobs/{job_id}/cancel",
    summary="Do not run a job, or stop it",
    response_model=None,
    responses={200: example("cancelled", CANCELLED), 202: example("its worker stops it", STOPPING)},
)
async def cancel(request: Request, job_id: JobId) -> Response:
    """A queued job is cancelled at once. One that runs is stopped by its worker within seconds: 202, and its
    timeline tells. 409 for one that has ended. Readers who wait for it are told.
    """
    status = await services(request).operations.cancel(caller_of(request), job_id)
    body = {"success": True, "job_id": job_id, "status": status.value}
    return json_response(body, status=200 if status is Status.CANCELLED else 202)


def job_filter(
    tasks: TaskCatalogue,
    status: list[Status] | None,
    task: list[str] | None,
    *,
    user: str = "",
    why: Why | None = None,
    key: str = "",
) -> JobFilter:
    """Raises `CacheKeyError` for a task type that is not known."""
    return JobFilter(
        statuses=tuple(status or ()),
        tasks=tuple(tasks.require(name).name for name in task or ()),
        user_id=user,
        why=why.value if why is not None else "",
        key=key,
    )


def shown(record: JobRecord) -> dict[str, Any]:
    facts = msgspec.structs.asdict(record.facts)
    facts["created_at"] = timestamp(record.facts.created_at)
    last = record.timeline[-1]
    return {
        **facts,
        "status": record.status.value,
        "reason": last.reason or None,
        "at": timestamp(record.at),
        "timeline": [
            {**msgspec.structs.asdict(entry), "at": timestamp(entry.at)} for entry in record.timeline
        ],
    }
