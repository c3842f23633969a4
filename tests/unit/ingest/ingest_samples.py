"""A slice processor over plain dictionaries, and records as they come from a topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any

import msgspec

from predictor.actions import BUILTIN_ACTIONS
from predictor.history import Action, History
from predictor.holdout import HoldoutConfig
from predictor.model import Prediction
from predictor.policy import PolicyConfig
from streams.contracts.clock import ManualClock
from streams.contracts.tasks import BUILTIN_TASKS
from streams.contracts.triggers import BUILTIN_TRIGGERS, TriggerTable
from streams.ingest.anticipation import Anticipator, NoAnticipation
from streams.ingest.conditions import Conditions, ConditionsConfig
from streams.ingest.effects import Effects
from streams.ingest.partitions import partition_of
from streams.ingest.scoring import PredictionScores
from streams.ingest.shadowing import Shadowing
from streams.ingest.slices import SliceProcessor
from streams.ingest.speculation import SpeculationConfig, Speculator
from streams.ingest.state import Inputs, UserState, UserStates, decode_user

PARTITIONS = 4
GAP_MS = 1_800_000
START_MS = 1_700_000_000_000
_offsets = count()


class FixedModel:
    """Predicts the same for everybody and remembers what it was shown."""

    version = "fixed"

    def __init__(self, **probabilities: float) -> None:
        self.probabilities = probabilities
        self.observed: list[str] = []

    def predict_many(self, histories: Sequence[History], now_ms: int) -> list[Prediction]:  # noqa: ARG002
        names, shares = zip(*self.probabilities.items(), strict=True)
        return [Prediction(list(names), list(shares), self.version) for _ in histories]

    def observe(self, history: History, action: Action) -> None:  # noqa: ARG002 (the model's signature)
        self.observed.append(action.name)


class Stream:
    """The tables, and what processes them; `process` reads one slice."""

    def __init__(
        self,
        *,
        model: FixedModel | None = None,
        most_entities: int = 200,
        holdout: float = 0.0,
        conditions: ConditionsConfig | None = None,
        predicts: bool = True,
    ) -> None:
        self.clock = ManualClock(START_MS / 1000)
        self.users: dict[bytes, bytes] = {}
        self.inputs: dict[bytes, bytes] = {}
        self.scores = PredictionScores(self.clock)
        self.model = model or FixedModel(view_dashboard=0.9, END=0.1)
        self.conditions = Conditions(
            self.scores, BUILTIN_ACTIONS, conditions or ConditionsConfig(user_budget=1000), self.clock
        )
        speculation = SpeculationConfig(
            job_ttl_ms=600_000, holdout=HoldoutConfig(fraction=holdout, salt="1"), policy=PolicyConfig()
        )
        self.shadowing = Shadowing()
        self.anticipation = Anticipator(
            self.model,  # type: ignore[arg-type]
            Speculator(self.model, BUILTIN_ACTIONS, self.conditions, speculation),  # type: ignore[arg-type]
            self.scores,
            self.shadowing,
        )
        self.processor = SliceProcessor(
            triggers=TriggerTable(BUILTIN_TRIGGERS, BUILTIN_TASKS),
            tasks=BUILTIN_TASKS,
            anticipation=self.anticipation if predicts else NoAnticipation(),
            partitions=PARTITIONS,
            most_entities=most_entities,
            clock=self.clock,
        )

    def process(self, *records: Any) -> Effects:
        effects = self.processor.process(records, UserStates(self.users, GAP_MS), Inputs(self.inputs))
        found = effects.speculations
        effects.adopt(found)
        self.anticipation.expect(found)
        return effects

    def state(self, user_id: str = "u1") -> UserState:
        return decode_user(self.users[user_id.encode()])

    def names(self, user_id: str = "u1") -> list[str]:
        return [action.name for action in self.state(user_id).history.actions]


def record(
    kind: str,
    data: Mapping[str, Any] | None = None,
    *,
    user: str = "u1",
    topic: str = "users",
    offset: int | None = None,
    at_ms: int = START_MS,
    partition: int | None = None,
    headers: Sequence[tuple[str, bytes | None]] = (),
    event_id: str | None = None,
) -> Any:
    """An event in plain JSON, on the right partition unless another is given."""
    number = next(_offsets) if offset is None else offset
    body = {"type": kind, "id": event_id or f"e{number}", "data": {"user_id": user, **(data or {})}}
    return raw_record(
        msgspec.json.encode(body),
        user.encode(),
        topic=topic,
        offset=number,
        at_ms=at_ms,
        partition=partition,
        headers=headers,
    )


def raw_record(
    value: bytes | None,
    key: bytes | None = b"u1",
    *,
    topic: str = "users",
    offset: int | None = None,
    at_ms: int = START_MS,
    partition: int | None = None,
    headers: Sequence[tuple[str, bytes | None]] = (),
) -> Any:
    return SimpleNamespace(
        topic=f"precompute.events.{topic}",
        partition=partition_of(key or b"", PARTITIONS) if partition is None else partition,
        offset=next(_offsets) if offset is None else offset,
        timestamp=at_ms,
        key=key,
        value=value,
        headers=tuple(headers),
    )


def upload(video: str = "v1", **fields: Any) -> Any:
    data = fields.pop("data", {})
    return record(
        "video.uploaded", {"video_id": video, "uri": "file:///a.mp4", **data}, topic="videos", **fields
    )
