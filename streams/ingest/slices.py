"""One slice of events: decoded, applied to histories, turned into everything it causes.

No I/O happens here: the agent sends what a slice caused and acknowledges it afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from predictor.history import LOGIN, Action
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
from streams.ingest.anticipation import Anticipation
from streams.ingest.effects import Effects, Letter, Outgoing, Withheld
from streams.ingest.partitions import partition_of
from streams.ingest.speculation import Asked
from streams.ingest.state import InputRow, Inputs, UserState, UserStates, input_version
from streams.ingest.weighing import TriggerWeighing
from streams.ops.tracing import context_of

#: Set on a record that was sent on to its right partition, so that it is sent on only once.
REROUTED = "precompute-rerouted"
#: After these somebody is there and may go on.
_ASKING = frozenset({EventType.USER_LOGGED_IN.value, EventType.USER_ACTED.value})


class _Run(msgspec.Struct):
    """One slice being processed."""

    states: UserStates
    inputs: Inputs
    now_ms: int
    effects: Effects = msgspec.field(default_factory=Effects)
    asked: dict[str, Asked] = {}
    #: Of the record in hand.
    headers: Any = ()


class SliceProcessor:
    """Applies slices. Keeps nothing; what is learned from each action is the anticipation's."""

    def __init__(
        self,
        *,
        triggers: TriggerTable,
        tasks: TaskCatalogue,
        anticipation: Anticipation,
        partitions: int,
        most_entities: int,
        clock: Clock,
        weighing: TriggerWeighing | None = None,
    ) -> None:
        """Without `weighing` every job that an event asks for is sent."""
        self._triggers = triggers
        self._tasks = tasks
        self._anticipation = anticipation
        self._asking = _ASKING if anticipation.predicts else frozenset[str]()
        self._partitions = partitions
        self._most_entities = most_entities
        self._clock = clock
        self._weighing = weighing

    def process(self, records: Sequence[Any], states: UserStates, inputs: Inputs) -> Effects:
        """Reads the records of one partition, in order; writes `states` and `inputs`."""
        run = _Run(states, inputs, millis(self._clock.now()))
        effects = run.effects
        for record in records:
            place = RecordPlace(record.topic, record.partition, record.offset, record.timestamp)
            try:
                event = self._decode(record, place, states)
            except EventError as exc:
                effects.letters.append(Letter(record, exc.reason, str(exc)))
                effects.counts["", exc.reason] += 1
                continue
            if event is None:
                effects.rerouted.append(record)
                continue
            run.headers = record.headers
            self._apply(event, place, run)
        effects.speculations = self._anticipation.speculate(list(run.asked.values()), inputs, run.now_ms)
        effects.users = states.save()
        return effects

    def _decode(self, record: Any, place: RecordPlace, states: UserStates) -> Event | None:
        """The event, or None for one whose right key came on the wrong partition."""
        event = decode_event(record.value, record.headers, place)
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

    def _apply(self, event: Event, place: RecordPlace, run: _Run) -> None:
        state = run.states.of(event.user_id)
        state.partition = place.partition
        is_new = state.applies(place.topic, place.offset)
        if is_new and state.is_repeated(event.cause):
            state.offsets[place.topic] = place.offset
            run.effects.counts[event.type, "duplicate"] += 1
            return
        run.effects.counts[event.type, "ok"] += 1
        version = self._learn(event, place, state) if is_new else input_version(place)
        self._keep_input(event, version, state, run)
        event_at = _arrival(place, run.now_ms)
        jobs = self._triggers.jobs(event, input_version=version, now_ms=run.now_ms, event_at=event_at)
        if isinstance(event.data, EntityChanged):
            jobs += self._recompute(event, event.data, version, event_at, run)
        if self._weighing is not None:
            jobs = self._weigh(self._weighing, event.cause, jobs, run.effects)
        if jobs:
            context = context_of(event.traceparent, run.headers)
            run.effects.jobs += [Outgoing(job, context) for job in jobs]
        if event.type in self._asking:
            keys = frozenset([job.key for job in jobs])
            run.asked[event.user_id] = Asked(event.user_id, state.history, event.cause, keys, event_at)

    def _weigh(
        self, weighing: TriggerWeighing, cause: str, jobs: Sequence[Job], effects: Effects
    ) -> list[Job]:
        """The jobs that are worth it."""
        kept = []
        for job in jobs:
            reason = weighing.refusal(job, cause)
            if reason is None:
                kept.append(job)
            else:
                effects.withheld.append(Withheld(job, reason))
        return kept

    def _learn(self, event: Event, place: RecordPlace, state: UserState) -> int:
        """Takes a new event into the user's row; returns the version of its input."""
        action = action_of(event)
        if action is not None:
            self._anticipation.learn(state.history, action)
            state.history.append(action)
        state.offsets[place.topic] = place.offset
        return state.next_version(place)

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

    def _recompute(
        self, event: Event, data: EntityChanged, version: int, event_at: int | None, run: _Run
    ) -> list[Job]:
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
                event_at=event_at,
                recompute=True,
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


def _arrival(place: RecordPlace, now_ms: int) -> int | None:
    """When the event got into Kafka; None where its timestamp is none, or a publisher's clock is ahead."""
    return place.timestamp_ms if 0 <= place.timestamp_ms <= now_ms else None


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
