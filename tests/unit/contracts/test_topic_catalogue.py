from __future__ import annotations

import pytest

from streams.contracts.errors import ConfigurationError
from streams.contracts.topics import (
    MAX_EVENT_BYTES,
    MAX_RECORD_BYTES,
    RETRY_DELAYS,
    SIDE_PARTITIONS,
    TopicNames,
    catalogue,
)
from streams.kafka.topics import compare, creation_commands
from streams.settings import Settings

NAMES = TopicNames("x.", "x-streams")
TOPICS = {topic.name: topic for topic in catalogue(NAMES, 12)}
DAY_MS = 86_400_000


def test_every_topic_has_a_name_of_its_own() -> None:
    assert len(TOPICS) == 3 + 10 + 3 + 2 + 2 + 1
    assert all(topic.config is not None for topic in TOPICS.values())


def test_tables_and_events_share_their_partitions() -> None:
    together = [*NAMES.events, *NAMES.all_jobs, NAMES.changelog("users"), NAMES.changelog("inputs")]
    assert {TOPICS[name].partitions for name in together} == {12}
    side = [NAMES.jobs_dlq, NAMES.events_dlq, *(NAMES.retry(delay) for delay in RETRY_DELAYS)]
    assert {TOPICS[name].partitions for name in side} == {SIDE_PARTITIONS}


def test_retention_follows_what_a_record_is_worth() -> None:
    def days(name: str) -> float:
        return int(TOPICS[name].broker_config()["retention.ms"]) / DAY_MS

    assert [days(NAMES.jobs(p)) for p in range(1, 11)] == [1, 1, 1, 1, 7, 7, 7, 7, 7, 7]
    assert days(NAMES.users) == days(NAMES.jobs_dlq) == 30
    assert TOPICS[NAMES.changelog("users")].broker_config()["cleanup.policy"] == "compact"
    assert TOPICS[NAMES.videos].broker_config()["message.timestamp.type"] == "LogAppendTime"


def test_a_record_holds_the_largest_event_and_what_stands_around_it() -> None:
    assert MAX_RECORD_BYTES - MAX_EVENT_BYTES >= 200 * 1024
    assert {topic.broker_config()["max.message.bytes"] for topic in TOPICS.values()} == {
        str(MAX_RECORD_BYTES)
    }


def test_job_topics_sort_by_priority() -> None:
    assert list(NAMES.all_jobs) == sorted(NAMES.all_jobs)
    assert (NAMES.jobs(1), NAMES.jobs(10)) == ("x.jobs.p01", "x.jobs.p10")
    for wrong in (0, 11):
        with pytest.raises(ConfigurationError, match="1 to 10"):
            NAMES.jobs(wrong)


def test_what_is_wrong_is_found_and_told_with_its_remedy() -> None:
    wanted = list(TOPICS.values())
    there = {topic.name: topic.partitions for topic in wanted}
    assert not compare(wanted, there)

    del there["x.jobs.dlq"]
    there["x.jobs.p10"] = 3
    missing, wrong = sorted(compare(wanted, there), key=lambda finding: finding.problem, reverse=True)
    assert str(missing) == "topic x.jobs.dlq: missing; run `precompute topics create`"
    assert "has 3 partitions, wanted 12" in str(wrong)
    assert "PRECOMPUTE_PARTITIONS=3" in str(wrong)


def test_commands_for_clusters_where_others_make_topics() -> None:
    lines = creation_commands(Settings(partitions=6, replication=2, kafka_bootstrap_servers="k:1"))
    assert len(lines) == len(TOPICS)
    assert all("--bootstrap-server k:1 --create" in line for line in lines)
    assert any("jobs.p10 --partitions 6 --replication-factor 2" in line for line in lines)
