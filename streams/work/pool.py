"""Child processes for CPU work: killable one by one, with a bound on their memory."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import signal
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import structlog
from pebble import ProcessExpired, ProcessPool

from streams.contracts.errors import PrecomputeError
from streams.ops.metrics import CHILD_DEATHS

_log = structlog.get_logger(__name__)

#: Decoders leak and fragment; a fresh process every so often costs a second and bounds it.
JOBS_A_CHILD = 50


class ChildDiedError(PrecomputeError):
    """The process that ran the job died: killed for memory, a crash in native code."""


class JobTimeoutError(PrecomputeError):
    """The job ran longer than its task type may; it was stopped."""


def _prepare_child(memory_bytes: int) -> None:
    # Ctrl-C reaches the whole process group; the parent decides what becomes of the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


class CpuPool:
    """Runs functions in child processes. Started on first use: a worker of I/O jobs needs no children."""

    def __init__(self, processes: int, memory_mb: int) -> None:
        self._processes = processes
        self._memory_bytes = memory_mb * 1024 * 1024
        self._pool: ProcessPool | None = None
        self._in_hand = 0

    @property
    def is_busy(self) -> bool:
        """Whether another job would wait for a process."""
        return self._in_hand >= self._processes

    async def run(self, function: Callable[..., Any], *args: Any, timeout_s: float) -> Any:
        """The function's answer; raises what it raised, `JobTimeoutError` or `ChildDiedError`.

        Cancelling the caller kills the child.
        """
        pool = self._started()
        future = pool.schedule(function, args=list(args), timeout=timeout_s)
        self._in_hand += 1
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.cancel()
            raise
        except FutureTimeoutError as exc:
            CHILD_DEATHS.labels("timeout").inc()
            raise JobTimeoutError(f"ran longer than {timeout_s:.0f} s and was killed") from exc
        except BrokenProcessPool as exc:
            # A child that dies before the pool knows what it runs takes the pool with it.
            self._discard(pool)
            CHILD_DEATHS.labels("died").inc()
            raise ChildDiedError("its process died before it was known to run it") from exc
        except ProcessExpired as exc:
            CHILD_DEATHS.labels("died").inc()
            raise ChildDiedError(f"its process died with code {exc.exitcode}") from exc
        finally:
            self._in_hand -= 1

    async def stop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            await asyncio.to_thread(pool.join, 5)

    def _discard(self, broken: ProcessPool) -> None:
        broken.stop()
        if self._pool is broken:
            self._pool = None

    def _started(self) -> ProcessPool:
        broken = self._pool
        if broken is not None and not broken.active:
            self._discard(broken)
        if self._pool is None:
            # fork would copy a process with threads and Kafka's connections in it.
            self._pool = ProcessPool(
                max_workers=self._processes,
                max_tasks=JOBS_A_CHILD,
                context=multiprocessing.get_context("spawn"),
                initializer=_prepare_child,
                initargs=[self._memory_bytes],
            )
        return self._pool


class CpuChildren:
    """Children for everybody, and `reserved` more that only urgent jobs get, once the others are busy.

    A pool takes its jobs in the order they came: without children of its own an urgent job would have its
    reserved slot and wait in it until a lower one ends.
    """

    def __init__(self, processes: int, reserved: int, memory_mb: int) -> None:
        self._common = CpuPool(processes, memory_mb)
        self._urgent = CpuPool(reserved, memory_mb) if reserved else self._common

    async def run(self, function: Callable[..., Any], *args: Any, timeout_s: float, urgent: bool) -> Any:
        """As `CpuPool.run`."""
        pool = self._urgent if urgent and self._common.is_busy else self._common
        return await pool.run(function, *args, timeout_s=timeout_s)

    async def stop(self) -> None:
        await self._common.stop()
        await self._urgent.stop()
