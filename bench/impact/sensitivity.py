"""What the outcome hangs on: one thing changed at a time, next to a demand-only cache with that change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bench.impact.behaviour import BehaviourConfig
from bench.impact.replays import PRICES, Figures, Stage, mean
from bench.impact.side_by_side import side_by_side
from bench.impact.worlds import Setup, World


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A change: of settings, of the setup, of behaviour, or of the model."""

    name: str
    settings: dict[str, Any] = {}
    setup: dict[str, Any] = {}
    behaviour: dict[str, Any] = {}
    world: World = World.PREDICTOR
    shipped: bool = False


BASE = Variant(name="as it is")
VARIANTS = (
    BASE,
    Variant(name="predictor off", world=World.TRIGGERS),
    Variant(name="predictor as shipped, untrained", shipped=True),
    Variant(name="computing at 0.1 of waiting's price (PRECOMPUTE_ACT_ABOVE)", settings={"act_above": 0.1}),
    Variant(name="computing at 0.2", settings={"act_above": 0.2}),
    Variant(name="computing at 0.3", settings={"act_above": 0.3}),
    Variant(name="computing at 0.7", settings={"act_above": 0.7}),
    Variant(name="TTLs a quarter", setup={"ttl": 0.25}),
    Variant(name="TTLs fourfold", setup={"ttl": 4.0}),
    Variant(name="think time a quarter", behaviour={"pace": 0.25}),
    Variant(name="think time fourfold", behaviour={"pace": 4.0}),
    Variant(name="no refresh ahead of expiry", setup={"refreshes": False}),
    Variant(
        name="refresh only from 00:00 to 06:00 (PRECOMPUTE_OFF_PEAK)", settings={"off_peak": "00:00-06:00"}
    ),
    Variant(name="no refresh ahead, predictor off", setup={"refreshes": False}, world=World.TRIGGERS),
    Variant(name="triggers weighed by use (PRECOMPUTE_TRIGGERS)", world=World.WEIGHED),
    Variant(name="weighed, computing at 0.1", world=World.WEIGHED, settings={"act_above": 0.1}),
    Variant(name="weighed, computing at 0.2", world=World.WEIGHED, settings={"act_above": 0.2}),
    Variant(name="weighed, computing at 0.3", world=World.WEIGHED, settings={"act_above": 0.3}),
    Variant(name="weighed, no refresh ahead", world=World.WEIGHED, setup={"refreshes": False}),
    Variant(
        name="weighed, refresh only from 00:00 to 06:00",
        world=World.WEIGHED,
        settings={"off_peak": "00:00-06:00"},
    ),
    Variant(
        name="weighed, computing at 0.7, no refresh ahead",
        world=World.WEIGHED,
        settings={"act_above": 0.7},
        setup={"refreshes": False},
    ),
    Variant(name="each task of a video takes 2 to 5 s", setup={"platform_video": True}),
    Variant(name="people bring in a quarter of the videos and campaigns", behaviour={"brings": 0.25}),
    Variant(name="every login opens the dashboard", behaviour={"lands": True}),
    Variant(name="users stay with one entity a session", behaviour={"turns": 0.0}),
    Variant(name="users turn to any entity at each action", behaviour={"turns": 1.0}),
)
#: What a quick run looks at.
QUICK = (
    "as it is",
    "predictor off",
    "computing at 0.2",
    "no refresh ahead of expiry",
    "weighed, no refresh ahead",
)


def rows(
    stage: Stage, seeds: Sequence[int], variants: Sequence[Variant], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    found = []
    for row in side_by_side(stage, _row, [(variant, tuple(seeds)) for variant in variants]):
        found.append(row)
        say(f"{row['what is different']}: hit {row['hit %']} %")
    return found


def _row(stage: Stage, changed: tuple[Variant, tuple[int, ...]]) -> dict[str, Any]:
    variant, seeds = changed
    ours = [_figures(stage, variant, variant.world, seed) for seed in seeds]
    demand = [_figures(stage, variant, World.DEMAND, seed) for seed in seeds]
    requests = mean(ours, "requests")
    return {
        "what is different": variant.name,
        "hit %": round(mean(ours, "hit") * 100, 1),
        "demand-only hit %": round(mean(demand, "hit") * 100, 1),
        "event-triggered hit %": round(mean(ours, "triggered_hit") * 100, 1),
        "p50 s": round(mean(ours, "request_s_p50"), 3),
        "p95 s": round(mean(ours, "request_s_p95"), 2),
        "session p50 s": round(mean(ours, "session_s_p50"), 2),
        "predicted jobs per 100 requests": round(mean(ours, "jobs_predicted") / requests * 100, 1),
        "predicted never read %": round(mean(ours, "waste_predicted_jobs") * 100, 1),
        "CPU, times demand-only": _ratio(ours, demand, "cpu_s"),
        "peak CPU, times demand-only": _ratio(ours, demand, "peak_cpu_s"),
        "API calls, times demand-only": _ratio(ours, demand, "calls"),
    }


def _ratio(ours: Sequence[Figures], others: Sequence[Figures], name: str) -> float:
    return round(mean(ours, name) / mean(others, name), 2)


def _figures(stage: Stage, variant: Variant, world: World, seed: int) -> Figures:
    setup: Setup = msgspec.structs.replace(
        stage.setup,
        settings=stage.setup.settings.model_copy(update=variant.settings),
        **variant.setup,
    )
    behaviour: BehaviourConfig = msgspec.structs.replace(stage.behaviour, **variant.behaviour)
    account = stage.replay(world, seed, setup=setup, behaviour=behaviour, shipped=variant.shipped)
    return account.figures(PRICES)
