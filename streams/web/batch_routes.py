"""Batches over HTTP: NDJSON in, progress out."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from streams.cache.presence import living_workers
from streams.contracts.errors import ContractError
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import TaskCatalogue
from streams.web.access import services
from streams.web.batches import Batch, estimate, progress
from streams.web.callers import caller_of
from streams.web.examples import BATCH, example
from streams.web.problems import Problem
from streams.web.services import WebServices

router = APIRouter(tags=["batches"])

BatchId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
#: Lines with mistakes that one answer names.
MOST_ERRORS = 20

_NDJSON = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": '{"key": "ctr_prediction:video:v42"}\n{"task": "roas_prediction", "id": "c3"}\n',
            }
        },
    }
}


class _Row(msgspec.Struct):
    key: str | None = None
    task: str | None = None
    id: str | None = None


_row = msgspec.json.Decoder(_Row)


@router.post(
    "/batch",
    status_code=202,
    summary="Have many answers computed at leisure",
    response_model=None,
    responses={200: {"description": "dry_run: what it would cost"}, 202: example("taken in", BATCH)},
    openapi_extra=_NDJSON,
)
async def create(
    request: Request,
    *,
    dry_run: Annotated[bool, Query(description="only check the rows and estimate the cost")] = False,
    off_peak: Annotated[bool, Query(description="wait for the window PRECOMPUTE_OFF_PEAK")] = False,
) -> Response:
    """A line a row: `{"key": "task:entity:id"}` or `{"task": ..., "id": ...}`, up to 100,000 of them.

    Jobs are emitted at priority 5, as the queue empties; what is fresh is not computed again. A batch
    outlives the process that took it in: another goes on where it stopped.
    """
    web = services(request)
    keys = _parse(await request.body(), web.tasks, web.settings.max_batch_rows)

    async def act() -> tuple[int, dict[str, Any]]:
        cost = await _estimate(web, keys)
        if dry_run:
            return 200, {"success": True, "dry_run": True, "estimate": cost}
        batch = await web.batches.create(keys, by=caller_of(request).name, off_peak=off_peak)
        await web.audit.record(caller_of(request), "batch", batch.facts.id, f"{len(keys)} rows")
        return 202, {"success": True, "batch": progress(batch), "estimate": cost}

    return await web.idempotent.run(request, act)


@router.get("/batch", summary="The newest batches")
async def batches(request: Request, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    found = await services(request).batches.newest(limit)
    return {"success": True, "batches": [progress(batch) for batch in found]}


@router.get("/batch/{batch_id}", summary="How far a batch is")
async def batch(request: Request, batch_id: BatchId) -> dict[str, Any]:
    web = services(request)
    found = await _find(web, batch_id)
    return {"success": True, "batch": progress(found, await web.batches.answered(found))}


@router.post("/batch/{batch_id}/cancel", summary="Emit no more of a batch's jobs")
async def cancel(request: Request, batch_id: BatchId) -> dict[str, Any]:
    web = services(request)
    found = await _find(web, batch_id)
    if not found.is_open:
        raise Problem(409, f"the batch is {found.state}; its jobs are cancelled one by one")
    await web.batches.cancel(found)
    await web.audit.record(caller_of(request), "cancel batch", batch_id, f"{found.emitted} rows were emitted")
    return {"success": True, "batch": progress(await _find(web, batch_id))}


async def _find(web: WebServices, batch_id: str) -> Batch:
    found = await web.batches.find(batch_id)
    if found is None:
        raise Problem(404, "no batch of that id; batches are kept for a week")
    return found


async def _estimate(web: WebServices, keys: list[CacheKey]) -> dict[str, Any]:
    tasks: dict[str, int] = {}
    for key in keys:
        tasks[key.task] = tasks.get(key.task, 0) + 1
    slots = sum(worker.slots for worker in await living_workers(web.redis, web.names))
    return estimate(tasks, await web.statistics.costs(), slots)


def _parse(body: bytes, tasks: TaskCatalogue, most: int) -> list[CacheKey]:
    keys: list[CacheKey] = []
    errors: list[dict[str, Any]] = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.strip():
            continue
        if len(keys) >= most:
            raise Problem(413, f"a batch has at most {most} rows (PRECOMPUTE_MAX_BATCH_ROWS)")
        try:
            keys.append(_key(_row.decode(line), tasks))
        except (msgspec.DecodeError, ContractError, UnicodeDecodeError, RecursionError) as exc:
            errors.append({"line": number, "message": str(exc)[:300]})
            if len(errors) >= MOST_ERRORS:
                break
    if errors:
        first = errors[0]
        raise Problem(422, f"line {first['line']}: {first['message']}", errors=errors)
    if not keys:
        raise Problem(422, 'no rows; a line reads {"key": "ctr_prediction:video:v42"}')
    return list(dict.fromkeys(keys))


def _key(row: _Row, tasks: TaskCatalogue) -> CacheKey:
    if row.key is not None:
        return CacheKey.parse(row.key, tasks)
    if row.task is None or row.id is None:
        raise ContractError("a row has a key, or a task and an id")
    return CacheKey.of(row.task, row.id, tasks)
