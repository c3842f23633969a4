"""What the fleet does: metrics, queues, workers, and what people did to it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request

from streams.cache.presence import living_workers
from streams.contracts.results import timestamp
from streams.web.access import services

router = APIRouter(tags=["operations"])


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


@router.get("/audit", summary="What people did, newest first")
async def audit(request: Request, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> dict[str, Any]:
    entries = await services(request).audit.newest(limit)
    shown = [{**msgspec.structs.asdict(entry), "at": timestamp(entry.at)} for entry in entries]
    return {"success": True, "entries": shown}
