"""Return on ad spend: what this campaign's own conversions per spend promise for the next week."""

from __future__ import annotations

from handlers.analytics import poisson
from handlers.analytics.estimate import Driver, Estimate, ModelCard
from handlers.analytics.series import DayPoint
from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import CampaignInput, amount_of

MODEL = ModelCard(
    id="account-poisson-1",
    trained_on="the daily rows of this campaign's own account, given with the campaign",
)


class RoasResult(Estimate, frozen=True, kw_only=True):
    """`estimate` is revenue per unit of spend over the next `horizon_days`, at `assumed_spend`."""

    horizon_days: int
    assumed_spend: float | None
    conversions_per_spend: float | None
    order_value: float | None
    currency: str | None


@handler(task="roas_prediction", kind="cpu", version="1")
def roas_prediction(campaign: CampaignInput, context: Context) -> RoasResult:
    """Estimates the return on ad spend from the account's own days, or says what is missing."""
    del context
    rows = poisson.spent(campaign.rows)
    value, source = order_value_of(campaign, rows)
    problem = poisson.missing(rows) or (None if value else "needs order_value, or revenue in the history")
    if problem is not None or value is None:
        return _insufficient(campaign, rows, problem or "")
    fitted = poisson.fit_rate(rows)
    spend = expected_spend(campaign, rows)
    interval = poisson.roas_interval(fitted, spend, value, poisson.measure_coverage(rows))
    return RoasResult(
        estimate=round(fitted.rate * value, 4),
        interval=interval,
        basis="account_history",
        n_observations=len(rows),
        model=MODEL,
        drivers=[
            Driver(name="conversions_per_spend", value=round(fitted.rate, 6), effect=None),
            Driver(name="order_value", value=round(value, 4), effect=None, note=source),
            Driver(name="dispersion", value=round(fitted.dispersion, 3), effect=None, note="1 is Poisson"),
        ],
        warnings=_warnings(interval.measured_coverage),
        horizon_days=poisson.HORIZON_DAYS,
        assumed_spend=round(spend, 4),
        conversions_per_spend=round(fitted.rate, 6),
        order_value=round(value, 4),
        currency=campaign.currency,
    )


def order_value_of(campaign: CampaignInput, rows: list[DayPoint]) -> tuple[float | None, str]:
    """What a conversion is worth, and who says so: the campaign, else the history's revenue."""
    said = amount_of(campaign.order_value)
    if said:
        return said, "as given"
    with_revenue = [row for row in rows if row.revenue is not None]
    conversions = sum(row.conversions for row in with_revenue)
    if not conversions:
        return None, ""
    return sum(row.revenue or 0.0 for row in with_revenue) / conversions, "revenue per conversion so far"


def expected_spend(campaign: CampaignInput, rows: list[DayPoint]) -> float:
    """A week's spend: that of the last seven days with any, never above the budget."""
    recent = sum(row.spend for row in rows[-poisson.HORIZON_DAYS :])
    budget = amount_of(campaign.budget)
    return min(recent, budget) if budget else recent


def _insufficient(campaign: CampaignInput, rows: list[DayPoint], problem: str) -> RoasResult:
    return RoasResult(
        estimate=None,
        interval=None,
        basis="insufficient_data",
        n_observations=len(rows),
        model=MODEL,
        warnings=[problem],
        horizon_days=poisson.HORIZON_DAYS,
        assumed_spend=None,
        conversions_per_spend=None,
        order_value=amount_of(campaign.order_value),
        currency=campaign.currency,
    )


def _warnings(coverage: float | None) -> list[str]:
    if coverage is None:
        return ["too few past weeks to measure how often the interval holds"]
    if coverage < poisson.LEVEL - 0.15:
        return ["on this account's past the interval held less often than its level says"]
    return []
