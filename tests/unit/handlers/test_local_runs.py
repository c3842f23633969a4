from __future__ import annotations

import msgspec
import sample_handlers

from handlers.local_run import LocalRun, local_context
from handlers.registry import Registry, declared_in


async def test_a_task_of_microseconds_has_its_time() -> None:
    """Rounded to milliseconds its share of a run would be nothing, and an installation be sized by that."""
    run = LocalRun(Registry(declared_in(sample_handlers)), local_context("u1"))
    payload = msgspec.json.encode({"value": 2})
    assert await run.run("waiting", payload)
    assert run.seconds["waiting"] > 0
