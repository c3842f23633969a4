"""Live parts of pages, as server-sent events: the same HTML that the page has, again every two seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from streams.cache.presence import living_workers
from streams.contracts.errors import UnavailableError
from streams.web.access import services
from streams.web.callers import Scope, caller_of
from streams.web.console.overview import overview
from streams.web.console.rendering import HEADERS, fragment
from streams.web.problems import Problem
from streams.web.services import WebServices

router = APIRouter(prefix="/console", include_in_schema=False)

EVERY_S = 2.0
#: A stream ends after this and the browser comes again: a stopping process need not wait for it.
LASTS_S = 20.0
MOST_STREAMS = 50


class LiveRegions:
    """Each region is rendered once for all who look at it."""

    def __init__(self) -> None:
        self.streams = 0
        self._kept: dict[tuple[str, bool], tuple[str, float]] = {}

    async def html(self, web: WebServices, name: str, *, may_act: bool) -> str:
        now = asyncio.get_running_loop().time()
        kept = self._kept.get((name, may_act))
        if kept is not None and now - kept[1] < EVERY_S / 2:
            return kept[0]
        html = await _REGIONS[name](web, may_act)
        self._kept[name, may_act] = (html, now)
        return html


async def _overview(web: WebServices, _may_act: bool) -> str:  # noqa: FBT001 (as the others)
    return fragment("part_overview.html", data=await overview(web))


async def _workers(web: WebServices, may_act: bool) -> str:  # noqa: FBT001 (as the others)
    found = await living_workers(web.redis, web.names)
    return fragment("part_workers.html", workers=found, may_act=may_act)


_REGIONS: dict[str, Callable[[WebServices, bool], Awaitable[str]]] = {
    "overview": _overview,
    "workers": _workers,
}


@router.get("/live/{name}")
async def live(request: Request, name: Literal["overview", "workers"]) -> StreamingResponse:
    regions: LiveRegions = request.app.state.live_regions
    if regions.streams >= MOST_STREAMS:
        raise Problem(
            503, "too many consoles are live; this one stays as it is", headers={"Retry-After": "30"}
        )
    web = services(request)
    may_act = caller_of(request).may(Scope.OPERATE) and not web.settings.read_only
    events = _events(regions, web, name, may_act=may_act)
    headers: dict[str, Any] = {**HEADERS, "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _events(regions: LiveRegions, web: WebServices, name: str, *, may_act: bool) -> AsyncIterator[str]:
    regions.streams += 1
    try:
        yield "retry: 1000\n\n"
        for _ in range(int(LASTS_S / EVERY_S)):
            try:
                html = await regions.html(web, name, may_act=may_act)
            except UnavailableError as exc:
                yield f"event: away\ndata: {str(exc).splitlines()[0]}\n\n"
            else:
                yield "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
            await asyncio.sleep(EVERY_S)
    finally:
        regions.streams -= 1
