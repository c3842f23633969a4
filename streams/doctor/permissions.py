"""What this user may do in Kafka, next to what a role must."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streams.doctor.findings import Notes
from streams.doctor.groups import ANSWER_WITHIN_S, describe_groups
from streams.kafka.permissions import Grant

ROLES = ("streams", "worker", "api")


class PermissionsLook:
    """`role` names the one to compare with; None asks which of them this user could be."""

    def __init__(self, grants: Mapping[str, Iterable[Grant]], role: str | None) -> None:
        self._grants = grants
        self._role = role

    def look(self, notes: Notes, client: AdminClient) -> None:
        wanted = [self._role] if self._role is not None else list(ROLES)
        missing = {role: _missing(client, self._grants[role]) for role in wanted}
        allowed = [role for role, lacking in missing.items() if not lacking]
        if allowed:
            notes.ok("permissions", f"this user may do what {', '.join(allowed)} must")
            return
        for role, lacking in missing.items():
            more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
            notes.fail(
                "permissions",
                f"{role} may not {lacking[0]}{more}",
                f"run what `precompute access kafka --role {role}` prints",
            )


def _missing(client: AdminClient, grants: Iterable[Grant]) -> list[str]:
    lacking = []
    for grant in grants:
        allowed = _allowed(client, grant) if not grant.is_prefix else {}
        lacking += [
            f"{operation} {grant.resource} {name}"
            for name, own in allowed.items()
            for operation in grant.operations
            if operation.upper() not in own
        ]
    return lacking


def _allowed(client: AdminClient, grant: Grant) -> dict[str, frozenset[str]]:
    """By name, the operations that the broker says this user may do; none where it may not even look.

    A topic that is not there is left out: that it is missing is told by itself.
    """
    found = _topics(client, grant) if grant.resource == "topic" else _groups(client, grant)
    allowed = {}
    for name, described in found.items():
        if isinstance(described, KafkaError):
            if described.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                allowed[name] = frozenset[str]()
            continue
        operations = described.authorized_operations or ()
        allowed[name] = frozenset(one.name.replace("_", "") for one in operations)
    return allowed


def _topics(client: AdminClient, grant: Grant) -> dict[str, Any]:
    asked = client.describe_topics(
        TopicCollection(list(grant.names)),
        include_authorized_operations=True,
        request_timeout=ANSWER_WITHIN_S,
    )
    found: dict[str, Any] = {}
    for name, future in asked.items():
        try:
            found[name] = future.result()
        except KafkaException as exc:
            found[name] = exc.args[0]
    return found


def _groups(client: AdminClient, grant: Grant) -> dict[str, Any]:
    return describe_groups(client, list(grant.names), include_authorized_operations=True)
