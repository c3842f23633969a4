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
    both were read. `training_wanted_since` (ms) says that the log-loss has risen since this model serves;
    `shadow` compares the newest version with it on the same events; `load` (0 to 1) makes acting dearer.
    """
    return {"success": True, **await services(request).forecast.status()}
