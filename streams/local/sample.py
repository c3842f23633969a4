"""A made-up account, so that a demo has numbers to show. Labelled as a sample wherever it appears."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from predictor.holdout import HoldoutConfig, draw_group
from streams.contracts.jobs import Group
from streams.settings import Settings

DAYS = 28
ORDER_VALUE = 74.0
CURRENCY = "EUR"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Ids and event data of one demo run."""

    user_id: str
    video_id: str
    campaign_id: str
    video: dict[str, Any]
    campaign: dict[str, Any]
    account: dict[str, Any]


def make_sample(clip: Path, settings: Settings) -> Sample:
    """Fresh ids each time, none of them held out: a demo shows what predictions do."""
    config = HoldoutConfig(fraction=settings.holdout, salt=settings.holdout_salt)
    while True:
        suffix = uuid.uuid4().hex[:6]
        ids = (f"user:demo-user-{suffix}", f"campaign:demo-campaign-{suffix}", f"video:demo-video-{suffix}")
        if all(draw_group(one, config) is Group.TREATMENT for one in ids):
            break
    campaign_id = f"demo-campaign-{suffix}"
    rows = _rows(campaign_id)
    return Sample(
        user_id=f"demo-user-{suffix}",
        video_id=f"demo-video-{suffix}",
        campaign_id=campaign_id,
        video={"uri": str(clip), "title": "Sample ad", "campaign_id": campaign_id, "stats": _stats()},
        campaign={
            "brief": {
                "product": "trail running shoes",
                "audience": "weekend runners",
                "benefit": "dry feet on wet ground",
                "offer": "free returns for 60 days",
                "language": "en",
            },
            "objective": "sales",
            "budget": {"amount": 5000, "currency": CURRENCY},
            "order_value": {"amount": ORDER_VALUE, "currency": CURRENCY},
            "history": {"currency": CURRENCY, "rows": rows},
        },
        account={"currency": CURRENCY, "rows": rows},
    )


def _rows(campaign_id: str) -> list[dict[str, Any]]:
    """Four weeks of a campaign: the same numbers for every run, with a weekly rhythm."""
    today = datetime.now(UTC).date()
    rows = []
    for day in range(DAYS):
        weekend = day % 7 in (5, 6)
        impressions = 9_000 + 37 * day - 2_500 * weekend
        clicks = 168 + (13 * day) % 29 - 40 * weekend
        conversions = 9 + (5 * day) % 7 - 3 * weekend
        rows.append(
            {
                "date": (today - timedelta(days=DAYS - day)).isoformat(),
                "campaign_id": campaign_id,
                "impressions": impressions,
                "clicks": clicks,
                "spend": round(clicks * 0.61, 2),
                "conversions": conversions,
                "revenue": conversions * ORDER_VALUE,
            }
        )
    return rows


def _stats() -> dict[str, Any]:
    """What earlier videos of the sample account earned."""
    earned = [(21_000, 380), (18_500, 310), (40_200, 905), (9_800, 141), (27_300, 512)]
    return {
        "account": [
            {"video_id": f"earlier-{number}", "impressions": shown, "clicks": clicks}
            for number, (shown, clicks) in enumerate(earned)
        ]
    }
