"""Click-through rate: what the account usually earns, moved by the creative where that has proven itself."""

from __future__ import annotations

from typing import Any

import msgspec

from handlers.analytics import creative, rates
from handlers.analytics.creative import CreativeFactor
from handlers.analytics.estimate import Driver, ModelCard
from handlers.analytics.intervals import Interval
from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import RatedVideoInput, VideoStats

MODEL = ModelCard(
    id="account-beta-binomial-1",
    trained_on="the impressions and clicks of this account's earlier videos, given with the video",
)


_TOO_LITTLE = (
    f"a rate needs stats.account with {rates.MIN_VIDEOS} earlier videos and {rates.MIN_IMPRESSIONS} "
    "impressions; until then videos can only be ordered"
)


class CtrResult(msgspec.Struct, frozen=True, kw_only=True):
    """`estimate` is clicks per impression. `relative_rank` orders videos of one account and does nothing
    else: its scale was fitted to nothing.
    """

    estimate: float | None
    interval: Interval | None
    basis: str
    n_observations: int
    model: ModelCard
    relative_rank: float | None
    relative_rank_calibration: str
    creative: CreativeFactor | None
    drivers: list[Driver]
    warnings: list[str]


@handler(
    task="ctr_prediction",
    kind="cpu",
    version="1",
    needs=("hook_analysis", "face_detection", "scene_detection"),
)
def ctr_prediction(video: RatedVideoInput, context: Context) -> CtrResult:
    """Estimates a video's click-through rate from the account's history, or says that it cannot."""
    stats = video.stats or VideoStats()
    measures = measures_of(context.results)
    if not rates.is_enough(stats.account):
        return _without_history(stats, measures)
    prior = rates.fit_prior(stats.account)
    factor = creative.creative_factor(stats.account, prior, measures)
    moved = rates.RatePrior(mean=min(0.99, prior.mean * factor.factor), strength=prior.strength)
    rate, interval = rates.interval_of(moved, stats.own, rates.measure_coverage(stats.account))
    return CtrResult(
        estimate=round(rate, 6),
        interval=interval,
        basis="account_history",
        n_observations=len(stats.account),
        model=MODEL,
        relative_rank=rank_of(measures),
        relative_rank_calibration="none",
        creative=factor,
        drivers=_drivers(stats, prior, factor),
        warnings=_warnings(interval, measures),
    )


def measures_of(results: dict[str, Any]) -> dict[str, float]:
    """The creative measures in the results of other tasks, as far as there are any."""
    measures: dict[str, float] = {}
    if hook := results.get("hook_analysis"):
        measures["hook_score"] = float(hook["hook_score"])
    if faces := results.get("face_detection"):
        measures["face_time_ratio"] = float(faces["face_time_ratio"])
    if (scenes := results.get("scene_detection")) and scenes["duration_s"] > 0:
        measures["cuts_per_s"] = round((scenes["scene_count"] - 1) / scenes["duration_s"], 4)
    return measures


def rank_of(measures: dict[str, float]) -> float | None:
    """A number to order videos by: the hook counts most, then faces, then pace up to a cut a second."""
    if "hook_score" not in measures:
        return None
    faces, pace = measures.get("face_time_ratio", 0.0), min(1.0, measures.get("cuts_per_s", 0.0))
    return round(0.6 * measures["hook_score"] + 0.25 * faces + 0.15 * pace, 4)


def _without_history(stats: VideoStats, measures: dict[str, float]) -> CtrResult:
    return CtrResult(
        estimate=None,
        interval=None,
        basis="insufficient_data",
        n_observations=len(stats.account),
        model=MODEL,
        relative_rank=rank_of(measures),
        relative_rank_calibration="none",
        creative=None,
        drivers=[],
        warnings=[_TOO_LITTLE],
    )


def _drivers(stats: VideoStats, prior: rates.RatePrior, factor: CreativeFactor) -> list[Driver]:
    drivers = [
        Driver(name="account_rate", value=round(prior.mean, 6), effect=None, note="clicks per impression"),
        Driver(name="creative", value=None, effect=factor.factor, note=factor.note),
    ]
    if stats.own is not None and stats.own.impressions:
        rate = stats.own.clicks / stats.own.impressions
        drivers.append(Driver(name="own_delivery", value=round(rate, 6), effect=None, note="so far"))
    return drivers


def _warnings(interval: Interval, measures: dict[str, float]) -> list[str]:
    warnings = []
    if interval.measured_coverage is None:
        warnings.append("too few earlier videos to measure how often the interval holds")
    elif interval.measured_coverage < interval.level - 0.15:
        warnings.append("on this account's past the interval held less often than its level says")
    if not measures:
        warnings.append("the video's own measures were not at hand; only the account's history counts")
    return warnings
