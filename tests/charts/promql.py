"""Which metrics and labels a PromQL expression names, and which there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser as promql
from prometheus_client import Counter, Gauge, Histogram

from streams.ops import metrics

#: Put on by whoever scrapes.
TARGET_LABELS = frozenset({"job", "instance", "namespace", "pod", "role"})
#: Of Prometheus itself and of every process (prometheus_client's process collector).
FOREIGN = {
    "up": frozenset[str](),
    "process_cpu_seconds_total": frozenset[str](),
    "process_resident_memory_bytes": frozenset[str](),
    "process_start_time_seconds": frozenset[str](),
}


@dataclass(frozen=True)
class Selection:
    """One selector: its metric, and the labels its matchers and the aggregations around it name."""

    metric: str
    matchers: tuple[tuple[str, str], ...]
    aggregated: frozenset[str]

    @property
    def labels(self) -> frozenset[str]:
        return self.aggregated | {name for name, _ in self.matchers}


def parse(text: str) -> Any:
    """The tree of an expression, with Grafana's rate interval filled in; raises `ValueError`."""
    return promql.parse(text.replace("$__rate_interval", "1m"))


def selections(node: Any, aggregated: frozenset[str] = frozenset()) -> Iterator[Selection]:
    if isinstance(node, promql.VectorSelector):
        matchers = tuple((matcher.name, matcher.value) for matcher in node.matchers.matchers)
        yield Selection(node.name or "", matchers, aggregated)
    elif isinstance(node, promql.MatrixSelector):
        yield from selections(node.vector_selector, aggregated)
    elif isinstance(node, promql.AggregateExpr):
        by = frozenset(node.modifier.labels) if node.modifier is not None else frozenset[str]()
        yield from selections(node.expr, aggregated | by)
    elif isinstance(node, promql.BinaryExpr):
        yield from selections(node.lhs, aggregated)
        yield from selections(node.rhs, aggregated)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            yield from selections(argument, aggregated)
    elif isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        yield from selections(node.expr, aggregated)


def known_series() -> dict[str, frozenset[str]]:
    """The labels of every series name that a role can export."""
    known = dict(FOREIGN)
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            known |= _series_of(metric)
    return known


def _series_of(metric: Counter | Gauge | Histogram) -> dict[str, frozenset[str]]:
    name, labels = metric._name, frozenset(metric._labelnames)
    if isinstance(metric, Counter):
        return {f"{name}_total": labels}
    if isinstance(metric, Gauge):
        return {name: labels}
    return {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}


def known_bounds() -> dict[str, frozenset[str]]:
    """The `le` values of every histogram, by the name of its buckets' series."""
    return {
        f"{metric._name}_bucket": frozenset(_bounds(metric))
        for metric in vars(metrics).values()
        if isinstance(metric, Histogram)
    }


def _bounds(metric: Histogram) -> list[str]:
    """As the text format writes them: 30.0, and +Inf for the last."""
    return [str(float(bound)) for bound in metric._kwargs["buckets"]] + ["+Inf"]


def problems(text: str, recorded: dict[str, frozenset[str]] | None = None) -> list[str]:
    """What an expression names that does not exist; `recorded` are series that rules make."""
    known = known_series() | (recorded or {})
    found = []
    for selection in selections(parse(text)):
        if selection.metric not in known:
            found.append(f"no metric {selection.metric}")
            continue
        extra = selection.labels - known[selection.metric] - TARGET_LABELS
        if extra:
            found.append(f"{selection.metric} has no label {', '.join(sorted(extra))}")
        found += [
            f"{selection.metric} has no bucket {value}"
            for name, value in selection.matchers
            if name == "le" and value not in known_bounds().get(selection.metric, frozenset())
        ]
    return found


def names_in(text: str) -> set[str]:
    """Every metric of ours that a text mentions, PromQL or prose."""
    return set(re.findall(r"\bprecompute_[a-z_]+\b", text))
