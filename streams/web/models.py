"""Request bodies, as OpenAPI shows them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]


class Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class VideoBody(Body):
    """A video was uploaded. `video_data` is the event's data: `uri` and more."""

    video_id: Identifier
    user_id: Identifier
    video_data: dict[str, Any] = Field(
        examples=[{"uri": "file:///media/ad.mp4", "title": "Summer sale", "duration_s": 15.0}]
    )


class CampaignBody(Body):
    """A campaign was created. `campaign_data` is the event's data: `brief` and more."""

    campaign_id: Identifier
    user_id: Identifier
    campaign_data: dict[str, Any] = Field(examples=[{"brief": "Half price until Sunday", "order_value": 40}])


class LoginBody(Body):
    """A user logged in. `user_data` may hold the `account` that dashboards are made of."""

    user_id: Identifier
    user_data: dict[str, Any] = Field(default_factory=dict)


class PredictBody(Body):
    user_id: Identifier


class Filters(Body):
    """Which answers of a task to refresh; all of them where nothing is given."""

    user_id: Identifier | None = None
    campaign_id: Identifier | None = None
    ids: list[Identifier] | None = Field(default=None, max_length=10_000)
    expiring_within_s: float | None = Field(default=None, gt=0)


class RefreshBody(Body):
    filters: Filters = Field(default_factory=Filters)


class InvalidateBody(Body):
    pattern: str = Field(max_length=512, examples=["ctr_prediction:*"])
    confirm: bool = False
