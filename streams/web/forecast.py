"""The predictor as people see it: its cards, what its work was worth, what it expects of a user."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.cache.counters import FleetCounters
from streams.cache.scorecards import Scorecard, Scorecards, merged_bins
from streams.cache.shadows import merged_shadow
from streams.cache.uses import ahead_counts, withheld_field
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.settings import Settings


class Forecast:
    """Raises `UnavailableError` where Redis does not answer."""

    def __init__(
        self, settings: Settings, cards: Scorecards, counters: FleetCounters, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._settings = settings
        self._cards = cards
        self._counters = counters
        self._clock = clock

    async def status(self) -> dict[str, Any]:
        cards = await self._cards.read(millis(self._clock.now()))
        totals = await self._counters.totals()
        lifts = [card.lift for card in cards if card.lift is not None]
        return {
            "enabled": self._settings.predictor,
            "off_because": next((card.off_because for card in cards if card.off_because), None),
            "act_above": self._settings.act_above,
            "holdout": self._settings.holdout,
            "models": _by_version(cards),
            "calibration": [msgspec.structs.asdict(one) for one in merged_bins(cards)],
            "lift": msgspec.structs.asdict(lifts[0]) if lifts else None,
            "worth": worth(totals),
            "triggers": self._settings.triggers,
            "use": use(totals),
            **_condition(cards),
        }


def _condition(cards: list[Scorecard]) -> dict[str, Any]:
    """What the lifecycle and the budget say: the first that asked for training, the tightest budget left."""
    wanted = [card.training_wanted_since for card in cards if card.training_wanted_since is not None]
    left = [card.predicted_seconds_left for card in cards if card.predicted_seconds_left is not None]
    shadow = merged_shadow([card.shadow for card in cards if card.shadow is not None])
    return {
        "training_wanted_since": min(wanted, default=None),
        "drifts": sum(card.drifts for card in cards),
        "load": max((card.load for card in cards), default=0.0),
        "predicted_seconds_left": min(left, default=None),
        "shadow": msgspec.structs.asdict(shadow) if shadow is not None else None,
    }


def worth(totals: dict[str, float]) -> dict[str, Any]:
    """What precomputing brought: answers read and never read, seconds saved and wasted."""
    read = totals.get("precomputed_read", 0.0)
    unread = totals.get("precomputed_expired_unread", 0.0)
    return {
        "read": int(read),
        "expired_unread": int(unread),
        "share_read": round(read / (read + unread), 4) if read + unread else None,
        "seconds_saved": round(totals.get("seconds_saved", 0.0), 3),
        "seconds_wasted": round(totals.get("seconds_wasted", 0.0), 3),
    }


def use(totals: dict[str, float]) -> list[dict[str, Any]]:
    """By task and cause: answers computed ahead, those read, and jobs that were left to whoever asks."""
    return [
        {
            "task": task,
            "why": why,
            "computed": int(ahead),
            "read": int(read),
            "share_read": round(min(1.0, read / ahead), 4) if ahead else None,
            "withheld": int(totals.get(withheld_field(task, why), 0.0)),
        }
        for task, why, ahead, read in sorted(ahead_counts(totals))
    ]


def _by_version(cards: list[Scorecard]) -> list[dict[str, Any]]:
    """One row a model version, the processes' figures weighted by their outcomes."""
    rows = []
    for version in sorted({card.model_version for card in cards}):
        of_it = [card for card in cards if card.model_version == version]
        n = sum(card.n for card in of_it)
        row: dict[str, Any] = {"model_version": version, "processes": len(of_it), "outcomes": n}
        for name in ("top1", "top3", "log_loss", "calibration_error"):
            total = sum(getattr(card, name) * card.n for card in of_it)
            row[name] = round(total / n, 4) if n else None
        rows.append(row)
    return rows
