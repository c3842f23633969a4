"""Consumer groups as their coordinators describe them."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

ANSWER_WITHIN_S = 10.0
ASK_AGAIN_S = 0.2
#: The first question about groups makes a broker create their topic; until it is loaded there is no answer.
_COORDINATOR_MOVES = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.GROUP_ID_NOT_FOUND,
)


def describe_groups(client: AdminClient, names: list[str], **options: Any) -> dict[str, Any]:
    """By name its description, or the `KafkaError` that came instead of it."""
    deadline = time.monotonic() + ANSWER_WITHIN_S
    while True:
        found = {name: _result(future) for name, future in _ask(client, names, options).items()}
        moving = [
            name
            for name, one in found.items()
            if isinstance(one, KafkaError) and one.code() in _COORDINATOR_MOVES
        ]
        if not moving or time.monotonic() >= deadline:
            return found
        time.sleep(ASK_AGAIN_S)


def _ask(client: AdminClient, names: list[str], options: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = client.describe_consumer_groups(names, request_timeout=ANSWER_WITHIN_S, **options)
    return asked


def _result(future: Any) -> Any:
    try:
        return future.result()
    except KafkaException as exc:
        return exc.args[0]
