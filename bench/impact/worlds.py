"""A day in one of five worlds: the same people, cores and answers; what differs is what is computed when."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import count

import msgspec

from bench.impact.account import Account, Request
from bench.impact.answers import Answers
from bench.impact.behaviour import DAY_S, DAYS, Step
from bench.impact.clockwork import Clockwork
from bench.impact.decisions import EDIT, Decisions
from bench.impact.durations import Durations
from bench.impact.workers import SimulatedWorker
from predictor.actions import BUILTIN_ACTIONS
from predictor.model import Model
from streams.cache.uses import MeasuredUse
from streams.contracts.jobs import Job, Priority, Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import BUILTIN_TASKS
from streams.settings import Settings
from streams.web.off_peak import OffPeak
from streams.web.upkeep import Candidate, choose, read_again, weigh

#: Jobs at once, as PRECOMPUTE_WORKERS says it: generations wait for a provider and leave the cores alone.
SLOTS = 16
CORES = 2
_TRIGGERED = frozenset({Why.UPLOAD, Why.CAMPAIGN, Why.LOGIN, Why.CHANGED})


class World(StrEnum):
    NO_CACHE = "no cache"
    DEMAND = "demand-only cache"
    TRIGGERS = "triggers only"
    PREDICTOR = "triggers + predictor"
    WEIGHED = "weighed triggers + predictor"


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a world runs with. `settings` are the system's own; overheads are seconds."""

    settings: Settings
    event_s: float
    job_s: float
    read_s: float
    ttl: float = 1.0
    #: Computing takes so many times its seconds; below 1 in accelerated time.
    scale: float = 1.0
    platform_video: bool = False
    #: Speculation, beside what events ask for: answers read again are computed anew before they expire.
    refreshes: bool = True
    #: The measured part of the day, in seconds.
    window: tuple[float, float] = (0.0, float(DAY_S))


