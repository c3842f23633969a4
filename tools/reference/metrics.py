"""metrics.md: every metric with its type, labels and meaning."""

from __future__ import annotations

import inspect
import re
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from streams.ops import metrics
from tools.reference.markdown import code, page, table

_INTRO = """
Each role serves its metrics at `/metrics` on `PRECOMPUTE_METRICS_PORT`. Units are seconds and bytes. Labels
are bounded: no user, video or campaign is ever one. What alerts and dashboards make of them:
[the runbooks](../runbooks/PrecomputeLagGrowing.md) and `charts/precompute/`.
"""
_CLIENT = """
## The client

`streams.client.prometheus` registers one more in the application that reads answers:
`precompute_client_calls_total`, by `what` the client met and did.
"""


def metrics_page() -> str:
    parts = [f"## {title}\n\n{_table(found)}" for title, found in _groups().items()]
    return page("Metrics", "streams/ops/metrics.py", _INTRO, *parts, _CLIENT)


def known_metrics() -> frozenset[str]:
    """Every name a scrape may show, a histogram's and a counter's own included."""
    names = {"precompute_client_calls", "precompute_client_calls_total"}
    for found in _all().values():
        name = _name(found)
        names.add(name)
        if isinstance(found, Histogram):
            names.update(f"{name}_{suffix}" for suffix in ("bucket", "sum", "count"))
    return frozenset(names)


def _all() -> dict[str, Any]:
    kinds = (Counter, Gauge, Histogram)
    return {name: value for name, value in vars(metrics).items() if isinstance(value, kinds)}


def _groups() -> dict[str, list[Any]]:
    """The metrics by the heading comments of their file, in its order."""
    known = _all()
    groups: dict[str, list[Any]] = {}
    title = "Other"
    for line in inspect.getsource(metrics).splitlines():
        heading = re.fullmatch(r"# (\w.*)", line)
        name = re.match(r"([A-Z_]+) = ", line)
        if heading:
            title = heading[1]
        elif name and name[1] in known:
            single = name[1] in ("CERTIFICATE_EXPIRY", "BUILD_INFO")
            groups.setdefault("Every role" if single else title, []).append(known[name[1]])
    return groups


def _table(found: list[Any]) -> str:
    rows = [
        [code(_name(one)), one._type, ", ".join(map(code, one._labelnames)), one._documentation]  # noqa: SLF001
        for one in found
    ]
    return table(["metric", "type", "labels", "meaning"], rows)


def _name(found: Any) -> str:
    name: str = found._name  # noqa: SLF001 (the library tells it nowhere else)
    return f"{name}_total" if isinstance(found, Counter) else name
