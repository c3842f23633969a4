"""Days of users, drawn from the log's last fifth: who does what, when, and about which entity."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from bench.impact.actions import CAMPAIGN, UPLOAD, Rates
from predictor.actions import BUILTIN_ACTIONS
from predictor.dataset import Record
from predictor.history import LOGIN
from streams.contracts.tasks import Entity

DAY_S = 86_400
#: Day 0 is measured, the day before fills the caches, the day after shows which answers are still read.
DAYS = (-1, 0, 1)


class Step(NamedTuple):
    """What a user does. `at_s` counts from the start of the measured day; `session` is "" in the past."""

    at_s: float
    user: str
    session: str
    action: str
    entity: str
    entity_id: str


class BehaviourConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`users` who are active on the measured day. `pace` stretches the times within a session."""

    users: int
    rates: Rates
    pace: float = 1.0
    #: Actions before the first of the days that the histories begin with.
    past: int = 50
    #: Times the rates: how much people bring in, next to what they look at.
    brings: float = 1.0
    #: Whether every login opens the dashboard; in the log the first action is whatever it was.
    lands: bool = False
    #: Probability that an action turns to another of the user's entities; assumed, see the sensitivities.
    turns: float = 0.1


class Logged(NamedTuple):
    """One real session: its actions with their times in seconds."""

    began: int
    actions: tuple[tuple[float, str], ...]


class Population:
    """The log's users, and the days of its last fifth on which each was active."""

    def __init__(self, records: Sequence[Record], tested_share: float = 0.2) -> None:
        sessions: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
        for record in records:
            sessions[record.user, record.session].append((record.at_ms / 1000, record.action))
        self.sessions: dict[str, list[Logged]] = defaultdict(list)
        for (user, _), actions in sessions.items():
            self.sessions[user].append(Logged(int(actions[0][0]), tuple(actions)))
        for found in self.sessions.values():
            found.sort()
        times = sorted(record.at_ms for record in records)
        first_day = times[int(len(times) * (1 - tested_share))] // 1000 // DAY_S + 2
        last_day = times[-1] // 1000 // DAY_S - 1
        self.user_days = sorted(
            {
                (user, one.began // DAY_S)
                for user, found in self.sessions.items()
                for one in found
                if first_day <= one.began // DAY_S < last_day
            }
        )
        #: Seconds between two actions of a session; also drawn from for the one between login and the first.
        self.gaps = sorted(
            b[0] - a[0]
            for found in self.sessions.values()
            for one in found
            for a, b in zip(one.actions, one.actions[1:], strict=False)
        )


class _Hands:
    """What one user has: its entities, and which of each kind it is working on."""

    def __init__(self, user: str, draw: random.Random, turns: float) -> None:
        self._user = user
        self._draw = draw
        self._turns = turns
        self.owned: dict[str, list[str]] = {Entity.VIDEO: [], Entity.CAMPAIGN: []}
        self._focus: dict[str, str] = {}

    def make(self, entity: str) -> str:
        made = f"{self._user}-{entity[0]}{len(self.owned[entity])}"
        self.owned[entity].append(made)
        self._focus[entity] = made
        return made

    def turn(self) -> None:
        """A new session: newer entities are likelier, each half as likely as the next newer one."""
        for entity, owned in self.owned.items():
            back = min(int(-math.log2(1.0 - self._draw.random())), len(owned) - 1)
            self._focus[entity] = owned[-1 - back]

    def about(self, entity: str) -> str:
        if entity == Entity.USER:
            return self._user
        if self._draw.random() < self._turns:
            self._focus[entity] = self._draw.choice(self.owned[entity])
        return self._focus[entity]


def draw_steps(
    population: Population, config: BehaviourConfig, seed: int
) -> tuple[list[Step], dict[str, str]]:
    """Everybody's steps in order of time, and the log's user that each of ours is."""
    draw = random.Random(seed)
    steps: list[Step] = []
    origins: dict[str, str] = {}
    for number in range(config.users):
        origin, day = draw.choice(population.user_days)
        user = f"u{seed}-{number}"
        origins[user] = origin
        steps += _steps_of(user, population, config, (origin, day), draw)
    steps.sort(key=lambda step: step.at_s)
    return steps, origins


def _steps_of(
    user: str, population: Population, config: BehaviourConfig, whose: tuple[str, int], draw: random.Random
) -> list[Step]:
    origin, day = whose
    first = (day + DAYS[0]) * DAY_S
    sessions = population.sessions[origin]
    past = [one for one in sessions if one.began < first]
    kept = 0
    for back, one in enumerate(reversed(past), 1):
        kept += len(one.actions)
        if kept >= config.past:
            past = past[-back:]
            break
    days = [one for one in sessions if first <= one.began < (day + DAYS[-1] + 1) * DAY_S]
    hands = _Hands(user, draw, config.turns)
    began = (past or days)[0].began - day * DAY_S - 60.0
    steps = [
        Step(began, user, "", UPLOAD, Entity.VIDEO, hands.make(Entity.VIDEO)),
        Step(began, user, "", CAMPAIGN, Entity.CAMPAIGN, hands.make(Entity.CAMPAIGN)),
    ]
    for number, one in enumerate([*past, *days]):
        plan = _plan(one, one.began - day * DAY_S, draw.choice(population.gaps), config, draw)
        steps += _steps_in(plan, "" if number < len(past) else f"{user}.{number}", hands)
    return steps


def _plan(
    logged: Logged, start: float, login_gap_s: float, config: BehaviourConfig, draw: random.Random
) -> list[tuple[float, str]]:
    """Logs in a gap of the log's before the first action; uploads and campaigns come at their rates."""
    plan = [(start - login_gap_s * config.pace, LOGIN)]
    plan += [(start + (at - logged.began) * config.pace, action) for at, action in logged.actions]
    if config.lands:
        plan.insert(1, (draw.uniform(plan[0][0], plan[1][0]), "view_dashboard"))
    for action, rate in ((UPLOAD, config.rates.uploads), (CAMPAIGN, config.rates.campaigns)):
        for _ in range(_poisson(rate * config.brings, draw)):
            after = draw.randrange(len(plan) - 1)
            at = draw.uniform(plan[after][0], plan[after + 1][0])
            plan.insert(after + 1, (at, action))
    return plan


def _steps_in(plan: list[tuple[float, str]], session: str, hands: _Hands) -> list[Step]:
    """Which of the user's entities each action is about."""
    hands.turn()
    user = hands.about(Entity.USER)
    steps = []
    for at, action in plan:
        spec = BUILTIN_ACTIONS.get(action)
        entity = spec.entity if spec is not None else Entity.USER
        makes = action in (UPLOAD, CAMPAIGN)
        steps.append(
            Step(at, user, session, action, entity, hands.make(entity) if makes else hands.about(entity))
        )
    return steps


def _poisson(rate: float, draw: random.Random) -> int:
    """Knuth's way; rates here are below one."""
    limit, product, count = math.exp(-rate), draw.random(), 0
    while product > limit:
        product *= draw.random()
        count += 1
    return count
