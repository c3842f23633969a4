"""What people waited for and what it took, on the measured part of the day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bench.impact.answers import Answers, Kept
from bench.impact.durations import Prices
from bench.impact.workers import SimulatedWorker
from bench.report import percentile
from streams.contracts.jobs import Why

#: Computed before anybody asked. Refreshes are of what was read before, predictions of what may be.
SPECULATIVE = (Why.PREDICTED, Why.REFRESH)
TRIGGERED = (Why.UPLOAD, Why.CAMPAIGN, Why.LOGIN, Why.CHANGED)
#: An answer within this is there when it is asked for, as people see it.
INSTANT_S = 0.05


class Request(msgspec.Struct):
    """One page's answers. `announced`: an event had asked for all of them; `waited` None: not yet known."""

    at: float
    user: str
    session: str
    tasks: tuple[str, ...]
    announced: bool
    computes: int = 0
    waited: float | None = None

    @property
    def is_hit(self) -> bool:
        return self.computes == 0


class Account:
    def __init__(self, answers: Answers, worker: SimulatedWorker, window: tuple[float, float]) -> None:
        self._answers = answers
        self._worker = worker
        self._window = window
        self.requests: list[Request] = []

    def note(self, request: Request) -> None:
        if self._window[0] <= request.at < self._window[1]:
            self.requests.append(request)

    @property
    def by_hour(self) -> list[float]:
        """CPU seconds of each hour of the measured day."""
        return self._worker.by_hour

    def waits(self) -> list[float]:
        return [one.waited for one in self.requests if one.waited is not None]

    def figures(self, prices: Prices) -> dict[str, float]:
        """Seconds, shares, US dollars."""
        waits = self.waits()
        sessions = self._by_session()
        announced = [one for one in self.requests if one.announced]
        spent = self._worker.spent
        cpu_s = sum(one.cpu_s for one in spent.values())
        calls = sum(one.calls for one in spent.values())
        busiest = sorted(self._worker.by_hour, reverse=True)[:4]
        return {
            "requests": len(self.requests),
            "sessions": len(sessions),
            **_percentiles("request_s", waits),
            **_percentiles("session_s", sessions),
            "mean_request_s": sum(waits) / len(waits),
            "unanswered": len(self.requests) - len(waits),
            "hit": _share(self.requests),
            "instant": sum(wait <= INSTANT_S for wait in waits) / len(waits),
            "triggered_share": len(announced) / len(self.requests),
            "triggered_hit": _share(announced),
            "waiting_computations": sum(not one.is_hit for one in self.requests),
            "cpu_s": cpu_s,
            "peak_cpu_s": sum(busiest),
            "calls": calls,
            "dollars": cpu_s / 3600 * prices.core_hour + calls * prices.generation,
            "speculative_cpu_s": sum(spent[why].cpu_s for why in SPECULATIVE),
            **{f"jobs_{name}": sum(spent[w].jobs for w in whys) for name, whys in _KINDS.items()},
            **{f"waste_{name}": self._waste(whys) for name, whys in _KINDS.items()},
            **{f"waste_{name}_jobs": self._waste(whys, by_cost=False) for name, whys in _KINDS.items()},
        }

    def _by_session(self) -> list[float]:
        """What the people of a session waited in all; sessions without a request are none."""
        sums: dict[str, float] = defaultdict(float)
        for one in self.requests:
            sums[one.session] += one.waited or 0.0
        return list(sums.values())

    def _waste(self, whys: Iterable[str], *, by_cost: bool = True) -> float:
        """The share of what was computed for these reasons that nobody read before it vanished.

        By cost: seconds on a core, and a call to a provider at what it costs in such seconds.
        """
        written = [
            kept
            for kept in self._answers.written
            if kept.stored.why in whys and self._window[0] <= kept.began < self._window[1]
        ]
        weight = _cost if by_cost else _one
        total = sum(map(weight, written))
        return sum(weight(kept) for kept in written if not kept.reads) / total if total else 0.0


_KINDS: dict[str, Sequence[str]] = {
    "predicted": (Why.PREDICTED,),
    "refresh": (Why.REFRESH,),
    "triggered": TRIGGERED,
    "demand": (Why.DEMAND,),
}


def _cost(kept: Kept) -> float:
    prices = Prices()
    return kept.cpu_s * prices.core_hour / 3600 + kept.calls * prices.generation


def _one(_: Kept) -> float:
    return 1.0


def _share(requests: Sequence[Request]) -> float:
    return sum(one.is_hit for one in requests) / len(requests) if requests else 0.0


def _percentiles(name: str, values: Sequence[float]) -> dict[str, Any]:
    return {f"{name}_p{p}": percentile(values, p / 100) if values else 0.0 for p in (50, 95, 99)}
