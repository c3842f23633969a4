"""Results that a job needs first: read from the cache, or computed once and put there."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from streams.cache.answers import Claim
from streams.contracts.ids import derive_job_id
from streams.contracts.jobs import Job
from streams.contracts.outcomes import Reject, Skip
from streams.work.answering import AnswerWriter
from streams.work.execution import Executor

#: A result that another job is computing is looked for again after this.
NEED_AGAIN_S = 0.2


class NeedResolver:
    def __init__(self, answers: AnswerWriter, executor: Executor) -> None:
        self._answers = answers
        self._executor = executor
        #: Whether a job of that key and at least that priority is in this worker's hands; set by the worker.
        self.holds: Callable[[str, int], bool] = lambda _key, _priority: False

    async def satisfy(self, job: Job) -> float | None:
        """None when all the job needs is there; seconds to wait where somebody else is at it."""
        for need in await self._executor.absent_needs(job):
            key = f"{need}:{job.entity}:{job.entity_id}"
            if self.holds(key, job.priority):
                # It comes up by itself; computing it here would only make a duplicate of it.
                return NEED_AGAIN_S
            inner = msgspec.structs.replace(job, id=derive_job_id(need, key, job.id), task=need, key=key)
            claim = self._answers.new_claim(inner)
            grant = await self._answers.claim(claim)
            if grant.verdict in ("busy", "held"):
                return NEED_AGAIN_S
            if grant.verdict == "run":
                waits = await self._compute(inner, claim)
                if waits is not None:
                    return waits
        return None

    async def _compute(self, inner: Job, claim: Claim) -> float | None:
        """Its own needs first. One that cannot be computed is left out; the handler says what that means."""
        started = self._answers.started(inner)
        version = self._executor.version(inner.task)
        self._answers.leases.hold(claim)
        try:
            waits = await self.satisfy(inner)
            if waits is not None:
                await self._answers.finish(claim, None, "retry")
                return waits
            result = await self._executor.run(inner)
        except Skip:
            await self._answers.finish(claim, None, "skipped")
            return None
        except Reject as exc:
            stored = self._answers.stored(inner, started, version, reason=exc.reason, message=str(exc))
        except BaseException:
            self._answers.leases.drop(claim)
            self._answers.release(claim)
            raise
        else:
            stored = self._answers.stored(inner, started, version, result=msgspec.Raw(result))
        await self._answers.finish(claim, stored, "completed")
        return None
