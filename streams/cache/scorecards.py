"""How good predictions were lately: each streams process writes its card, the console adds them up."""

from __future__ import annotations

from typing import cast

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.cache.shadows import ShadowFigure
from streams.contracts.errors import UnavailableError

#: A card that was not written for an hour is of a process that is gone.
OLD_AFTER_MS = 3_600_000


class Calibration(msgspec.Struct, frozen=True):
    """One bin of confidence: outcomes in it, the mean probability said, the share that came true."""

    n: float
    said: float
    came: float


class LiftFigure(msgspec.Struct, frozen=True, kw_only=True):
    """Hit rate of treatment minus holdout, with its 95 % interval; all are shares, 0 to 1."""

    treatment: float
    holdout: float
    low: float
    high: float
    trustworthy: bool


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """One process's figures over its last `n` outcomes; `log_loss` in nats, `at` in ms."""

    process: str
    model_version: str
    at: int
    n: int
    top1: float
    top3: float
    log_loss: float
    calibration_error: float
    bins: tuple[Calibration, ...] = ()
    lift: LiftFigure | None = None
    #: Why the predictor does not act at the moment; empty where it does.
    off_because: str = ""
    #: Changes of the log-loss since this version serves, and since when (ms) it asks for training.
    drifts: int = 0
    training_wanted_since: int | None = None
    #: What decisions see: the fleet's load, 0 to 1, and what is left of the global budget's window.
    load: float = 0.0
    predicted_seconds_left: float | None = None
    shadow: ShadowFigure | None = None


class Scorecards:
    """Raises `UnavailableError` where Redis does not answer."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames) -> None:
        self._redis = redis
        self._name = names.scorecards

    async def write(self, card: Scorecard) -> None:
        try:
            await self._redis.hset(self._name, card.process, msgspec.json.encode(card))
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc

    async def read(self, now_ms: int) -> list[Scorecard]:
        """The cards of living processes, by name."""
        try:
            found = cast("dict[bytes, bytes]", await self._redis.hgetall(self._name))
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc
        cards = [msgspec.json.decode(data, type=Scorecard) for data in found.values()]
        return sorted(
            (card for card in cards if now_ms - card.at < OLD_AFTER_MS), key=lambda card: card.process
        )


def merged_bins(cards: list[Scorecard]) -> list[Calibration]:
    """The bins of all cards together, weighted by their outcomes."""
    width = max((len(card.bins) for card in cards), default=0)
    merged = []
    for index in range(width):
        bins = [card.bins[index] for card in cards if index < len(card.bins)]
        n = sum(one.n for one in bins)
        said = sum(one.n * one.said for one in bins) / n if n else 0.0
        came = sum(one.n * one.came for one in bins) / n if n else 0.0
        merged.append(Calibration(n, said, came))
    return merged
