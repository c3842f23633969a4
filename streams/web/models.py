"""Request bodies, as OpenAPI shows them."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from streams.contracts.keys import MAX_KEY_LENGTH

#: Deeper JSON is no event of ours, and recursion in a decoder somewhere behind us is not for callers to try.
MOST_LEVELS = 64

Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]
KeyText = Annotated[str, Field(min_length=5, max_length=MAX_KEY_LENGTH)]


def sound(value: dict[str, Any]) -> dict[str, Any]:
    """The value, if it is no deeper than `MOST_LEVELS` and its numbers are; looks without recursion."""
    level: list[Any] = [value]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if any(isinstance(one, float) and not math.isfinite(one) for one in level):
            raise ValueError("a number is too large")
        if not level:
            return value
    raise ValueError(f"nested deeper than {MOST_LEVELS} levels")


Data = Annotated[dict[str, Any], AfterValidator(sound)]


class Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class VideoBody(Body):
    """A video was uploaded. `video_data` is the event's data: `uri` and more."""

    video_id: Identifier = Field(examples=["v42"])
    user_id: Identifier = Field(examples=["u7"])
    video_data: Data = Field(
        examples=[{"uri": "file:///media/ad.mp4", "title": "Summer sale", "duration_s": 15.0}]
    )


class CampaignBody(Body):
    """A campaign was created. `campaign_data` is the event's data: `brief` and more."""

    campaign_id: Identifier = Field(examples=["c3"])
    user_id: Identifier = Field(examples=["u7"])
    campaign_data: Data = Field(examples=[{"brief": "Half price until Sunday", "order_value": 40}])


class LoginBody(Body):
    """A user logged in. `user_data` may hold the `account` that dashboards are made of."""

    user_id: Identifier = Field(examples=["u7"])
    user_data: Data = Field(default_factory=dict, examples=[{"account": {"plan": "pro"}}])


class PredictBody(Body):
    user_id: Identifier = Field(examples=["u7"])


class DemandBody(Body):
    """Keys whose answers are to be computed. `refresh`: although there are answers; `urgent`: now."""

    keys: list[KeyText] = Field(min_length=1, max_length=1000, examples=[["ctr_prediction:video:v42"]])
    refresh: bool = False
    urgent: bool = True


class Filters(Body):
    """Which answers of a task to refresh; all of them where nothing is given."""

    user_id: Identifier | None = None
    campaign_id: Identifier | None = None
    ids: list[Identifier] | None = Field(default=None, max_length=10_000)
    expiring_within_s: float | None = Field(default=None, gt=0, le=31_536_000)


class RefreshBody(Body):
    filters: Filters = Field(default_factory=Filters)


class InvalidateBody(Body):
    pattern: str = Field(max_length=512, examples=["ctr_prediction:*"])
    confirm: bool = False


class LettersBody(Body):
    """Which dead letters: named places, or all of a reason or task. `dry_run` only lists them."""

    source: Annotated[str, Field(pattern="^(jobs|events)$")] = "jobs"
    letters: list[Annotated[str, Field(max_length=300)]] | None = Field(
        default=None, max_length=1000, examples=[["precompute.jobs.dlq/0/12"]]
    )
    reason: Annotated[str, Field(max_length=64)] | None = None
    task: Annotated[str, Field(max_length=128)] | None = None
    dry_run: bool = False
