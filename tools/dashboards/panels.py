"""The few kinds of panels all dashboards are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
#: Grafana's grid is 24 wide: four figures, or two graphs, in a row.
STAT_WIDTH, STAT_HEIGHT = 6, 4
GRAPH_WIDTH, GRAPH_HEIGHT = 12, 8


@dataclass(frozen=True)
class Query:
    """A PromQL expression and how its series are called.

    `@` stands for the matcher of the chosen namespaces, `$r` for the rate interval that fits the screen.
    """

    expr: str
    legend: str = ""

    @property
    def promql(self) -> str:
        return self.expr.replace("@", 'namespace=~"$namespace"').replace("$r", "$__rate_interval")


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Lines over time, from zero up unless they are `signed`. `why` is what a person should make of it."""

    title: str
    why: str
    unit: str
    queries: Sequence[Query]
    stacked: bool = False
    signed: bool = False

    def build(self) -> timeseries.Panel:
        panel = (
            timeseries.Panel()
            .title(self.title)
            .description(self.why)
            .datasource(SOURCE)
            .unit(self.unit)
            .span(GRAPH_WIDTH)
            .height(GRAPH_HEIGHT)
            .line_width(1)
            .fill_opacity(25 if self.stacked else 5)
            .show_points(VisibilityMode.NEVER)
            .legend(
                common.VizLegendOptions()
                .display_mode(LegendDisplayMode.LIST)
                .placement(LegendPlacement.BOTTOM)
                .show_legend(show_legend=True)
            )
            .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
            .stacking(
                common.StackingConfig().mode(StackingMode.NORMAL if self.stacked else StackingMode.NONE)
            )
        )
        if not self.signed:
            panel = panel.min(0)
        for index, query in enumerate(self.queries):
            panel = panel.with_target(_target(query, index))
        return panel


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number with its recent course; `bounds` are (value, colour) from the lowest up."""

    title: str
    why: str
    unit: str
    query: Query
    bounds: Sequence[tuple[float | None, str]] = ((None, "text"),)
    decimals: float | None = None

    def build(self) -> stat.Panel:
        steps = [Threshold(value=value, color=colour) for value, colour in self.bounds]
        panel = (
            stat.Panel()
            .title(self.title)
            .description(self.why)
            .datasource(SOURCE)
            .unit(self.unit)
            .span(STAT_WIDTH)
            .height(STAT_HEIGHT)
            .graph_mode(BigValueGraphMode.AREA)
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
            .with_target(_target(self.query, 0))
        )
        return panel if self.decimals is None else panel.decimals(self.decimals)


def _target(query: Query, index: int) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.promql).ref_id(chr(ord("A") + index)).datasource(SOURCE)
    return target.legend_format(query.legend) if query.legend else target


def quantiles(metric: str, matchers: str = "", by: str = "") -> list[Query]:
    """The median, the 95th and the 99th percentile of a histogram, in the metric's unit."""
    extra = f",{matchers}" if matchers else ""
    labels = f"le, {by}" if by else "le"
    name = f" {{{{{by}}}}}" if by else ""
    return [
        Query(
            f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{{@{extra}}}[$r])))",
            f"p{q * 100:.0f}{name}",
        )
        for q in (0.5, 0.95, 0.99)
    ]


def percentile(metric: str, by: str, q: float = 0.95) -> Query:
    """One percentile of a histogram, by a label."""
    return Query(
        f"histogram_quantile({q}, sum by (le, {by}) (rate({metric}_bucket{{@}}[$r])))", f"{{{{{by}}}}}"
    )
