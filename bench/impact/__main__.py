"""`python -m bench.impact [--quick]`: a day of real behaviour in five worlds."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from bench import published
from bench.impact import live, plots, search, sensitivity, targets
from bench.impact.replays import LOG, Figures, Stage, figures_of, mean, with_interval
from bench.impact.side_by_side import side_by_side
from bench.impact.worlds import CORES, SLOTS, World
from bench.report import FOLDER, write_parts

#: Users active on the measured day; the search goes far beyond.
USERS, QUICK_USERS = 150, 100
SEEDS, QUICK_SEEDS = 5, 2
#: The sensitivities change one thing at a time, so that the same people do.
SENSITIVITY_USERS, SENSITIVITY_SEEDS = 100, 1
#: The last share of the log that a quick run trains on, a third of it to be replayed.
QUICK_LOG = 0.6
#: Hours of the accelerated run, each of them a minute, after as many to fill the cache, but one at most.
LIVE_USERS, LIVE_HOURS, QUICK_LIVE_HOURS = 100, 1.5, 0.5
#: The part that is run on real servers.
LIVE = "Confirmed"
#: Above what any world reached; the search ends where a world fails.
MOST_USERS, QUICK_MOST_USERS = 1_280, 160

DESCRIPTION = f"""\
A day of people's behaviour, replayed. The people are drawn from a public log of {{people}} GitHub \
contributors: each is one of its user-days of the log's last fifth, with the times and the order of its \
actions as they were. The log's action types take the platform's names by rank; logins stand before each \
session in a gap drawn from the log's own; uploads and campaigns come at the rates of the shipped \
population. The day before fills caches, the day after shows what is still read. The predictor was \
trained on the log's first four fifths.

What decides is the system's own code: slices, triggers, predictor, policy, conditions, freshness, \
holdout, priority queues, overload guard, refresh. Slots ({SLOTS}), cores ({CORES}), the cache's scripts \
and the clock are simulated, so that days pass in seconds; the part `Confirmed` runs some hours of it on \
a real broker, a real cache and the three roles. A video's tasks take what `handlers.json` measured; a \
generation of variants 10 to 15 s at a provider, a dashboard or an analysis 2 to 3 s of a core, as the \
platform says. Overheads are those of `line.json` and `read.json`. Nothing was tuned: settings are the \
defaults, but for `PRECOMPUTE_TRIGGERS=weighed` in the world of that name.

`hit`: all answers of a request were there, fresh or stale. `event-triggered`: an event had asked for \
all of them, so lately that they could still be served. A request waits for all its answers, a session \
is the sum of its requests. `waste`: what nobody read before it vanished. Intervals are 95 % over \
{{seeds}} seeds."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--only", choices=["simulated", "confirmed"], help="measures that anew, keeps the rest"
    )
    given = parser.parse_args()
    quick: bool = given.quick
    if not LOG.exists():
        sys.stdout.write(f"skipped: the public logs are not at {LOG.parent}\n")
        return 0
    stage = Stage(QUICK_USERS, QUICK_LOG) if quick else Stage(USERS)
    seeds = range(1, (QUICK_SEEDS if quick else SEEDS) + 1)
    parts = _kept() if given.only else {}
    if given.only != "confirmed":
        parts = _simulated(stage, seeds, quick=quick) | {name: parts[name] for name in parts if name == LIVE}
    if given.only != "simulated":
        hours = QUICK_LIVE_HOURS if quick else LIVE_HOURS
        parts[LIVE] = live.compare(stage, 1, users=LIVE_USERS, hours=hours, say=_say)
    people = len(stage.population.sessions)
    write_parts(
        "impact",
        "What it changes: a day replayed",
        "make bench BENCH_ARGS=" + ('"impact --quick"' if quick else "impact"),
        parts,
        description=DESCRIPTION.format(people=people, seeds=len(seeds))
        + "\n\n![waits](impact-waits.svg)\n\n![CPU by hour](impact-hours.svg)",
    )
    return 0


def _simulated(stage: Stage, seeds: range, *, quick: bool) -> dict[str, list[dict[str, Any]]]:
    found = _measure(stage, seeds)
    limits = _capacities(stage, quick=quick)
    tried = _sensitivity(stage, quick=quick)
    _draw(stage)
    return {
        "Worlds": [_world(world, found) for world in World],
        "What was promised": targets.rows(found, limits, tried),
        "Users on the same cores": [_limit(stage, world, limits[world]) for world in World],
        "Sensitivity": tried,
    }


