"""/livez and /readyz of the API, on its own port: what a load balancer asks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import Response

from streams.cache.memory import read_memory
from streams.contracts.errors import UnavailableError
from streams.web.responses import json_response
from streams.web.services import WebServices


def add_probes(app: FastAPI, services: WebServices) -> None:
    @app.get("/livez", include_in_schema=False)
    async def livez() -> dict[str, Any]:
        return {"ok": True}

    @app.get("/readyz", include_in_schema=False)
    async def readyz(*, verbose: Annotated[bool, Query()] = False) -> Response:
        """Reads need Redis alone, and a full one answers them.

        `?verbose=true` tells of Kafka and of Redis's memory as well, and changes nothing about ready.
        """
        problem = await services.redis_problem()
        failing = {"redis": problem} if problem else {}
        body: dict[str, Any] = {"ok": not failing, "failing": failing}
        if verbose:
            body["kafka"] = await services.kafka_problem() or "answers"
            body["redis_memory"] = await _memory(services)
        return json_response(body, status=503 if failing else 200)


async def _memory(services: WebServices) -> str:
    try:
        memory = await read_memory(services.redis)
    except UnavailableError as exc:
        return str(exc)
    return memory.problem or str(memory)
