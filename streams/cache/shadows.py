"""How a challenger does against the model that serves: each streams process's figure, and all together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

#: A verdict needs so many outcomes, and lets the calibration error grow by so much at most: as the predictor
#: itself has it.
MIN_EVENTS = 5_000
ERROR_TOLERANCE = 0.005


class ShadowFigure(msgspec.Struct, frozen=True, kw_only=True):
    """A challenger against the model that serves, on the same `events`.

    `gain` is the mean log-loss it saves, in nats, with its 95 % interval; errors are of calibration.
    """

    champion: str
    challenger: str
    verdict: str
    events: int
    gain: float
    low: float
    high: float
    champion_error: float
    challenger_error: float


def merged_shadow(figures: Sequence[ShadowFigure]) -> ShadowFigure | None:
    """The figures of all processes as one; None without any.

    Where they differ in whom they compare (one has not loaded a model yet), the pair with most events
    counts. Processes see different users: their intervals add up like those of independent samples.
    """
    pairs: dict[tuple[str, str], list[ShadowFigure]] = {}
    for figure in figures:
        pairs.setdefault((figure.champion, figure.challenger), []).append(figure)
    if not pairs:
        return None
    together = max(pairs.values(), key=lambda found: sum(one.events for one in found))
    return together[0] if len(together) == 1 else _merged(together)


def _merged(figures: Sequence[ShadowFigure]) -> ShadowFigure:
    events = sum(one.events for one in figures)
    shares = [one.events / events if events else 0.0 for one in figures]

    def mean(name: str) -> float:
        return math.fsum(share * getattr(one, name) for share, one in zip(shares, figures, strict=True))

    gain = mean("gain")
    reach = [share * (one.high - one.low) / 2 for share, one in zip(shares, figures, strict=True)]
    half = math.hypot(*reach)
    errors = {name: mean(name) for name in ("champion_error", "challenger_error")}
    return ShadowFigure(
        champion=figures[0].champion,
        challenger=figures[0].challenger,
        verdict=_verdict(events, gain - half, errors["challenger_error"] - errors["champion_error"]),
        events=events,
        gain=gain,
        low=gain - half,
        high=gain + half,
        **errors,
    )


def _verdict(events: int, low: float, error_growth: float) -> str:
    """In the words of the predictor's own verdict."""
    if events < MIN_EVENTS:
        return "too_early"
    if low <= 0:
        return "no_gain"
    return "calibration_regressed" if error_growth > ERROR_TOLERANCE else "better"
