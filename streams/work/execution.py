"""Runs one job's handler, in this process or in a child, within its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from handlers.config import HandlerConfig
from handlers.context import Context, MediaPolicy, encode_context
from handlers.contract import Handler
from handlers.execution import run_cpu, run_cpu_batch, run_io, run_io_batch
from handlers.registry import Registry
from streams.cache.inputs import MirrorReader
from streams.cache.reader import AnswerReader
from streams.contracts.clock import Clock
from streams.contracts.errors import PrecomputeError
from streams.contracts.history import Action
from streams.contracts.jobs import Job, Priority
from streams.contracts.keys import CacheKey
from streams.contracts.results import State
from streams.contracts.tasks import Entity
from streams.ops.tracing import TRACING
from streams.work.pool import CpuChildren, JobTimeoutError
from streams.work.stepping import within


class ExecutionConfig(msgspec.Struct, frozen=True, kw_only=True):
    media: MediaPolicy
    artifact_dir: str
    handlers: HandlerConfig


class Executor:
    """Gives a handler what it needs and runs it; raises the handler's typed outcomes."""

    def __init__(
        self,
        *,
        registry: Registry,
        pool: CpuChildren,
        answers: AnswerReader,
        mirror: MirrorReader,
        config: ExecutionConfig,
        clock: Clock,
    ) -> None:
        self._registry = registry
        #: Asked several times a job: a plain dictionary answers faster than a mapping's methods.
        self._handlers = dict(registry)
        self._pool = pool
        self._answers = answers
        self._mirror = mirror
        self._config = config
        self._clock = clock

    def version(self, task: str) -> str:
        handler = self._handlers.get(task)
        return handler.version if handler is not None else "none"

    def batch_size(self, task: str) -> int:
        handler = self._handlers.get(task)
        return handler.batch_size if handler is not None else 1

    def needs(self, task: str) -> tuple[str, ...]:
        """The tasks whose results this one wants."""
        handler = self._handlers.get(task)
        return handler.needs if handler is not None else ()

    async def is_answered(self, job: Job) -> bool:
        """Whether an answer from the same input, or a newer one, can still be read."""
        stored = (await self._answers.stored([job.key]))[0]
        return stored is not None and stored.is_available and stored.input_version >= job.input_version

    async def absent_needs(self, job: Job) -> list[str]:
        """The tasks whose results this one wants and that the cache has not, or only of an older input."""
        handler = self._handlers.get(job.task)
        if handler is None or not handler.needs:
            return []
        keys = [CacheKey(need, job.entity, job.entity_id) for need in handler.needs]
        found = await self._answers.stored([str(key) for key in keys])
        return [
            key.task
            for key, stored in zip(keys, found, strict=True)
            if stored is None or stored.input_version < job.input_version
        ]

    async def run(self, job: Job) -> bytes:
        """The result as JSON; raises `Outcome`, `HandlerError`, `JobTimeoutError` or `ChildDiedError`."""
        handler = self._handlers.get(job.task) or self._registry.require(job.task)
        context = self._plain_context(job, handler) or await self._context(job, handler)
        payload = bytes(job.payload)
        timeout_s = handler.spec.timeout_s
        if handler.kind == "cpu":
            encoded = encode_context(context)
            found: bytes = await self._pool.run(
                run_cpu,
                handler.task,
                handler.module,
                payload,
                encoded,
                timeout_s=timeout_s,
                urgent=job.priority >= Priority.OPERATOR,
            )
            return found
        try:
            return await within(run_io(handler, payload, context), timeout_s)
        except TimeoutError as exc:
            raise JobTimeoutError(f"ran longer than {timeout_s:.0f} s and was cancelled") from exc

    async def run_batch(self, jobs: Sequence[Job]) -> Sequence[bytes | PrecomputeError]:
        """A result or an outcome for each job, all of one task; raises what befalls the whole call."""
        handler = self._registry.require(jobs[0].task)
        contexts = [self._plain_context(job, handler) or await self._context(job, handler) for job in jobs]
        payloads = [bytes(job.payload) for job in jobs]
        timeout_s = handler.spec.timeout_s
        if handler.kind == "cpu":
            encoded = [encode_context(context) for context in contexts]
            found: list[bytes | PrecomputeError] = await self._pool.run(
                run_cpu_batch,
                handler.task,
                handler.module,
                payloads,
                encoded,
                timeout_s=timeout_s,
                urgent=jobs[0].priority >= Priority.OPERATOR,
            )
            return found
        try:
            return await within(run_io_batch(handler, payloads, contexts), timeout_s)
        except TimeoutError as exc:
            raise JobTimeoutError(f"ran longer than {timeout_s:.0f} s and was cancelled") from exc

    def _plain_context(self, job: Job, handler: Handler) -> Context | None:
        """The context of a job for which nothing has to be read, or None."""
        if handler.needs or job.entity == Entity.USER:
            return None
        return self._context_with(job, handler, {}, ())

    async def _context(self, job: Job, handler: Handler) -> Context:
        history = await self._mirror.history(job.user_id) if job.entity == Entity.USER else []
        return self._context_with(job, handler, await self._results(job, handler), tuple(history))

    def _context_with(
        self, job: Job, handler: Handler, results: dict[str, Any], history: tuple[Action, ...]
    ) -> Context:
        now = self._clock.now()
        return Context(
            job_id=job.id,
            key=job.key,
            user_id=job.user_id,
            now=now,
            deadline=now + handler.spec.timeout_s,
            media=self._config.media,
            artifact_dir=self._config.artifact_dir,
            results=results,
            history=history,
            traceparent=TRACING.current() if TRACING.on else None,
            config=self._config.handlers,
        )

    async def _results(self, job: Job, handler: Handler) -> dict[str, Any]:
        if not handler.needs:
            return {}
        keys = [CacheKey(need, job.entity, job.entity_id) for need in handler.needs]
        found = await self._answers.read_many(keys)
        return {
            envelope.task: envelope.result
            for envelope in found
            if envelope is not None and envelope.state is not State.UNAVAILABLE
        }
