"""How many users the same cores serve, found by trying.

Two questions. The first is the literal one: at how many users are 95 % of all requests answered within
200 ms? The second can be asked of every world: up to how many users does waiting for a free core or slot stay
below 200 ms for 95 % of the requests of the busiest hour? A request's computing itself is not counted there:
each day is replayed twice, with these cores and with endless ones, and the difference is what the cores cost.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from typing import Any

import msgspec

from bench.impact.behaviour import DAY_S, Step, draw_steps
from bench.impact.model import for_replay
from bench.impact.replays import Stage
from bench.impact.worlds import Replay, World
from bench.report import percentile

LIMIT_S = 0.2
SHARE = 0.95
#: More slots and cores than there are ever jobs.
ENDLESS = 1_000_000
#: The history that the search begins with: enough for the model, a fifth of the time.
PAST = 10
#: Where the search begins, and how near it comes: what passes is within this factor of what fails.
SMALLEST, FACTOR = 10, 1.25
#: Few enough that nobody waits for a core.
IDLE_USERS = 100


def all_within_limit(stage: Stage, world: World, seed: int) -> float:
    """p95 of the wait in seconds with hardly any load: no number of users makes it smaller."""
    behaviour = msgspec.structs.replace(stage.behaviour, users=IDLE_USERS, past=PAST)
    return percentile(stage.replay(world, seed, behaviour=behaviour).waits(), SHARE)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A world, no more users than `largest`, and what passes within `factor` of what fails."""

    world: World
    seed: int
    largest: int
    factor: float


def capacity(stage: Stage, asked: Asked) -> dict[str, Any]:
    """Users up to which the busiest hour's queueing stays below the limit; doubles, then halves the gap."""
    tried: dict[int, float] = {}

    def passes(users: int) -> bool:
        tried[users] = queueing(stage, asked.world, asked.seed, users)
        sys.stdout.write(f"{asked.world}: {users} users: p95 of queueing {tried[users] * 1000:.0f} ms\n")
        sys.stdout.flush()
        return tried[users] < LIMIT_S

    good, bad = 0, 0
    for users in itertools.takewhile(
        lambda n: n <= asked.largest, (SMALLEST * 2**n for n in itertools.count())
    ):
        if not passes(users):
            bad = users
            break
        good = users
    while bad and good and bad / good > asked.factor:
        middle = int((good * bad) ** 0.5)
        if passes(middle):
            good = middle
        else:
            bad = middle
    return {
        "users": good,
        "fails_at": bad or None,
        "tried": {n: round(s, 3) for n, s in sorted(tried.items())},
    }


def queueing(stage: Stage, world: World, seed: int, users: int) -> float:
    """p95 over the busiest hour of the seconds that these cores add to a request's wait."""
    behaviour = msgspec.structs.replace(stage.behaviour, users=users, past=PAST)
    steps, origins = draw_steps(stage.population, behaviour, seed)
    hour = _busiest_hour(steps)
    steps = [step for step in steps if step.at_s < (hour + 1) * 3600]
    window = (hour * 3600.0, (hour + 1) * 3600.0)
    settings = stage.setup.settings.model_copy(update={"workers": ENDLESS, "cpu_processes": ENDLESS})
    waits = []
    for cores in (stage.setup.settings, settings):
        setup = msgspec.structs.replace(stage.setup, settings=cores, window=window)
        waits.append(_waits(Replay(world, setup, for_replay(stage.files, origins), seed), steps))
    added = [limited - endless for limited, endless in zip(*waits, strict=True)]
    return percentile(added, SHARE)


def _waits(replay: Replay, steps: list[Step]) -> list[float]:
    return [one.waited or 0.0 for one in replay.run(steps).requests]


def _busiest_hour(steps: list[Step]) -> int:
    hours = Counter(int(step.at_s // 3600) for step in steps if 0 <= step.at_s < DAY_S)
    return hours.most_common(1)[0][0]
