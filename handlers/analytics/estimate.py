"""The shape of every prediction: a number with its interval and its grounds, or no number and the reason."""

from __future__ import annotations

import msgspec

from handlers.analytics.intervals import Interval


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What made a number: which model, learnt from what, and how well it did where that was measured."""

    id: str
    trained_on: str
    metrics: dict[str, float] = {}


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """Something that moved the number, by `effect` (a factor, 1 is none), and why in words."""

    name: str
    value: float | None
    effect: float | None
    note: str = ""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """`basis` says what the number rests on: `account_history`, or `insufficient_data` with no number."""

    estimate: float | None
    interval: Interval | None
    basis: str
    n_observations: int
    model: ModelCard
    drivers: list[Driver] = []
    warnings: list[str] = []
