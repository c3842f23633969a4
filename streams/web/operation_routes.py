"""What the fleet does: metrics, queues, workers, and what people did to it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request

from streams.cache.presence import living_workers
from streams.contracts.results import timestamp
from streams.web.access import services
from streams.web.callers import caller_of

router = APIRouter(tags=["operations"])

WorkerId = Annotated[str, Path(pattern=r"^(\*|[A-Za-z0-9._-]{1,200})$")]


@router.get("/metrics", summary="The fleet's counters")
async def metrics(request: Request) -> dict[str, Any]:
    """Since installation, and over the last hour; times in seconds, the hit rate in per cent."""
    return {"success": True, "metrics": await services(request).statistics.metrics()}


@router.get("/queue", summary="Waiting jobs by task and by priority")
async def queue(request: Request) -> dict[str, Any]:
    return {"success": True, **await services(request).statistics.queue()}


@router.get("/workers", summary="The living workers")
async def workers(request: Request) -> dict[str, Any]:
    web = services(request)
    found = await living_workers(web.redis, web.names)
    return {"success": True, "workers": [msgspec.structs.asdict(one) for one in found]}


@router.post("/workers/{worker_id}/quiet", summary="Ask a worker to start nothing")
async def quiet(request: Request, worker_id: WorkerId) -> dict[str, Any]:
    """`*` asks all of them. It finishes what it has in hand; heard within seconds."""
    await services(request).operations.quiet(caller_of(request), worker_id, quiet=True)
    return {"success": True, "worker": worker_id, "quiet": True}


@router.post("/workers/{worker_id}/resume", summary="Let a quiet worker go on")
async def resume(request: Request, worker_id: WorkerId) -> dict[str, Any]:
    await services(request).operations.quiet(caller_of(request), worker_id, quiet=False)
    return {"success": True, "worker": worker_id, "quiet": False}


@router.get("/audit", summary="What people did, newest first")
async def audit(request: Request, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> dict[str, Any]:
    entries = await services(request).audit.newest(limit)
    shown = [{**msgspec.structs.asdict(entry), "at": timestamp(entry.at)} for entry in entries]
    return {"success": True, "entries": shown}
