"""A challenger beside the model that serves: scored on the same events, promoted only if it is better."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import numpy as np

from predictor.metrics import BINS
from predictor.model import Prediction
from predictor.scoring import Scored, score
from streams.contracts.errors import ConfigurationError


class ShadowConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When a challenger has proved itself."""

    #: Outcomes that both have been scored on.
    min_events: int = 5_000
    #: Two-sided confidence of the paired bootstrap's interval.
    confidence: float = 0.95
    resamples: int = 1_000
    #: How much larger the challenger's calibration error may be.
    ece_tolerance: float = 0.005
    seed: int = 0

    def __post_init__(self) -> None:
        if self.min_events < 100 or self.resamples < 100 or not 0.5 < self.confidence < 1:
            raise ConfigurationError("min_events and resamples are at least 100, confidence is .5 to 1")


class Verdict(StrEnum):
    """What the comparison says."""

    TOO_EARLY = "too_early"
    NO_GAIN = "no_gain"
    CALIBRATION_REGRESSED = "calibration_regressed"
    BETTER = "better"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`gain` is the mean log-loss saved by the challenger, in nats, with its interval."""

    verdict: Verdict
    events: int
    gain: float
    low: float
    high: float
    champion_ece: float
    challenger_ece: float


class Shadow:
    """Collects paired scores; the challenger's predictions are never acted on."""

    def __init__(self, config: ShadowConfig | None = None) -> None:
        self._config = config if config is not None else ShadowConfig()
        self._pairs: list[tuple[Scored, Scored]] = []

    def add(self, champion: Prediction, challenger: Prediction, outcome: str) -> None:
        """Scores both on one outcome."""
        self._pairs.append((score(champion, outcome), score(challenger, outcome)))

    def compare(self) -> Comparison:
        """The verdict so far; the bootstrap resamples events, so both models see the same ones."""
        config = self._config
        gains = np.array([champion.loss - challenger.loss for champion, challenger in self._pairs])
        gain, low, high = _interval(gains, config) if len(gains) else (0.0, 0.0, 0.0)
        champion_ece = _calibration_error([champion for champion, _ in self._pairs])
        challenger_ece = _calibration_error([challenger for _, challenger in self._pairs])
        verdict = Verdict.BETTER
        if len(gains) < config.min_events:
            verdict = Verdict.TOO_EARLY
        elif low <= 0:
            verdict = Verdict.NO_GAIN
        elif challenger_ece > champion_ece + config.ece_tolerance:
            verdict = Verdict.CALIBRATION_REGRESSED
        return Comparison(
            verdict=verdict,
            events=len(gains),
            gain=gain,
            low=low,
            high=high,
            champion_ece=champion_ece,
            challenger_ece=challenger_ece,
        )


def _interval(gains: Any, config: ShadowConfig) -> tuple[float, float, float]:
    """Mean and percentile interval of the paired bootstrap (Efron and Tibshirani, 1993, chapter 13)."""
    draw = np.random.default_rng(config.seed)
    means = [gains[draw.integers(0, len(gains), len(gains))].mean() for _ in range(config.resamples)]
    tail = (1.0 - config.confidence) / 2.0
    low, high = np.quantile(means, (tail, 1.0 - tail))
    return float(gains.mean()), float(low), float(high)


def _calibration_error(scored: list[Scored]) -> float:
    if not scored:
        return 0.0
    confidence = np.array([s.confidence for s in scored])
    hits = np.array([s.hit for s in scored], float)
    cells = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(cells, confidence - hits)).sum() / len(scored))
