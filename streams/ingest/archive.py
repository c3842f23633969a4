"""The actions that Kafka still holds, as the predictor's training reads them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from predictor.dataset import Record
from predictor.history import LOGIN, Action
from streams.contracts.clock import millis
from streams.contracts.cloudevents import RecordPlace, decode_event
from streams.contracts.errors import EventError, UnavailableError
from streams.ingest.slices import action_of
from streams.kafka.config import KAFKA_LOG, librdkafka_config
from streams.kafka.producer import message_headers
from streams.settings import Settings

MOST_A_BATCH = 1000
ANSWER_WITHIN_S = 10.0
#: No record for so long although the end was not reached: the broker is gone.
SILENT_FOR_S = 30.0


def read_actions(settings: Settings) -> list[Record]:
    """Every action of every user that the event topics hold, by user and time, in sessions by the gap.

    LOGIN is left out: training puts it at each session's start. Raises `UnavailableError` where Kafka does
    not answer.
    """
    by_user: defaultdict[str, list[Action]] = defaultdict(list)
    for message in _messages(settings):
        found = _action(message)
        if found is not None:
            user, action = found
            by_user[user].append(action)
    return [record for user in sorted(by_user) for record in _sessions(user, by_user[user], settings)]


def _sessions(user: str, actions: list[Action], settings: Settings) -> Iterator[Record]:
    gap_ms = millis(settings.session_gap_s)
    number, before = 0, None
    for action in sorted(actions, key=lambda one: one.at_ms):
        if before is not None and (action.at_ms - before > gap_ms or action.name == LOGIN):
            number += 1
        before = action.at_ms
        if action.name != LOGIN:
            yield Record(user, str(number), action.at_ms, action.name)


def _action(message: Message) -> tuple[str, Action] | None:
    place = RecordPlace(
        message.topic() or "", message.partition() or 0, message.offset() or 0, message.timestamp()[1]
    )
    try:
        event = decode_event(message.value(), message_headers(message), place)
    except EventError:
        return None
    action = action_of(event)
    return (event.user_id, action) if action is not None else None


def _messages(settings: Settings) -> Iterable[Message]:
    consumer = Consumer(
        {
            **librdkafka_config(settings),
            "group.id": f"precompute-archive-{uuid.uuid4().hex}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        },
        logger=KAFKA_LOG,
    )
    try:
        unread = _assign(consumer, settings)
        while unread:
            batch = consumer.consume(MOST_A_BATCH, timeout=SILENT_FOR_S)
            if not batch:
                raise UnavailableError(
                    "Kafka stopped answering in the middle of the event topics; run it again"
                )
            for message in batch:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 (the library's public name)
                    unread.discard((message.topic(), message.partition()))
    except KafkaException as exc:
        raise UnavailableError(f"Kafka does not answer: {exc.args[0].str()}") from exc
    finally:
        consumer.close()


def _assign(consumer: Consumer, settings: Settings) -> set[tuple[str | None, int | None]]:
    """Assigns every partition from its begin, and answers which they are."""
    places = [
        TopicPartition(topic, number, OFFSET_BEGINNING)
        for topic in settings.topics.events
        for number in consumer.list_topics(topic, timeout=ANSWER_WITHIN_S).topics[topic].partitions
    ]
    consumer.assign(places)
    return {(place.topic, place.partition) for place in places}
