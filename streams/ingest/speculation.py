"""From a user's history to predicted actions, decisions and jobs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from predictor.actions import ActionRegistry
from predictor.entities import Candidate, resolve
from predictor.history import END, History
from predictor.holdout import HoldoutConfig, draw_group, holdout_unit
from predictor.model import MAX_BATCH, Model, Prediction
from predictor.policy import Decision, Option, PolicyConfig, WhyNot, decide
from streams.cache.inputs import PredictedAction, UserPredictions
from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey
from streams.ingest.conditions import Conditions
from streams.ingest.state import Inputs

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


class Speculation(msgspec.Struct, frozen=True):
    """What was predicted for a user, and the jobs it is worth."""

    shown: UserPredictions
    prediction: Prediction
    jobs: tuple[Job, ...]


class Speculator:
    """Predicts for the users of a slice at once and decides what to compute. Keeps nothing."""

    def __init__(
        self, model: Model, actions: ActionRegistry, conditions: Conditions, config: SpeculationConfig
    ) -> None:
        self.model = model
        self._conditions = conditions
        self._actions = actions
        self._config = config

    def speculate(self, asked: Sequence[Asked], inputs: Inputs, now_ms: int) -> list[Speculation]:
        found: list[Speculation] = []
        for start in range(0, len(asked), MAX_BATCH):
            part = asked[start : start + MAX_BATCH]
            predictions = self.model.predict_many([one.history for one in part], now_ms)
            found += [
                self._decide(one, prediction, inputs, now_ms)
                for one, prediction in zip(part, predictions, strict=True)
            ]
        return found

    def _decide(self, asked: Asked, prediction: Prediction, inputs: Inputs, now_ms: int) -> Speculation:
        likeliest = prediction.ranked[:SHOWN]
        candidates = {
            action: self._candidates(action, probability, asked, inputs) for action, probability in likeliest
        }
        options = [
            self._option(action, probability, candidates[action], asked) for action, probability in likeliest
        ]
        decisions = decide(options, self._conditions.of(asked.user_id), self._config.policy)
        jobs: list[Job] = []
        shown = []
        for decision in decisions:
            started = self._jobs(decision, candidates[decision.action], asked, inputs, now_ms)
            jobs += started
            shown.append(_show(decision, tuple(job.key for job in started)))
        self._conditions.spend(asked.user_id, len(jobs))
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

    def _candidates(self, action: str, probability: float, asked: Asked, inputs: Inputs) -> list[Candidate]:
        """What the action would need computed and can be: entities whose input is known."""
        spec = self._actions.get(action)
        if spec is None:
            return []
        known: dict[str, bool] = {}
        found = []
        for candidate in resolve(spec, probability, asked.history):
            if candidate.entity_id not in known:
                known[candidate.entity_id] = inputs.get(candidate.entity, candidate.entity_id) is not None
            if known[candidate.entity_id]:
                found.append(candidate)
        return found

    def _option(
        self, action: str, probability: float, candidates: Sequence[Candidate], asked: Asked
    ) -> Option:
        """The decision is about the likeliest entity alone: its probability, its jobs."""
        best = _of_best_entity(candidates)
        wanted = [c for c in best if _key(c) not in asked.keys]
        return Option(
            action=action,
            probability=best[0].probability if best else probability,
            confidence=probability,
            jobs=len(wanted),
            price=self._conditions.price(action),
            blocked=self._blocked(action, best),
        )

    def _blocked(self, action: str, best: Sequence[Candidate]) -> WhyNot | None:
        spec = self._actions.get(action)
        if action == END:
            return WhyNot.END_OF_SESSION
        if spec is None:
            return WhyNot.UNKNOWN_ACTION
        if not spec.tasks:
            return WhyNot.NOTHING_TO_COMPUTE
        return None if best else WhyNot.NO_ENTITY

    def _jobs(
        self, decision: Decision, candidates: Sequence[Candidate], asked: Asked, inputs: Inputs, now_ms: int
    ) -> list[Job]:
        if not decision.acted_on or decision.priority is None:
            return []
        jobs = []
        for candidate in _of_best_entity(candidates):
            row = inputs.get(candidate.entity, candidate.entity_id)
            if row is None or _key(candidate) in asked.keys:
                continue
            unit = holdout_unit(candidate.entity, candidate.entity_id, asked.user_id)
            jobs.append(
                new_job(
                    CacheKey(candidate.task, candidate.entity, candidate.entity_id),
                    cause=f"{asked.cause}/{decision.action}",
                    user_id=asked.user_id,
                    priority=decision.priority,
                    why=Why.PREDICTED,
                    created_at=now_ms,
                    input_version=row.version,
                    payload=row.payload,
                    probability=candidate.probability,
                    group=draw_group(unit, self._config.holdout),
                    expires_at=now_ms + self._config.job_ttl_ms,
                )
            )
        return jobs


def _of_best_entity(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [c for c in candidates if c.entity_id == candidates[0].entity_id]


def _key(candidate: Candidate) -> str:
    return f"{candidate.task}:{candidate.entity}:{candidate.entity_id}"


def _show(decision: Decision, keys: tuple[str, ...]) -> PredictedAction:
    return PredictedAction(
        action=decision.action,
        probability=round(decision.probability, 6),
        confidence=round(decision.confidence, 6),
        acted_on=decision.acted_on,
        why_not=decision.why_not.value if decision.why_not is not None else None,
        keys=keys,
    )
