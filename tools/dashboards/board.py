"""Puts rows of panels together into one dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, VariableOption, VariableRefresh

from tools.dashboards.panels import SOURCE, Figure, Graph

TAG = "precompute"


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[Graph | Figure]


@dataclass(frozen=True, kw_only=True)
class Board:
    """`name` is its file and the end of its address."""

    name: str
    title: str
    why: str
    rows: Sequence[Row]

    def to_json(self) -> str:
        builder = (
            dashboard.Dashboard(f"precompute / {self.title}")
            .uid(f"precompute-{self.name}")
            .description(self.why)
            .tags([TAG])
            .readonly()
            .refresh("30s")
            .time("now-3h", "now")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .link(
                dashboard.DashboardLink("precompute")
                .type("dashboards")
                .tags([TAG])
                .as_dropdown(as_dropdown=True)
                .keep_time(keep_time=True)
                .include_vars(include_vars=True)
            )
            .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
            .with_variable(_namespaces())
        )
        for row in self.rows:
            builder = builder.with_row(dashboard.Row(row.title))
            for panel in row.panels:
                builder = builder.with_panel(panel.build())
        return JSONEncoder(sort_keys=True, indent=2).encode(builder.build()) + "\n"


def _namespaces() -> dashboard.QueryVariable:
    """All of them unless somebody chooses; where nothing has a namespace, as in Compose, all is all."""
    return (
        dashboard.QueryVariable("namespace")
        .label("Namespace")
        .datasource(SOURCE)
        .query("label_values(precompute_build_info, namespace)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(include_all=True)
        .all_value(".*")
        .multi(multi=True)
        .current(VariableOption(text="All", value="$__all", selected=True))
    )
