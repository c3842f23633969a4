"""The topic catalogue: names, partitions, retention. `precompute topics create|check` makes it true."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import PRIORITIES

DAY_S = 86_400

#: An event may carry a brief of a megabyte; what is larger than this never enters a topic.
MAX_EVENT_BYTES = 4 * 1024 * 1024
#: Of its headers: attributes, traces, what a publisher's framework adds.
MAX_HEADER_BYTES = 64 * 1024
#: A job carries its event's data, a dead letter the original: either with something around it.
MAX_RECORD_BYTES = MAX_EVENT_BYTES + 256 * 1024


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic as it must be. `retention_s` None means compacted."""

    name: str
    partitions: int
    retention_s: int | None
    max_message_bytes: int = MAX_RECORD_BYTES
    config: Mapping[str, str] = {}

    def broker_config(self) -> dict[str, str]:
        """The topic's configuration in the broker's words."""
        base = {"max.message.bytes": str(self.max_message_bytes)}
        if self.retention_s is None:
            base["cleanup.policy"] = "compact"
        else:
            base["retention.ms"] = str(self.retention_s * 1000)
        return base | dict(self.config)


class Delay(msgspec.Struct, frozen=True):
    """A retry topic's fixed delay."""

    label: str
    seconds: float


RETRY_DELAYS = (Delay("5s", 5.0), Delay("1m", 60.0), Delay("10m", 600.0))

#: Retry and dead-letter topics carry little; more partitions would only cost file handles.
SIDE_PARTITIONS = 4


class TopicNames(msgspec.Struct, frozen=True):
    """Every topic's name under one prefix."""

    prefix: str = "precompute."
    group_streams: str = "precompute-streams"

    @property
    def videos(self) -> str:
        return f"{self.prefix}events.videos"

    @property
    def campaigns(self) -> str:
        return f"{self.prefix}events.campaigns"

    @property
    def users(self) -> str:
        return f"{self.prefix}events.users"

    @property
    def events(self) -> tuple[str, str, str]:
        return (self.videos, self.campaigns, self.users)

    def jobs(self, priority: int) -> str:
        if priority not in PRIORITIES:
            raise ConfigurationError(f"priority {priority} is not one of 1 to 10")
        return f"{self.prefix}jobs.p{priority:02d}"

    @property
    def all_jobs(self) -> tuple[str, ...]:
        return tuple(self.jobs(priority) for priority in PRIORITIES)

    def retry(self, delay: Delay) -> str:
        return f"{self.prefix}jobs.retry.{delay.label}"

    @property
    def jobs_dlq(self) -> str:
        return f"{self.prefix}jobs.dlq"

    @property
    def events_dlq(self) -> str:
        return f"{self.prefix}events.dlq"

    def changelog(self, table: str) -> str:
        """The topic Faust keeps a table's changes in."""
        return f"{self.group_streams}-{table}-changelog"

    @property
    def leader(self) -> str:
        """The topic Faust elects its leader over."""
        return f"{self.group_streams}-__assignor-__leader"


#: The tables of the streams role, each with a changelog topic.
TABLES = ("users", "inputs")


def catalogue(names: TopicNames, partitions: int) -> tuple[Topic, ...]:
    """Every topic the system needs; `partitions` is that of events, tables and job topics."""
    #: The broker's clock stamps events, so that a publisher's wrong clock cannot reorder inputs.
    stamped = {"message.timestamp.type": "LogAppendTime"}
    events = [
        Topic(name=names.videos, partitions=partitions, retention_s=7 * DAY_S, config=stamped),
        Topic(name=names.campaigns, partitions=partitions, retention_s=7 * DAY_S, config=stamped),
        Topic(name=names.users, partitions=partitions, retention_s=30 * DAY_S, config=stamped),
    ]
    jobs = [
        Topic(name=names.jobs(p), partitions=partitions, retention_s=(1 if p < 5 else 7) * DAY_S)
        for p in PRIORITIES
    ]
    retries = [
        Topic(name=names.retry(d), partitions=SIDE_PARTITIONS, retention_s=7 * DAY_S) for d in RETRY_DELAYS
    ]
    dead = [
        Topic(name=name, partitions=SIDE_PARTITIONS, retention_s=30 * DAY_S)
        for name in (names.jobs_dlq, names.events_dlq)
    ]
    tables = [Topic(name=names.changelog(table), partitions=partitions, retention_s=None) for table in TABLES]
    leader = [Topic(name=names.leader, partitions=1, retention_s=DAY_S)]
    return (*events, *jobs, *retries, *dead, *tables, *leader)
