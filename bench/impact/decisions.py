"""The streams role of a simulated world: every decision is the real component's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any

import msgspec

from bench.impact.answers import Answers
from bench.impact.behaviour import Step
from bench.impact.clockwork import Clockwork
from bench.impact.workers import SimulatedWorker
from predictor.actions import BUILTIN_ACTIONS
from predictor.history import LOGIN
from predictor.holdout import HoldoutConfig
from predictor.model import Model
from predictor.policy import PolicyConfig
from streams.contracts.clock import millis
from streams.contracts.events import EventType
from streams.contracts.tasks import BUILTIN_TASKS
from streams.contracts.triggers import BUILTIN_TRIGGERS, TriggerTable
from streams.ingest.anticipation import Anticipation, Anticipator, NoAnticipation
from streams.ingest.conditions import Conditions, ConditionsConfig
from streams.ingest.effects import Effects
from streams.ingest.freshness import FreshnessFilter
from streams.ingest.partitions import partition_of
from streams.ingest.scoring import PredictionScores
from streams.ingest.shadowing import Shadowing
from streams.ingest.slices import SliceProcessor
from streams.ingest.speculation import SpeculationConfig, Speculator
from streams.ingest.state import Inputs, UserStates
from streams.ingest.weighing import TriggerWeighing, weighing_of
from streams.settings import Settings

PARTITIONS = 12
#: An edit changes what a campaign's answers are computed from.
EDIT = "edit_campaign"
#: How often the role's upkeep looks at prices and load, in seconds.
LOOK_EVERY_S = 2.0
_TOPICS = {EventType.VIDEO_UPLOADED: "videos", EventType.CAMPAIGN_CREATED: "campaigns"}


class SimulatedFreshness(FreshnessFilter):
    """The real filter; only its look into Redis is a look into the simulated cache."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def _fresh(self, keys: Sequence[str]) -> frozenset[str]:
        return frozenset(key for key in keys if self._answers.is_fresh(key))


class Decisions:
    """Events in, what they cause out. Without a model nothing is predicted."""

    def __init__(
        self,
        settings: Settings,
        model: Model | None,
        clock: Clockwork,
        answers: Answers,
        worker: SimulatedWorker,
        *,
        triggers: bool,
    ) -> None:
        self._clock = clock
        self._worker = worker
        self._gap_ms = millis(settings.session_gap_s)
        self._users: dict[bytes, bytes] = {}
        self._table: dict[bytes, bytes] = {}
        self.inputs = Inputs(self._table)
        self._offsets = count()
        self._answers = answers
        self._freshness = SimulatedFreshness(answers)
        self._looked_at = float("-inf")
        scores = PredictionScores(clock)
        self._conditions = Conditions(scores, BUILTIN_ACTIONS, _conditions(settings), clock)
        self._anticipation: Anticipation = NoAnticipation()
        if model is not None:
            speculator = Speculator(model, BUILTIN_ACTIONS, self._conditions, _speculation(settings))
            self._anticipation = Anticipator(model, speculator, scores, Shadowing())

        self._weighing = weighing_of(settings, clock)

        def processor(anticipation: Anticipation, weighing: TriggerWeighing | None) -> SliceProcessor:
            return SliceProcessor(
                triggers=TriggerTable(BUILTIN_TRIGGERS if triggers else (), BUILTIN_TASKS),
                tasks=BUILTIN_TASKS,
                anticipation=anticipation,
                partitions=PARTITIONS,
                most_entities=settings.entities_per_user,
                clock=clock,
                weighing=weighing,
            )

        # What happened before the replay is in the trained model already: it is not learned twice.
        self._past = processor(NoAnticipation(), None)
        self._processor = processor(self._anticipation, self._weighing)

    def remember(self, step: Step) -> None:
        """Puts the step into histories and inputs; what it caused was long ago."""
        self._process(self._past, step)

    def take(self, step: Step) -> Effects:
        """Everything the step's events cause; predicted jobs whose answers are fresh are left out."""
        self._look()
        effects = self._process(self._processor, step)
        looking = self._freshness.apply(effects.speculations)
        try:
            looking.send(None)
        except StopIteration as done:
            self._anticipation.expect(done.value)
            effects.adopt(done.value)
        return effects

    def _look(self) -> None:
        """`PredictorUpkeep`: what answers were measured to take, and how busy the workers are."""
        if self._clock.at - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = self._clock.at
            self._conditions.measured(self._worker.seconds())
            self._conditions.load.update([self._worker.info()])
            if self._weighing is not None:
                self._weighing.use.update(self._answers.counters)
                self._weighing.load.update([self._worker.info()])

    def _process(self, processor: SliceProcessor, step: Step) -> Effects:
        records = [self._record(kind, data, step.user) for kind, data in events_of(step)]
        return processor.process(records, UserStates(self._users, self._gap_ms), self.inputs)

    def _record(self, kind: str, data: dict[str, Any], user: str) -> Any:
        number = next(self._offsets)
        body = {"type": kind, "id": f"e{number}", "data": {"user_id": user, **data}}
        key = user.encode()
        return SimpleNamespace(
            topic=f"precompute.events.{_TOPICS.get(EventType(kind), 'users')}",
            partition=partition_of(key, PARTITIONS),
            offset=number,
            timestamp=self._clock.now_ms,
            key=key,
            value=msgspec.json.encode(body),
            headers=(),
        )


def _conditions(settings: Settings) -> ConditionsConfig:
    return ConditionsConfig(
        enabled=True,
        act_above=settings.act_above,
        user_budget=settings.predicted_jobs_per_user,
        global_budget_s=settings.predicted_budget_s,
    )


def _speculation(settings: Settings) -> SpeculationConfig:
    return SpeculationConfig(
        job_ttl_ms=millis(settings.predicted_job_ttl_s),
        holdout=HoldoutConfig(fraction=settings.holdout, salt=settings.holdout_salt),
        policy=PolicyConfig(user_budget=settings.predicted_jobs_per_user, load_penalty=settings.load_penalty),
    )


def events_of(step: Step) -> list[tuple[str, dict[str, Any]]]:
    """What the platform publishes when the user does that: types and data."""
    if step.action == LOGIN:
        return [(EventType.USER_LOGGED_IN, {})]
    if step.action == "upload_video":
        return [(EventType.VIDEO_UPLOADED, {"video_id": step.entity_id, "uri": "/ad.mp4"})]
    if step.action == "create_campaign":
        return [(EventType.CAMPAIGN_CREATED, {"campaign_id": step.entity_id, "brief": {"product": "a"}})]
    about = {"entity": step.entity, "entity_id": step.entity_id}
    acted = (EventType.USER_ACTED, {"action": step.action, **about})
    return [(EventType.ENTITY_CHANGED, about), acted] if step.action == EDIT else [acted]
