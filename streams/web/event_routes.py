"""Events over HTTP, for services that do not speak Kafka."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request

from streams.contracts.events import EventType
from streams.contracts.jobs import Job
from streams.web.cache_routes import services
from streams.web.models import CampaignBody, LoginBody, PredictBody, VideoBody

router = APIRouter(tags=["events"])


@router.post("/video", status_code=202, summary="A video was uploaded")
async def upload_video(request: Request, body: VideoBody) -> dict[str, Any]:
    data = {**body.video_data, "video_id": body.video_id}
    jobs = await services(request).events.publish(EventType.VIDEO_UPLOADED, body.user_id, data)
    return {"success": True, "video_id": body.video_id, **_queued(jobs)}


@router.post("/campaign", status_code=202, summary="A campaign was created")
async def create_campaign(request: Request, body: CampaignBody) -> dict[str, Any]:
    data = {**body.campaign_data, "campaign_id": body.campaign_id}
    jobs = await services(request).events.publish(EventType.CAMPAIGN_CREATED, body.user_id, data)
    return {"success": True, "campaign_id": body.campaign_id, **_queued(jobs)}


@router.post("/login", status_code=202, summary="A user logged in")
async def log_in(request: Request, body: LoginBody) -> dict[str, Any]:
    """`predicted_actions` are those known now; the log-in itself will move them."""
    web = services(request)
    account = body.user_data.get("account", body.user_data or None)
    jobs = await web.events.publish(EventType.USER_LOGGED_IN, body.user_id, {"account": account})
    found = await web.mirror.predictions(body.user_id)
    predicted = [msgspec.structs.asdict(one) for one in found.predictions] if found else []
    return {"success": True, "user_id": body.user_id, **_queued(jobs), "predicted_actions": predicted}


@router.post("/predict-actions", summary="What a user will do next")
async def predict_actions(request: Request, body: PredictBody) -> dict[str, Any]:
    """The latest predictions, and for each whether it was acted on, or why not."""
    found = await services(request).mirror.predictions(body.user_id)
    predicted = [msgspec.structs.asdict(one) for one in found.predictions] if found else []
    answer: dict[str, Any] = {"success": True, "user_id": body.user_id, "predictions": predicted}
    if found is not None:
        answer |= {"model_version": found.model_version, "predicted_at": found.predicted_at}
    return answer


def _queued(jobs: list[Job]) -> dict[str, Any]:
    return {"task_ids": [job.id for job in jobs], "tasks_queued": len(jobs)}
