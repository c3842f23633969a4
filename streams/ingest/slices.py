"""One slice of events: decoded, applied to histories, turned into everything it causes.

No I/O happens here: the agent sends what a slice caused and acknowledges it afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from predictor.history import END, LOGIN, Action
from streams.cache.inputs import UserPredictions
from streams.contracts.clock import Clock, millis
from streams.contracts.cloudevents import RecordPlace, decode_event
from streams.contracts.errors import EventError
from streams.contracts.events import (
    CampaignCreated,
    EntityChanged,
    Event,
    EventType,
    UserActed,
    VideoUploaded,
)
from streams.contracts.jobs import Job, Priority, Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import Entity, TaskCatalogue
from streams.contracts.triggers import TriggerTable
from streams.ingest.partitions import partition_of
from streams.ingest.scoring import PredictionScores
from streams.ingest.speculation import Asked, Speculation, Speculator
from streams.ingest.state import InputRow, Inputs, UserState, UserStates, input_version

#: Set on a record that was sent on to its right partition, so that it is sent on only once.
REROUTED = "precompute-rerouted"


class Outgoing(msgspec.Struct, frozen=True):
    """A job and the trace it belongs to."""

    job: Job
    traceparent: str | None


class Letter(msgspec.Struct, frozen=True):
    """A record that goes to the dead letters as it came, with the reason."""

    record: Any
    reason: str
    message: str


class Effects(msgspec.Struct):
    """Everything a slice causes."""

    jobs: list[Outgoing] = []
    letters: list[Letter] = []
    rerouted: list[Any] = []
    users: dict[str, UserState] = {}
    inputs: dict[str, InputRow | None] = {}
    speculations: list[Speculation] = []
    predictions: list[UserPredictions] = []
    #: Cache keys, each with the time (ms) before which its answers are invalid.
    invalidated: dict[str, int] = {}
    counts: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)

    def adopt(self, speculations: Sequence[Speculation], scores: PredictionScores) -> None:
        """Takes over what is left of the speculations once fresh answers are known."""
        for found in speculations:
            self.predictions.append(found.shown)
            self.jobs += [Outgoing(job, None) for job in found.jobs]
            acted_on = [one.action for one in found.shown.predictions if one.acted_on]
            scores.expect(found.shown.user_id, found.prediction, acted_on)
        self.speculations = []


class _Run(msgspec.Struct):
    """One slice being processed."""

    states: UserStates
    inputs: Inputs
    now_ms: int
    effects: Effects = msgspec.field(default_factory=Effects)
    asked: dict[str, Asked] = {}


class SliceProcessor:
    """Applies slices. Stateless but for the model, which learns from every action it sees."""

    def __init__(
        self,
        *,
        triggers: TriggerTable,
        tasks: TaskCatalogue,
        speculator: Speculator,
        scores: PredictionScores,
        partitions: int,
        most_entities: int,
        clock: Clock,
        predicts: bool = True,
    ) -> None:
        self._triggers = triggers
        self._tasks = tasks
        self._speculator = speculator
        self._scores = scores
        self._partitions = partitions
        self._most_entities = most_entities
        self._clock = clock
        self._predicts = predicts

    def process(self, records: Sequence[Any], states: UserStates, inputs: Inputs) -> Effects:
        """Reads the records of one partition, in order; writes `states` and `inputs`."""
        run = _Run(states, inputs, millis(self._clock.now()))
        effects = run.effects
        for record in records:
            try:
                event = self._decode(record, states)
            except EventError as exc:
                effects.letters.append(Letter(record, exc.reason, str(exc)))
                effects.counts["", exc.reason] += 1
                continue
            if event is None:
                effects.rerouted.append(record)
                continue
            self._apply(event, record, run)
        self._speculate(run)
        effects.users = states.save()
        return effects

    def _decode(self, record: Any, states: UserStates) -> Event | None:
        """The event, or None for one whose right key came on the wrong partition."""
        event = decode_event(record.value, record.headers, _place(record))
        key = event.user_id.encode()
        if record.key != key:
            raise EventError(
                "the record's key must be its user_id; set the key in the publisher", reason="key_mismatch"
            )
        home = states.is_at_home(event.user_id, record.partition)
        if not home and partition_of(key, self._partitions) != record.partition:
            if any(name == REROUTED for name, _ in record.headers):
                raise EventError(
                    "on the wrong partition twice; do all event topics have the same partitions?",
                    reason="misrouted",
                )
            return None
        return event

    def _apply(self, event: Event, record: Any, run: _Run) -> None:
        place = _place(record)
        state = run.states.of(event.user_id)
        state.partition = record.partition
        is_new = state.applies(record.topic, record.offset)
        if is_new and state.is_repeated(event.cause):
            state.offsets[record.topic] = record.offset
            run.effects.counts[event.type, "duplicate"] += 1
            return
        run.effects.counts[event.type, "ok"] += 1
        if is_new:
            version = state.next_version(place)
            self._learn(event, state)
            state.offsets[record.topic] = record.offset
        else:
            version = input_version(place)
        self._keep_input(event, version, state, run)
        jobs = self._triggers.jobs(event, input_version=version, now_ms=run.now_ms)
        if isinstance(event.data, EntityChanged):
            jobs += self._recompute(event, event.data, version, run)
        run.effects.jobs += [Outgoing(job, event.traceparent) for job in jobs]
        if self._predicts and event.type in (EventType.USER_LOGGED_IN, EventType.USER_ACTED):
            keys = frozenset(job.key for job in jobs)
            run.asked[event.user_id] = Asked(event.user_id, state.history, event.cause, keys)

    def _learn(self, event: Event, state: UserState) -> None:
        """The earlier prediction is scored before the model learns what really came."""
        action = action_of(event)
        if action is None:
            return
        # Whoever logs in, or comes back after the gap, ended the session that was predicted for.
        outcome = END if state.history.starts_session(action) else action.name
        if outcome != LOGIN:
            self._scores.score(event.user_id, outcome)
        self._speculator.model.observe(state.history, action)
        state.history.append(action)

    def _keep_input(self, event: Event, version: int, state: UserState, run: _Run) -> None:
        """Keeps the event's data: later jobs for the same entity are computed from it.

        Also for an event that is read again: the tables' changelogs are two, and a crash may have kept the
        user's row and lost the input's.
        """
        name = input_name(event)
        if name is None:
            return
        row = run.inputs.known(name)
        if row is None or row.version < version:
            row = InputRow(event.user_id, version, event.raw_data)
            run.inputs.put(name, row)
        run.effects.inputs[name] = row
        if name in state.entities:
            state.entities.remove(name)
        state.entities.append(name)
        while len(state.entities) > self._most_entities:
            oldest = state.entities.pop(0)
            run.inputs.drop(oldest)
            run.effects.inputs[oldest] = None

    def _recompute(self, event: Event, data: EntityChanged, version: int, run: _Run) -> list[Job]:
        """Everything of a changed entity is invalid; what can be computed again is asked for."""
        specs = self._tasks.of_entity(data.entity)
        keys = [CacheKey(spec.name, spec.entity, data.entity_id) for spec in specs]
        # A job of this event may be under way before the mirror gets to Redis: what it began stays.
        run.effects.invalidated.update(dict.fromkeys(map(str, keys), run.now_ms - 1))
        row = run.inputs.get(data.entity, data.entity_id)
        if row is None:
            return []
        self._renew_input(f"{data.entity}:{data.entity_id}", version, run)
        return [
            new_job(
                key,
                cause=event.cause,
                user_id=event.user_id,
                priority=Priority.CHANGED,
                why=Why.CHANGED,
                created_at=run.now_ms,
                input_version=version,
                payload=row.payload,
            )
            for key in keys
        ]

    def _renew_input(self, name: str, version: int, run: _Run) -> None:
        """Later jobs must not look older than the answers that this change asked for."""
        row = run.inputs.known(name)
        if row is not None and row.version < version:
            row = InputRow(row.user_id, version, row.payload)
            run.inputs.put(name, row)
            run.effects.inputs[name] = row

    def _speculate(self, run: _Run) -> None:
        asked = list(run.asked.values())
        run.effects.speculations = self._speculator.speculate(asked, run.inputs, run.now_ms)


def _place(record: Any) -> RecordPlace:
    return RecordPlace(record.topic, record.partition, record.offset, record.timestamp)


def action_of(event: Event) -> Action | None:
    """What the event says its user did; None for one that says nothing of that."""
    data = event.data
    if isinstance(data, UserActed):
        return Action(data.action, event.time_ms, data.entity, data.entity_id)
    if isinstance(data, VideoUploaded):
        return Action("upload_video", event.time_ms, Entity.VIDEO.value, data.video_id)
    if isinstance(data, CampaignCreated):
        return Action("create_campaign", event.time_ms, Entity.CAMPAIGN.value, data.campaign_id)
    return Action(LOGIN, event.time_ms) if event.type == EventType.USER_LOGGED_IN else None


def input_name(event: Event) -> str | None:
    """Which entity's input this event is."""
    data = event.data
    if isinstance(data, VideoUploaded):
        return f"{Entity.VIDEO.value}:{data.video_id}"
    if isinstance(data, CampaignCreated):
        return f"{Entity.CAMPAIGN.value}:{data.campaign_id}"
    return f"{Entity.USER.value}:{event.user_id}" if event.type == EventType.USER_LOGGED_IN else None
