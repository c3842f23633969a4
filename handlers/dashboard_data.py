"""A user's dashboard: the numbers of all campaigns, and what the user has been doing."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from handlers.analytics.activity import Activity, activity_of
from handlers.analytics.series import Report, Totals, report_on, totals_of
from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import DayRow, UserInput
from handlers.sources import open_source

#: Campaigns listed, those with the largest spend first.
MAX_CAMPAIGNS = 50


class CampaignTotals(msgspec.Struct, frozen=True, kw_only=True):
    campaign_id: str
    totals: Totals


class DashboardResult(Report, frozen=True, kw_only=True):
    """`source` says where the rows came from; without rows the numbers are null, not zero."""

    as_of: datetime
    source: str
    currency: str | None
    campaigns: list[CampaignTotals]
    activity: Activity


@handler(task="dashboard_data", kind="io", version="1")
async def dashboard_data(user: UserInput, context: Context) -> DashboardResult:
    """Sums a user's campaigns: totals, series, comparisons, intervals, anomalies, activity."""
    source = open_source(context.config)
    given = user.account.rows if user.account else []
    rows = await source.rows("user", context.entity_id, given)
    report = report_on(rows)
    return DashboardResult(
        **{name: getattr(report, name) for name in Report.__struct_fields__},
        as_of=datetime.fromtimestamp(context.now, UTC),
        source=source.name,
        currency=user.account.currency if user.account else None,
        campaigns=campaigns_of(rows),
        activity=activity_of(context.history),
    )


def campaigns_of(rows: list[DayRow]) -> list[CampaignTotals]:
    found: dict[str, list[DayRow]] = {}
    for row in rows:
        if row.campaign_id is not None:
            found.setdefault(row.campaign_id, []).append(row)
    listed = [CampaignTotals(campaign_id=name, totals=totals_of(mine)) for name, mine in found.items()]
    return sorted(listed, key=lambda one: (-one.totals.spend, one.campaign_id))[:MAX_CAMPAIGNS]