def _kept() -> dict[str, list[dict[str, Any]]]:
    """The parts of the last report."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in published.rows("impact"):
        parts.setdefault(row.pop("part"), []).append(row)
    return parts


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _world(world: World, found: dict[World, list[Figures]]) -> dict[str, Any]:
    runs, demand, none = found[world], found[World.DEMAND], found[World.NO_CACHE]

    def shown(name: str, scale: float = 1.0, digits: int = 2) -> str:
        return with_interval([run[name] * scale for run in runs], digits)

    return {
        "world": world.value,
        "requests": round(mean(runs, "requests")),
        **{f"request p{p} s": shown(f"request_s_p{p}", digits=3 if p == 50 else 2) for p in (50, 95, 99)},
        **{f"session p{p} s": shown(f"session_s_p{p}") for p in (50, 95, 99)},
        "hit %": shown("hit", 100, 1),
        "event-triggered hit %": shown("triggered_hit", 100, 1),
        "event-triggered share %": shown("triggered_share", 100, 1),
        "requests that compute": shown("waiting_computations", 1, 0),
        "CPU s": shown("cpu_s", 1, 0),
        "peak CPU s": shown("peak_cpu_s", 1, 0),
        "API calls": shown("calls", 1, 0),
        "US$": shown("dollars", 1, 2),
        "CPU, times no cache": round(mean(runs, "cpu_s") / mean(none, "cpu_s"), 2),
        "US$, times no cache": round(mean(runs, "dollars") / mean(none, "dollars"), 2),
        "CPU, times demand-only": round(mean(runs, "cpu_s") / mean(demand, "cpu_s"), 2),
        "triggered never read %": shown("waste_triggered_jobs", 100, 1),
        "refreshed never read %": shown("waste_refresh_jobs", 100, 1),
        "predicted never read %": shown("waste_predicted_jobs", 100, 1),
        "predicted jobs": shown("jobs_predicted", 1, 0),
    }


def _measure(stage: Stage, seeds: range) -> dict[World, list[Figures]]:
    """The figures of every world for each seed."""
    found: dict[World, list[Figures]] = {world: [] for world in World}
    runs = [(seed, world) for seed in seeds for world in World]
    for (seed, world), figures in zip(runs, side_by_side(stage, figures_of, runs), strict=True):
        found[world].append(figures)
        _say(f"seed {seed}: {world}: hit {figures['hit']:.3f}")
    return found


def _capacities(stage: Stage, *, quick: bool) -> dict[World, dict[str, Any]]:
    most, factor = (QUICK_MOST_USERS, 2.5) if quick else (MOST_USERS, search.FACTOR)
    asked = [search.Asked(world=world, seed=1, largest=most, factor=factor) for world in World]
    return dict(zip(World, side_by_side(stage, search.capacity, asked), strict=True))


def _limit(stage: Stage, world: World, limit: dict[str, Any]) -> dict[str, Any]:
    idle = search.all_within_limit(stage, world, 1)
    return {
        "world": world.value,
        "p95 of all requests, idle, s": round(idle, 2),
        "users at p95 < 200 ms": "none" if idle >= search.LIMIT_S else "see the search",
        "users at p95 of waiting for cores < 200 ms": limit["users"],
        "fails at": limit["fails_at"] or "not reached",
        "tried (users: p95 s)": ", ".join(f"{users}: {p95}" for users, p95 in limit["tried"].items()),
    }


def _sensitivity(stage: Stage, *, quick: bool) -> list[dict[str, Any]]:
    variants = [one for one in sensitivity.VARIANTS if not quick or one.name in sensitivity.QUICK]
    users = QUICK_USERS if quick else SENSITIVITY_USERS
    stage.behaviour, before = msgspec.structs.replace(stage.behaviour, users=users), stage.behaviour
    try:
        return sensitivity.rows(stage, range(1, 2 if quick else SENSITIVITY_SEEDS + 1), variants, _say)
    finally:
        stage.behaviour = before


def _draw(stage: Stage) -> None:
    accounts = {world: stage.replay(world, 1) for world in World}
    plots.waits({world: one.waits() for world, one in accounts.items()}, FOLDER / "impact-waits.svg")
    plots.hours({world: one.by_hour for world, one in accounts.items()}, FOLDER / "impact-hours.svg")


if __name__ == "__main__":
    sys.exit(main())
