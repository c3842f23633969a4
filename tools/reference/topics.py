"""topics.md: the topic catalogue, from streams/contracts/topics.py."""

from __future__ import annotations

from streams.contracts.topics import Topic, TopicNames, catalogue
from streams.settings import Settings
from tools.reference.markdown import code, page, table

_INTRO = """
`precompute topics create` makes them, `precompute topics check` says which are not as they must be, and
`precompute topics create --print` prints the commands for somebody who may create topics. Every role
refuses to start on a missing topic or a wrong partition count. Names carry `PRECOMPUTE_TOPIC_PREFIX`; those
of Faust carry the group's name. Records are partitioned by murmur2 everywhere.
"""
_KEYS = {
    "events": "user id",
    "jobs": "cache key",
    "retry": "cache key",
    "dlq": "as the source",
    "changelog": "row key",
    "leader": "none",
}
_DAY_S = 86_400


def topics_page() -> str:
    wanted = catalogue(TopicNames(), _default("partitions"))
    rows = [_row(topic) for topic in wanted]
    columns = ["topic", "key", "partitions", "kept", "other configuration"]
    return page("Topics", "streams/contracts/topics.py", _INTRO, table(columns, rows), _notes(wanted))


def _notes(wanted: tuple[Topic, ...]) -> str:
    return (
        f"Partitions of event, table and job topics: `PRECOMPUTE_PARTITIONS`, here its default "
        f"{_default('partitions')}. Replicas: `PRECOMPUTE_REPLICATION` ({_default('replication')}), of which "
        f"`PRECOMPUTE_MIN_INSYNC_REPLICAS` ({_default('min_insync_replicas')}) must have a record before it "
        f"counts. Records have at most {wanted[0].max_message_bytes:,} bytes."
    )


def _row(topic: Topic) -> list[object]:
    kept = "compacted" if topic.retention_s is None else f"{topic.retention_s // _DAY_S} d"
    other = ", ".join(code(f"{name}={value}") for name, value in topic.config.items())
    return [code(topic.name), _key(topic.name), topic.partitions, kept, other]


def _key(name: str) -> str:
    for part in ("dlq", "retry", "changelog", "leader", "jobs", "events"):
        if part in name:
            return _KEYS[part]
    return ""


def _default(name: str) -> int:
    value: int = Settings.model_fields[name].default
    return value