class Replay:
    """One world, one set of people."""

    def __init__(self, world: World, setup: Setup, model: Model, seed: int) -> None:
        self.world = world
        self._setup = setup
        settings = setup.settings
        if world is World.WEIGHED:
            settings = settings.model_copy(update={"triggers": "weighed"})
        self._settings = settings
        self._clock = Clockwork()
        self.answers = Answers(
            self._clock, seed=seed, stale_s=settings.stale_s, jitter=settings.ttl_jitter, ttl=setup.ttl
        )
        durations = Durations(seed, platform_video=setup.platform_video, scale=setup.scale)
        self._worker = SimulatedWorker(settings, self._clock, self.answers, durations, setup.job_s)
        self._precomputes = world not in (World.NO_CACHE, World.DEMAND)
        self._decisions = Decisions(
            settings,
            model if world in (World.PREDICTOR, World.WEIGHED) else None,
            self._clock,
            self.answers,
            self._worker,
            triggers=self._precomputes,
        )
        self._asked_until: dict[str, float] = {}
        self._announced: dict[str, float] = {}
        self._requests = count()
        self._ended = False
        self._budget: tuple[int, float] = (0, 0.0)
        self._off_peak = OffPeak(settings.off_peak)
        self._use = MeasuredUse()
        self.account = Account(self.answers, self._worker, setup.window)

    def run(self, steps: Sequence[Step]) -> Account:
        began = float(DAYS[0] * DAY_S)
        self._clock.at = began
        if self._precomputes and self._setup.refreshes:
            self._clock.after(0.0, self._refresh)
        for step in steps:
            if step.at_s < began:
                self._remember(step)
            else:
                self._clock.run_until(step.at_s)
                self._take(step)
        self._ended = True
        self._clock.run_out()
        return self.account

    def _remember(self, step: Step) -> None:
        """Long ago: the history and the inputs are known, the answers have expired."""
        now, self._clock.at = self._clock.at, step.at_s
        self._decisions.remember(step)
        self._clock.at = now

    def _take(self, step: Step) -> None:
        """A page reads what it shows, and its event is published."""
        spec = BUILTIN_ACTIONS.get(step.action)
        if spec is not None and spec.tasks:
            self._ask(step, spec.tasks)
        effects = self._decisions.take(step)
        for key, at_ms in effects.invalidated.items():
            self.answers.invalidate(key, at_ms)
            # Whoever asks now is not content with what was asked for before.
            self._asked_until.pop(key, None)
        if self._precomputes:
            for outgoing in effects.jobs:
                self._send(outgoing.job)

    def _send(self, job: Job) -> None:
        if job.why in _TRIGGERED:
            self._announced[job.key] = self._clock.at
        self._clock.after(self._setup.event_s, lambda: self._worker.put(job))

    def _ask(self, step: Step, tasks: Sequence[str]) -> None:
        entity_id = step.entity_id
        if self.world is World.NO_CACHE:
            # Answers of its own for each request: it computes what it needs, each once, and forgets it.
            entity_id = f"{entity_id}~{next(self._requests)}"
        keys = [CacheKey(task, step.entity, entity_id) for task in tasks]
        request = Request(
            at=self._clock.at,
            user=step.user,
            session=step.session,
            tasks=tuple(tasks),
            announced=all(self._is_announced(key) for key in keys),
        )
        missing = [key for key in keys if self.answers.read(str(key)) is None]
        request.computes = len(missing)
        self.account.note(request)
        left = len(missing)
        if not missing:
            request.waited = self._setup.read_s
            return

        def woken() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                request.waited = self._clock.at - request.at + self._setup.read_s

        for key in missing:
            self.answers.when_finished(str(key), lambda key=key: (self.answers.read(str(key)), woken())[1])
            self._demand(key, step)

    def _is_announced(self, key: CacheKey) -> bool:
        """Whether an event asked for this answer so lately that its answer could still be served."""
        at = self._announced.get(str(key))
        ttl_s = BUILTIN_TASKS[key.task].ttl_s * self._setup.ttl + self._setup.settings.stale_s
        return at is not None and self._clock.at - at < ttl_s

    def _demand(self, key: CacheKey, step: Step, why: Why = Why.DEMAND) -> None:
        """`DemandDesk.ask`: whoever asks within `demand_quiet_s` joins the first."""
        name = str(key)
        if why is Why.DEMAND:
            if self._asked_until.get(name, -1.0) > self._clock.at:
                return
            self._asked_until[name] = self._clock.at + self._setup.settings.demand_quiet_s
        row = self._decisions.inputs.get(key.entity, key.entity_id.partition("~")[0])
        job = new_job(
            key,
            cause=f"demand/{self._clock.at}",
            user_id=step.user,
            priority=Priority.DEMAND if why is Why.DEMAND else Priority.REFRESH,
            why=why,
            created_at=self._clock.now_ms,
            input_version=row.version if row is not None else 0,
            recompute=why is Why.REFRESH,
        )
        self._worker.put(job)

    def _refresh(self) -> None:
        """`Upkeep.refresh`, by its own arithmetic and budget."""
        settings = self._settings
        now = self._clock.at
        expiring = self.answers.expiring_within(settings.refresh_ahead_s)
        if expiring and self._off_peak.is_open(self._clock.now()):
            seconds = self._worker.seconds()
            candidates = [
                Candidate(
                    CacheKey(kept.stored.task, *kept.stored.key.split(":")[1:]),
                    seconds.get(kept.stored.task, 1.0),
                    read_again(now - kept.read_at, BUILTIN_TASKS[kept.stored.task].ttl_s * self._setup.ttl),
                )
                for kept in expiring
                if kept.read_at is not None
            ]
            if settings.triggers == "weighed":
                self._use.update(self.answers.counters)
                candidates = weigh(candidates, self._use, str(int(now // 3600)))
            hour, spent = self._budget
            spent = spent if hour == int(now // 3600) else 0.0
            chosen = choose(candidates, settings.refresh_worth, settings.refresh_budget_s - spent)
            self._budget = (int(now // 3600), spent + sum(one.cost_s for one in chosen))
            for one in chosen:
                self._demand(one.key, Step(now, one.key.entity_id, "", EDIT, "", ""), Why.REFRESH)
        if not self._ended:
            self._clock.after(settings.refresh_every_s, self._refresh)
