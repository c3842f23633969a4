"""How good predictions are, and what they are worth."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from streams.web.access import services

router = APIRouter(tags=["predictor"])


@router.get("/predictor", summary="How good predictions are, and what they are worth")
async def predictor(request: Request) -> dict[str, Any]:
    """Per model version: share right, log-loss in nats, calibration; and what precomputing saved and wasted.

    `lift` is the hit rate of treated readers minus that of held-out ones, with its 95 % interval; null before
    both were read.
    """
    return {"success": True, **await services(request).forecast.status()}
