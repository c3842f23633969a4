"""Events over HTTP, for services that do not speak Kafka."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from streams.contracts.events import EventType
from streams.contracts.jobs import Job
from streams.web.access import services
from streams.web.examples import CREATED, LOGGED_IN, PREDICTED, UPLOADED, example
from streams.web.models import CampaignBody, LoginBody, PredictBody, VideoBody

router = APIRouter(tags=["events"])


@router.post(
    "/video",
    status_code=202,
    summary="A video was uploaded",
    response_model=None,
    responses={202: example("published", UPLOADED)},
)
async def upload_video(request: Request, body: VideoBody) -> Response:
    """Publishes `video.uploaded`; 202 once Kafka has it. `Idempotency-Key` makes a retry harmless."""
    data = {**body.video_data, "video_id": body.video_id}
    about = {"video_id": body.video_id}
    return await _publish(request, EventType.VIDEO_UPLOADED, body.user_id, data, about)


@router.post(
    "/campaign",
    status_code=202,
    summary="A campaign was created",
    response_model=None,
    responses={202: example("published", CREATED)},
)
async def create_campaign(request: Request, body: CampaignBody) -> Response:
    """Publishes `campaign.created`; 202 once Kafka has it."""
    data = {**body.campaign_data, "campaign_id": body.campaign_id}
    about = {"campaign_id": body.campaign_id}
    return await _publish(request, EventType.CAMPAIGN_CREATED, body.user_id, data, about)


@router.post(
    "/login",
    status_code=202,
    summary="A user logged in",
    response_model=None,
    responses={202: example("published", LOGGED_IN)},
)
async def log_in(request: Request, body: LoginBody) -> Response:
    """Publishes `user.logged_in`. `predicted_actions` are those known now; the log-in will move them."""
    account = body.user_data.get("account", body.user_data or None)
    found = await services(request).mirror.predictions(body.user_id)
    about = {"user_id": body.user_id, "predicted_actions": _predicted(found)}
    return await _publish(request, EventType.USER_LOGGED_IN, body.user_id, {"account": account}, about)


@router.post(
    "/predict-actions",
    summary="What a user will do next",
    responses={200: example("as predicted last", PREDICTED)},
)
async def predict_actions(request: Request, body: PredictBody) -> dict[str, Any]:
    """The latest predictions, and for each whether it was acted on, or why not."""
    found = await services(request).mirror.predictions(body.user_id)
    answer: dict[str, Any] = {"success": True, "user_id": body.user_id, "predictions": _predicted(found)}
    if found is not None:
        answer |= {"model_version": found.model_version, "predicted_at": found.predicted_at}
    return answer


async def _publish(
    request: Request, event_type: str, user_id: str, data: dict[str, Any], about: dict[str, Any]
) -> Response:
    web = services(request)

    async def act() -> tuple[int, dict[str, Any]]:
        jobs = await web.events.publish(event_type, user_id, data)
        return 202, {"success": True, **about, **_queued(jobs)}

    return await web.idempotent.run(request, act)


def _predicted(found: Any) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(one) for one in found.predictions] if found is not None else []


def _queued(jobs: list[Job]) -> dict[str, Any]:
    return {"task_ids": [job.id for job in jobs], "tasks_queued": len(jobs)}
