"""What the fleet does: metrics, queues, jobs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request

from streams.cache.ledger import JobRecord
from streams.contracts.results import timestamp
from streams.contracts.states import Status
from streams.web.cache_routes import services
from streams.web.problems import Problem

router = APIRouter(tags=["operations"])


@router.get("/metrics", summary="The fleet's counters")
async def metrics(request: Request) -> dict[str, Any]:
    return {"success": True, "metrics": await services(request).statistics.metrics()}


@router.get("/queue", summary="Waiting jobs by task and by priority")
async def queue(request: Request) -> dict[str, Any]:
    return {"success": True, **await services(request).statistics.queue()}


@router.get("/jobs", summary="The newest jobs")
async def jobs(
    request: Request,
    status: Annotated[list[Status] | None, Query()] = None,
    task: Annotated[list[str] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=0, description="`next` of the page before")] = None,
) -> dict[str, Any]:
    web = services(request)
    tasks = [web.tasks.require(name).name for name in task] if task else list(web.tasks)
    found = await web.ledger.newest(
        statuses=status or list(Status), tasks=tasks, limit=limit, before_ms=before
    )
    following = found[-1].at if len(found) == limit else None
    return {"success": True, "jobs": [_shown(record) for record in found], "next": following}


@router.get("/jobs/{job_id}", summary="A job's timeline")
async def job(request: Request, job_id: str) -> dict[str, Any]:
    record = await services(request).ledger.job(job_id)
    if record is None:
        raise Problem(404, "no job of that id; timelines are kept for a day")
    return {"success": True, "job": _shown(record)}


def _shown(record: JobRecord) -> dict[str, Any]:
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
