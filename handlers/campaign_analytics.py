"""A campaign's numbers, and how far its budget has been spent."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from handlers.analytics.series import Report, report_on
from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import CampaignInput, amount_of
from handlers.sources import open_source


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """Money in the campaign's currency. `days_left` at the mean spend of the days with any."""

    budget: float
    spent: float
    share: float | None
    mean_daily_spend: float | None
    days_left: float | None


class CampaignResult(Report, frozen=True, kw_only=True):
    """`source` says where the rows came from; without rows the numbers are null, not zero."""

    as_of: datetime
    source: str
    currency: str | None
    pacing: Pacing | None


@handler(task="campaign_analytics", kind="io", version="1")
async def campaign_analytics(campaign: CampaignInput, context: Context) -> CampaignResult:
    """Sums a campaign's days: totals, series, comparisons, intervals, anomalies, budget pacing."""
    source = open_source(context.config)
    rows = await source.rows("campaign", context.entity_id, campaign.rows)
    report = report_on(rows)
    return CampaignResult(
        **{name: getattr(report, name) for name in Report.__struct_fields__},
        as_of=datetime.fromtimestamp(context.now, UTC),
        source=source.name,
        currency=campaign.currency,
        pacing=pacing_of(amount_of(campaign.budget), report),
    )


def pacing_of(budget: float | None, report: Report) -> Pacing | None:
    if budget is None:
        return None
    spent = report.totals.spend if report.totals else 0.0
    days = [point for point in report.series if point.spend > 0]
    mean = sum(point.spend for point in days) / len(days) if days else None
    return Pacing(
        budget=budget,
        spent=spent,
        share=round(spent / budget, 6) if budget > 0 else None,
        mean_daily_spend=None if mean is None else round(mean, 4),
        days_left=None if not mean else round(max(0.0, budget - spent) / mean, 2),
    )
