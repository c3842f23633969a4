"""The time from an event to its answer begins with the event, not with the job it became."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY
from work_samples import job

from streams.contracts.clock import ManualClock
from streams.contracts.states import Status
from streams.work.records import QueuedJob
from streams.work.reporting import JobReporter

NOW_MS = 1_700_000_100_000


class Silent:
    """A ledger and counters that nobody reads."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_kwargs: None


@pytest.mark.parametrize(("event_at", "expected"), [(NOW_MS - 90_000, 90.0), (None, 5.0), (NOW_MS + 1, 0.0)])
def test_it_begins_with_the_event(event_at: int | None, expected: float) -> None:
    one = msgspec.structs.replace(job(), created_at=NOW_MS - 5_000, event_at=event_at)
    labels = {"task": one.task, "why": one.why.value}
    name = "precompute_job_event_to_cached_seconds_sum"
    before = REGISTRY.get_sample_value(name, labels) or 0.0
    silent: Any = Silent()
    queued = QueuedJob(one, SimpleNamespace(), 0, Status.PROCESSING)  # type: ignore[arg-type]
    reporter = JobReporter(silent, silent, "w", ManualClock(NOW_MS / 1000))
    reporter.completed([(queued, 0.1)])
    reporter.flush()
    assert (REGISTRY.get_sample_value(name, labels) or 0.0) - before == pytest.approx(expected)
