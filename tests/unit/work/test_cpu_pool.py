from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pool_jobs
import psutil
import pytest

from streams.work.pool import ChildDiedError, CpuChildren, CpuPool, JobTimeoutError
from tests.support.eventually import one_turn


@pytest.fixture
async def pool() -> AsyncIterator[CpuPool]:
    one = CpuPool(processes=1, memory_mb=1024)
    yield one
    await one.stop()


async def test_a_child_that_is_too_slow_is_killed_and_the_next_job_runs(pool: CpuPool) -> None:
    first = await pool.run(pool_jobs.pid, timeout_s=30)
    with pytest.raises(JobTimeoutError, match="ran longer"):
        await pool.run(pool_jobs.spin, timeout_s=0.2)
    assert await pool.run(pool_jobs.pid, timeout_s=30) != first
    assert not psutil.pid_exists(first)


async def test_a_child_that_dies_takes_only_its_own_job_with_it(pool: CpuPool) -> None:
    with pytest.raises(ChildDiedError):
        await pool.run(pool_jobs.die, signal.SIGKILL, timeout_s=30)
    with pytest.raises(ChildDiedError, match="code 3"):
        await pool.run(pool_jobs.leave, 3, timeout_s=30)
    with pytest.raises(ValueError, match="own error"):
        await pool.run(pool_jobs.fail, timeout_s=30)
    assert await pool.run(pool_jobs.pid, timeout_s=30)


async def test_memory_is_bounded_and_ctrl_c_is_the_parent_s_business(pool: CpuPool) -> None:
    assert await pool.run(pool_jobs.take, 16, timeout_s=30) == 16 * 1024 * 1024
    with pytest.raises(MemoryError):
        await pool.run(pool_jobs.take, 2_048, timeout_s=30)
    assert not await pool.run(pool_jobs.interrupted, timeout_s=30)


async def test_a_caller_that_leaves_stops_its_child(pool: CpuPool) -> None:
    child = await pool.run(pool_jobs.pid, timeout_s=30)
    running = asyncio.create_task(pool.run(pool_jobs.spin, timeout_s=600))
    done, _ = await asyncio.wait([running], timeout=0.2)
    assert not done
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await pool.run(pool_jobs.pid, timeout_s=30) != child


async def test_a_stop_leaves_no_process_behind() -> None:
    pool = CpuPool(processes=1, memory_mb=1024)
    child = await pool.run(pool_jobs.pid, timeout_s=30)
    await pool.stop()
    await pool.stop()
    assert not psutil.pid_exists(child)


async def test_a_pool_that_broke_is_replaced(pool: CpuPool) -> None:
    """The library gives a pool up whose child dies before it has told what it runs."""
    before = await pool.run(pool_jobs.pid, timeout_s=30)
    broken = pool._pool
    assert broken is not None
    broken.stop()
    assert await pool.run(pool_jobs.pid, timeout_s=30) != before
    assert pool._pool is not broken
    await asyncio.to_thread(broken.join, 5)


async def test_an_urgent_job_does_not_wait_for_a_lower_one() -> None:
    children = CpuChildren(processes=1, reserved=1, memory_mb=1024)
    first = await children.run(pool_jobs.pid, timeout_s=30, urgent=True)
    assert await children.run(pool_jobs.pid, timeout_s=30, urgent=False) == first
    lower = [asyncio.create_task(children.run(pool_jobs.spin, timeout_s=600, urgent=False)) for _ in range(3)]
    await one_turn()
    assert await children.run(pool_jobs.pid, timeout_s=30, urgent=True) != first
    assert not any(task.done() for task in lower)
    for task in lower:
        task.cancel()
    await asyncio.gather(*lower, return_exceptions=True)
    assert await children.run(pool_jobs.pid, timeout_s=30, urgent=False)
    await children.stop()


async def test_with_one_slot_there_are_no_children_apart() -> None:
    children = CpuChildren(processes=1, reserved=0, memory_mb=1024)
    first = await children.run(pool_jobs.pid, timeout_s=30, urgent=False)
    assert await children.run(pool_jobs.pid, timeout_s=30, urgent=True) == first
    await children.stop()
