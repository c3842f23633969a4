"""What handlers read from events: typed, with units; published as JSON Schemas.

Unknown fields are ignored. A handler reads only the fields it needs, so that a wrong one elsewhere in
the same event does not cost its answer.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from streams.contracts.ids import Id

Count = Annotated[int, msgspec.Meta(ge=0, le=10**15, description="a whole number, not negative")]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e15, description="money, in the currency given beside it")]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}(?![\s\S])", description="ISO 4217")]
Text = Annotated[str, msgspec.Meta(max_length=2_000_000)]

#: Rows of history one input may carry: ten years of days.
MAX_ROWS = 3660


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How often something was shown and clicked."""

    impressions: Count
    clicks: Count

    def __post_init__(self) -> None:
        if self.clicks > self.impressions:
            raise ValueError(f"{self.clicks} clicks of {self.impressions} impressions cannot be")


class PastVideo(Delivery, frozen=True, kw_only=True):
    """An earlier video of the same account, with the creative measures it was given, if any."""

    video_id: Id | None = None
    hook_score: Share | None = None
    face_time_ratio: Share | None = None
    cuts_per_s: Annotated[float, msgspec.Meta(ge=0, le=120)] | None = None


class VideoStats(msgspec.Struct, frozen=True, kw_only=True):
    """The `stats` of a video: what it has earned itself, and what the account's earlier videos earned."""

    own: Delivery | None = None
    account: Annotated[list[PastVideo], msgspec.Meta(max_length=MAX_ROWS)] = []


class VideoInput(msgspec.Struct, frozen=True, kw_only=True):
    """The data of `video.uploaded`. `url` and `file_path` are aliases of `uri`."""

    video_id: Id | None = None
    uri: str | None = None
    url: str | None = None
    file_path: str | None = None
    title: str | None = None
    #: Seconds, as the uploader says; what is measured wins.
    duration_s: float | None = None
    campaign_id: Id | None = None

    @property
    def location(self) -> str:
        return self.uri or self.url or self.file_path or ""


class RatedVideoInput(VideoInput, frozen=True, kw_only=True):
    """The same, with the numbers of its delivery."""

    stats: VideoStats | None = None


class Money(msgspec.Struct, frozen=True, kw_only=True):
    amount: Amount
    currency: Currency | None = None


class DayRow(Delivery, frozen=True, kw_only=True):
    """One day of a campaign. `spend` and `revenue` are in the history's currency."""

    date: date
    spend: Amount = 0.0
    conversions: Count = 0
    revenue: Amount | None = None
    campaign_id: Id | None = None


Rows = Annotated[list[DayRow], msgspec.Meta(max_length=MAX_ROWS)]


class CampaignHistory(msgspec.Struct, frozen=True, kw_only=True):
    rows: Rows = []
    currency: Currency | None = None


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """What an advertisement is about. `claims` are facts the advertiser stands for."""

    product: Text | None = None
    audience: Text | None = None
    benefit: Text | None = None
    offer: Text | None = None
    tone: Text | None = None
    language: Text | None = None
    text: Text | None = None
    claims: Annotated[list[Text], msgspec.Meta(max_length=100)] = []
    headlines: Annotated[list[Text], msgspec.Meta(max_length=100)] = []


class BriefInput(msgspec.Struct, frozen=True, kw_only=True):
    """The words of `campaign.created`."""

    campaign_id: Id | None = None
    brief: Brief | Text = ""
    objective: str | None = None


class CampaignInput(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of `campaign.created`. A bare amount or list stands for the struct that holds it."""

    campaign_id: Id | None = None
    objective: str | None = None
    budget: Money | Amount | None = None
    #: What one conversion is worth.
    order_value: Money | Amount | None = None
    video_ids: list[Id] | None = None
    history: CampaignHistory | Rows | None = None

    @property
    def rows(self) -> list[DayRow]:
        return self.history.rows if isinstance(self.history, CampaignHistory) else (self.history or [])

    @property
    def currency(self) -> str | None:
        """The first currency said anywhere; None where nobody said one."""
        for part in (self.history, self.order_value, self.budget):
            said = getattr(part, "currency", None)
            if said is not None:
                return str(said)
        return None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The `account` of a login: daily rows of all the user's campaigns."""

    currency: Currency | None = None
    rows: Rows = []
    time_zone: str | None = None


class UserInput(msgspec.Struct, frozen=True, kw_only=True):
    """The data of `user.logged_in`."""

    user_id: Id | None = None
    account: Account | None = None


def amount_of(value: Money | float | None) -> float | None:
    """The amount, however it was said."""
    return value.amount if isinstance(value, Money) else value
