"""One part of the doctor's look, against servers of the test's own."""

from __future__ import annotations

import os

import pytest

from streams.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets itself is set."""
    for name in os.environ:
        if name.startswith("PRECOMPUTE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def settings(kafka: str, redis_url: str, prefix: str) -> Settings:
    return load_settings(
        kafka_bootstrap_servers=kafka,
        redis_url=redis_url,
        topic_prefix=prefix,
        group_streams=f"{prefix}streams",
        group_worker=f"{prefix}worker",
        partitions=2,
        replication=1,
        min_insync_replicas=1,
        media_roots="/tmp",
    )
