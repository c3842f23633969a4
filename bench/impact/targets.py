"""What was promised, what was found, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.impact.replays import Figures, mean
from bench.impact.worlds import World

Found = Mapping[World, Sequence[Figures]]

_SHARED = (
    "requests for answers that no event names: the hour-old analytics of a campaign, variants after an edit. "
    "A lower price of computing gains some of them, at the waste that the sensitivities show"
)


def rows(
    found: Found, capacities: Mapping[World, Mapping[str, Any]], tried: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One row for each promise: the figure, whether it holds, and why not where it does not."""
    ours, none, demand = found[World.PREDICTOR], found[World.NO_CACHE], found[World.DEMAND]
    cpu = mean(ours, "cpu_s")
    fewer = 1 - mean(ours, "waiting_computations") / mean(none, "waiting_computations")
    more = cpu / mean(demand, "cpu_s") - 1
    weighed = mean(found[World.WEIGHED], "cpu_s") / mean(demand, "cpu_s") - 1
    total, peak = _least(tried, "CPU, times demand-only"), _least(tried, "peak CPU, times demand-only")
    saved = 1 - cpu / mean(none, "cpu_s")
    dollars = 1 - mean(ours, "dollars") / mean(none, "dollars")
    waste = mean(ours, "waste_predicted_jobs")
    result = [
        _row("hit rate of answers an event asked for", mean(ours, "triggered_hit"), ">=", 0.97, _EARLY),
        _row("hit rate of all requests", mean(ours, "hit"), ">=", 0.85, _SHARED),
        _row("p50 of a request's wait, s", mean(ours, "request_s_p50"), "<", 0.05, ""),
        _row("p50 of a session's wait, s", mean(ours, "session_s_p50"), "<", 0.5, _SESSION),
        _row("fewer requests that compute while somebody waits", fewer, ">=", 0.85, _SHARED),
        _row("CPU above a demand-only cache's", more, "<=", 0.25, _UPLOADS),
        _row(f"the same in the world of {World.WEIGHED}", weighed, "<=", 0.25, _WEIGHED),
        _row(f"the same at best: {total[0]}", total[1], "<=", 0.25, _WEIGHED),
        _row(f"the same in the four busiest hours, at best: {peak[0]}", peak[1], "<=", 0.0, _PEAK),
        _row("predicted answers that nobody read", waste, "<=", 0.25, _WASTE),
        _row("CPU saved against no cache", saved, ">=", 0.6, _UPLOADS),
        _row("money saved against no cache", dollars, ">=", 0.5, _EDITS),
    ]
    if capacities:
        times = capacities[World.PREDICTOR]["users"] / max(1, capacities[World.NO_CACHE]["users"])
        result.append(_row("users on the same cores, times no cache's", times, ">=", 10.0, _CORES))
    return result


def _least(tried: Sequence[Mapping[str, Any]], column: str) -> tuple[str, float]:
    """The setting with the least of it, at which hits, and how far it is above a demand-only cache."""
    row = min(tried, key=lambda one: float(one[column]))
    hits = f"hits {row['hit %']} %, {row['demand-only hit %']} % on demand only"
    return f"{row['what is different']} ({hits})", float(row[column]) - 1


_EARLY = (
    "people who ask before the answer can be there: a second after a login, while a query takes two to three"
)
_SESSION = "one generation of variants that nobody had asked for outweighs everything else in its session"
_UPLOADS = (
    "an upload starts six computations and a login one, and in this log most of them are never looked at; "
    "weighed by use (PRECOMPUTE_TRIGGERS) they compute far less, and fewer answers are there at once"
)
_WEIGHED = (
    "refreshes, the first jobs of each kind until enough were counted, and the twentieth that goes on "
    "measuring; without refreshing it is less"
)
_PEAK = (
    "an answer computed ahead costs what it would have cost when asked for, so each that nobody reads is "
    "extra: below a demand-only cache there is only computing at other hours, or nothing ahead"
)
_WASTE = (
    "at this price of computing half of what is predicted comes true; a higher one wastes less and acts less"
)
_EDITS = "each edit of a campaign generates its variants again, whether or not anybody looks at them"
_CORES = "what is computed in vain takes the same cores"


def _row(promise: str, value: float, sense: str, bound: float, why: str) -> dict[str, Any]:
    holds = {">=": value >= bound, "<=": value <= bound, "<": value < bound}[sense]
    return {
        "promise": promise,
        "found": round(value, 3),
        "wanted": f"{sense} {bound:g}",
        "holds": "yes" if holds else "no",
        "why not, and what would change it": "" if holds else why,
    }
