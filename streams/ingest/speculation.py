"""From a user's history to predicted actions, decisions and jobs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from predictor.actions import ActionRegistry, ActionSpec
from predictor.history import END, History
from predictor.holdout import HoldoutConfig, draw_group, holdout_unit
from predictor.model import MAX_BATCH, Model, Prediction
from predictor.policy import Decision, Option, PolicyConfig, WhyNot, decide
from streams.cache.inputs import PredictedAction, UserPredictions
from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey
from streams.ingest.conditions import Conditions
from streams.ingest.state import Inputs
from streams.ingest.subjects import Subjects

#: Outcomes shown to people; the rest of the distribution is noise to them.
SHOWN = 5


class SpeculationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How predictions become jobs; times in milliseconds."""

    job_ttl_ms: int
    holdout: HoldoutConfig
    policy: PolicyConfig


class Asked(msgspec.Struct, frozen=True):
    """A user whose slice ended in something that asks for a prediction."""

    user_id: str
    history: History
    cause: str
    #: Keys that the same event asked for already.
    keys: frozenset[str]
    #: When that event got into Kafka (ms).
    event_at: int | None = None


class Speculation(msgspec.Struct, frozen=True):
    """What was predicted for a user, and the jobs it is worth; `fresh`: those that have their answers."""

    shown: UserPredictions
    prediction: Prediction
    jobs: tuple[Job, ...]
    fresh: tuple[Job, ...] = ()


class Speculator:
    """Predicts for the users of a slice at once and decides what to compute. Keeps nothing."""

    def __init__(
        self, model: Model, actions: ActionRegistry, conditions: Conditions, config: SpeculationConfig
    ) -> None:
        self._model = model
        self._conditions = conditions
        self._actions = actions
        self._config = config

    def speculate(self, asked: Sequence[Asked], inputs: Inputs, now_ms: int) -> list[Speculation]:
        found: list[Speculation] = []
        for start in range(0, len(asked), MAX_BATCH):
            part = asked[start : start + MAX_BATCH]
            predictions = self._model.predict_many([one.history for one in part], now_ms)
            found += [
                self._decide(one, prediction, inputs, now_ms)
                for one, prediction in zip(part, predictions, strict=True)
            ]
        return found

    def give_back(self, found: Sequence[Speculation]) -> None:
        """What is fresh already was paid for when it was decided, and is not computed."""
        for one in found:
            self._conditions.give_back(one.shown.user_id, one.fresh)

    def _decide(self, asked: Asked, prediction: Prediction, inputs: Inputs, now_ms: int) -> Speculation:
        subjects = Subjects(asked.history, inputs)
        options = [
            self._option(action, probability, subjects, asked)
            for action, probability in prediction.ranked[:SHOWN]
        ]
        decisions = decide(options, self._conditions.of(asked.user_id), self._config.policy)
        jobs: list[Job] = []
        shown = []
        for decision in decisions:
            started = self._jobs(decision, subjects, asked, now_ms) if decision.acted_on else []
            jobs += started
            shown.append(_show(decision, tuple(job.key for job in started)))
        self._conditions.spend(asked.user_id, jobs)
        return Speculation(
            UserPredictions(
                user_id=asked.user_id,
                predictions=tuple(shown),
                predicted_at=now_ms,
                model_version=prediction.version,
            ),
            prediction,
            tuple(jobs),
        )

    def _option(self, action: str, confidence: float, subjects: Subjects, asked: Asked) -> Option:
        """The decision is about the likeliest entity alone: its probability, its jobs."""
        spec = self._actions.get(action)
        blocked = _blocked(action, spec)
        subject = subjects.of(spec.entity) if spec is not None and spec.tasks else None
        if spec is None or subject is None:
            return Option(
                action=action,
                probability=confidence,
                confidence=confidence,
                jobs=0,
                blocked=blocked or WhyNot.NO_ENTITY,
            )
        tasks = [task for task in spec.tasks if subject.key(task) not in asked.keys]
        return Option(
            action=action,
            probability=confidence * subject.share,
            confidence=confidence,
            jobs=len(tasks),
            seconds=self._conditions.seconds(tasks),
            price=self._conditions.price(action),
        )

    def _jobs(self, decision: Decision, subjects: Subjects, asked: Asked, now_ms: int) -> list[Job]:
        spec = self._actions[decision.action]
        subject = subjects.of(spec.entity)
        if subject is None or decision.priority is None:
            return []
        unit = holdout_unit(subject.entity, subject.entity_id, asked.user_id)
        group = draw_group(unit, self._config.holdout)
        return [
            new_job(
                CacheKey(task, subject.entity, subject.entity_id),
                cause=f"{asked.cause}/{decision.action}",
                user_id=asked.user_id,
                priority=decision.priority,
                why=Why.PREDICTED,
                created_at=now_ms,
                input_version=subject.row.version,
                payload=subject.row.payload,
                probability=decision.probability,
                group=group,
                expires_at=now_ms + self._config.job_ttl_ms,
                event_at=asked.event_at,
            )
            for task in spec.tasks
            if subject.key(task) not in asked.keys
        ]


def _blocked(action: str, spec: ActionSpec | None) -> WhyNot | None:
    if action == END:
        return WhyNot.END_OF_SESSION
    if spec is None:
        return WhyNot.UNKNOWN_ACTION
    return None if spec.tasks else WhyNot.NOTHING_TO_COMPUTE


def _show(decision: Decision, keys: tuple[str, ...]) -> PredictedAction:
    return PredictedAction(
        action=decision.action,
        probability=round(decision.probability, 6),
        confidence=round(decision.confidence, 6),
        acted_on=decision.acted_on,
        why_not=decision.why_not.value if decision.why_not is not None else None,
        keys=keys,
    )
