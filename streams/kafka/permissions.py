"""What each role may do in Kafka, and no more: the access lists of a cluster with an authorizer."""

from __future__ import annotations

import msgspec
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from streams.contracts.topics import RETRY_DELAYS, TABLES
from streams.kafka.topics import wanted_topics
from streams.settings import Settings

#: Groups that only name a reader: dead letters, and the archive that training reads.
LETTERS_GROUP = "precompute-letters"
ARCHIVE_GROUPS = "precompute-archive-"

_RESOURCES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Operations on topics or groups; `is_prefix` where the names are beginnings of names."""

    resource: str
    names: tuple[str, ...]
    operations: tuple[str, ...]
    is_prefix: bool = False


def role_grants(settings: Settings) -> dict[str, tuple[Grant, ...]]:
    """By role. READ and WRITE imply DESCRIBE, and WRITE what an idempotent producer needs.

    Every role that starts checks all topics, so it may describe them; a topic it may not see is missing to
    it. `publisher` is an upstream service, `topics` whoever runs `precompute topics create`, `training`
    whoever runs `precompute predictor train`.
    """
    names = settings.topics
    catalogue = tuple(topic.name for topic in wanted_topics(settings))
    sees_all = _topics(catalogue, "Describe")
    changelogs = tuple(names.changelog(table) for table in TABLES)
    retries = tuple(names.retry(delay) for delay in RETRY_DELAYS)
    return {
        "streams": (
            sees_all,
            _topics((*names.events, *changelogs), "Read", "Write"),
            _topics((*names.all_jobs, names.events_dlq), "Write"),
            _groups((settings.group_streams,), "Read"),
        ),
        "worker": (
            sees_all,
            _topics(names.all_jobs, "Read"),
            _topics(retries, "Read", "Write"),
            _topics((names.jobs_dlq,), "Write"),
            _groups((settings.group_worker,), "Read"),
        ),
        "api": (
            sees_all,
            _topics((*names.events, *names.all_jobs), "Write"),
            _topics((names.jobs_dlq, names.events_dlq), "Read"),
            _groups((settings.group_worker,), "Describe"),
            _groups((LETTERS_GROUP,), "Read"),
        ),
        "publisher": (_topics(names.events, "Write"),),
        "topics": (_topics(catalogue, "Create", "Describe", "DescribeConfigs"),),
        "training": (
            _topics(names.events, "Read"),
            Grant(resource="group", names=(ARCHIVE_GROUPS,), operations=("Read",), is_prefix=True),
        ),
    }


def _topics(names: tuple[str, ...], *operations: str) -> Grant:
    return Grant(resource="topic", names=names, operations=operations)


def _groups(names: tuple[str, ...], *operations: str) -> Grant:
    return Grant(resource="group", names=names, operations=operations)


def grant_command(servers: str, user: str, grant: Grant) -> str:
    """The kafka-acls.sh line that grants it."""
    operations = " ".join(f"--operation {name}" for name in grant.operations)
    names = " ".join(f"--{grant.resource} {name}" for name in grant.names)
    pattern = " --resource-pattern-type prefixed" if grant.is_prefix else ""
    return (
        f"kafka-acls.sh --bootstrap-server {servers} --add --allow-principal User:{user} "
        f"{operations}{pattern} {names}"
    )


def grant_bindings(user: str, grant: Grant) -> list[AclBinding]:
    """The same for an admin client."""
    pattern = ResourcePatternType.PREFIXED if grant.is_prefix else ResourcePatternType.LITERAL
    return [
        AclBinding(
            _RESOURCES[grant.resource],
            name,
            pattern,
            f"User:{user}",
            "*",
            _operation(operation),
            AclPermissionType.ALLOW,
        )
        for name in grant.names
        for operation in grant.operations
    ]


def _operation(name: str) -> AclOperation:
    """kafka-acls.sh writes DescribeConfigs, the client DESCRIBE_CONFIGS."""
    known = {one.name.replace("_", "").lower(): one for one in AclOperation}
    return known[name.lower()]
