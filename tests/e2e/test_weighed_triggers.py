"""Triggers weighed by use, on real roles: what nobody reads is left to whoever asks."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
import redis

from streams.cache.names import RedisNames
from streams.cache.uses import ahead_field, is_explored
from streams.contracts.states import Reason
from tests.support.system import SOURCE, SystemUnderTest
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(180)]


def event_id(*, explored: bool) -> str:
    """An event that is, or is not, among those that run whatever their use."""
    return next(
        one for one in iter(lambda: uuid.uuid4().hex, "") if is_explored(f"{SOURCE}/{one}") is explored
    )


def test_what_nobody_reads_waits_until_somebody_asks(kafka: str, valkey: str, tmp_path: Path) -> None:
    with SystemUnderTest(tmp_path, kafka, valkey, triggers="weighed", predictor="false") as system:
        names = RedisNames(system.settings.namespace)
        with redis.Redis.from_url(valkey) as client:
            # A thousand dashboards were made at a login, and none was looked at.
            client.hset(names.counters, ahead_field("dashboard_data", "login"), 1000)
        system.start("streams", "worker", "api")

        def logged_in(*, explored: bool) -> dict[str, Any]:
            user, chosen = f"u-{uuid.uuid4().hex[:8]}", event_id(explored=explored)
            jobs = system.publish("user.logged_in", user, {"user_id": user}, event_id=chosen)
            return system.ended(jobs)["dashboard_data"]

        def withheld() -> dict[str, Any] | None:
            job = logged_in(explored=False)
            return job if job["timeline"][-1].get("reason") == Reason.NOT_WORTH_IT else None

        # The first events may come before the role has looked at the counters.
        job = wait_until(withheld, within_s=60, what="a job that is withheld")
        assert job["status"] == "skipped"
        assert logged_in(explored=True)["status"] == "completed"
        answer = system.http.get(f"/cache/{job['key']}", headers={"Prefer": "wait=20"})
        assert answer.status_code == 200, answer.text

        def told() -> bool:
            rows = system.http.get("/predictor").json()["use"]
            return any(one["why"] == "login" and one["withheld"] >= 1 for one in rows)

        wait_until(told, within_s=20, what="the count of what was withheld")
