"""What people do to the system; each act stands in the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.counters import FleetCounters
from streams.cache.invalidation import Invalidator
from streams.cache.job_search import JobFilter, JobSearch
from streams.cache.ledger import JobLedger, JobRecord, LedgerReader
from streams.cache.names import RedisNames
from streams.cache.presence import ask_quiet
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Group, Job, Priority, Why
from streams.contracts.keys import CacheKey, KeyPattern
from streams.contracts.states import Status, is_final
from streams.contracts.tasks import TaskCatalogue, TaskSpec
from streams.web.audit import AuditLog
from streams.web.callers import Caller
from streams.web.intake import JobRequester
from streams.web.letter_marks import LetterMarks, Settled
from streams.web.letters import Letter
from streams.web.models import Filters
from streams.web.problems import Problem
from streams.web.refresh import Refresher
from streams.web.replay import Replayed, Replayer

#: Jobs of one bulk action; the next one takes the rest.
MOST_AT_ONCE = 1000
#: What has not ended.
CANCELLABLE = (Status.QUEUED, Status.PROCESSING)
#: A cancelled job is remembered for as long as a job topic keeps its record.
CANCELLED_FOR_S = 7 * 86_400


class Workshop(msgspec.Struct, frozen=True, kw_only=True):
    """What operations work with."""

    redis: aioredis.Redis
    names: RedisNames
    tasks: TaskCatalogue
    audit: AuditLog
    counters: FleetCounters
    invalidator: Invalidator
    refresher: Refresher
    jobs: JobRequester
    ledger: LedgerReader
    ledger_writer: JobLedger
    search: JobSearch
    replayer: Replayer
    marks: LetterMarks


class Operations:
    """Raises `UnavailableError` where a server does not answer, `Problem` for what cannot be done."""

    def __init__(self, workshop: Workshop, clock: Clock = SYSTEM_CLOCK) -> None:
        self._of = workshop
        self._clock = clock

    async def invalidate(self, caller: Caller, pattern: KeyPattern, text: str) -> int:
        count = await self._of.invalidator.invalidate(pattern)
        self._of.counters.add("cache_invalidations", count)
        await self._of.audit.record(caller, "invalidate", text, f"{count} answers")
        return count

    async def refresh(self, caller: Caller, spec: TaskSpec, filters: Filters) -> int:
        jobs = await self._of.refresher.refresh(spec, filters)
        asked = filters.model_dump_json(exclude_none=True)
        await self._of.audit.record(caller, "refresh", f"{spec.name} {asked}", f"{len(jobs)} jobs")
        return len(jobs)

    async def retry(self, caller: Caller, job_id: str) -> Job:
        """A new job for an ended one's key, at an operator's priority; 409 while it has not ended."""
        record = await self._record(job_id)
        if not is_final(record.status):
            raise Problem(
                409,
                f"the job is {record.status}; only one that ended is retried",
                status_of_job=record.status,
            )
        job = await self._retry(record)
        if job is None:
            raise Problem(409, f"the input of {record.facts.key} is no longer known; publish its event again")
        await self._of.audit.record(caller, "retry", f"{job_id} {record.facts.key}", f"job {job.id}")
        return job

    async def cancel(self, caller: Caller, job_id: str) -> Status:
        """A queued job is not run, a running one is stopped; 409 for one that has ended.

        What it is now: cancelled, or processing until its worker has stopped it, within seconds.
        """
        record = await self._record(job_id)
        if record.status not in CANCELLABLE:
            raise Problem(
                409,
                f"the job is {record.status}; only one that has not ended is cancelled",
                status_of_job=record.status,
            )
        status = await self._cancel(record)
        done = "cancelled" if status is Status.CANCELLED else "its worker is asked to stop it"
        await self._of.audit.record(caller, "cancel", f"{job_id} {record.facts.key}", done)
        return status

    async def bulk(self, caller: Caller, action: str, wanted: JobFilter, *, dry_run: bool) -> int:
        """Retries or cancels all that match, up to `MOST_AT_ONCE`; with `dry_run` only counts them."""
        found = await self.matching(action, wanted)
        if dry_run:
            return len(found)
        done = 0
        for record in found:
            if action == "cancel":
                await self._cancel(record)
                done += 1
            elif await self._retry(record) is not None:
                done += 1
        target = " ".join(f"{n}={v}" for n, v in msgspec.structs.asdict(wanted).items() if v)
        await self._of.audit.record(caller, f"{action} all", target or "every job", f"{done} jobs")
        return done

    async def matching(self, action: str, wanted: JobFilter) -> list[JobRecord]:
        """The jobs that a bulk action would touch."""
        allowed = CANCELLABLE if action == "cancel" else (Status.FAILED, Status.CANCELLED)
        # What runs is stopped only where somebody asked for that by name.
        usual = (Status.QUEUED,) if action == "cancel" else allowed
        statuses = tuple(status for status in allowed if status in (wanted.statuses or usual))
        if not statuses:
            return []
        narrowed = msgspec.structs.replace(wanted, statuses=statuses)
        found, _ = await self._of.search.page(narrowed, limit=MOST_AT_ONCE)
        return found

    async def replay(self, caller: Caller, letters: Sequence[Letter]) -> list[Replayed]:
        results = await self._of.replayer.replay(letters)
        done = [one for one in results if one.replayed_as is not None]
        places = ", ".join(letter.place for letter in letters[:5])
        await self._of.audit.record(caller, "replay", places, f"{len(done)} of {len(results)}")
        return results

    async def drop(self, caller: Caller, letters: Sequence[Letter]) -> None:
        """Nobody will look at these again: lists and filters leave them out from now on."""
        await self._of.marks.put(Settled.DROPPED, letters)
        places = ", ".join(letter.place for letter in letters[:5])
        await self._of.audit.record(caller, "drop", places, str(len(letters)))

    async def quiet(self, caller: Caller, worker_id: str, *, quiet: bool) -> None:
        """Asks a worker (or `*`, all of them) to start nothing, or to go on."""
        await ask_quiet(self._of.redis, self._of.names, worker_id, quiet=quiet)
        await self._of.audit.record(caller, "quiet" if quiet else "resume", worker_id, "asked")

    async def _record(self, job_id: str) -> JobRecord:
        record = await self._of.ledger.job(job_id)
        if record is None:
            raise Problem(404, "no job of that id; timelines are kept for a day")
        return record

    async def _retry(self, record: JobRecord) -> Job | None:
        key = CacheKey.parse(record.facts.key, self._of.tasks)
        # The failure is still cached and would be taken for an answer.
        jobs = await self._of.jobs.request(
            [key],
            why=Why(record.facts.why),
            priority=Priority.OPERATOR,
            cause=f"retry/{uuid.uuid4().hex}",
            recompute=True,
        )
        return jobs[0] if jobs else None

    async def _cancel(self, record: JobRecord) -> Status:
        """Workers look at the list: before they start a job, and while they run it."""
        names, facts = self._of.names, record.facts
        now = self._clock.now()
        try:
            pipe = self._of.redis.pipeline(transaction=False)
            pipe.zadd(names.cancelled, {facts.id: millis(now + CANCELLED_FOR_S)})
            pipe.zremrangebyscore(names.cancelled, "-inf", millis(now))
            pipe.delete(names.asked(facts.key))
            await pipe.execute()
            if record.status is Status.PROCESSING:
                return record.status
            self._of.ledger_writer.record(_as_job(record, self._of.tasks), Status.CANCELLED)
            await self._of.ledger_writer.flush()
            await self._of.redis.spublish(names.done_channel(facts.key), "cancelled")
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc
        return Status.CANCELLED


def _as_job(record: JobRecord, tasks: TaskCatalogue) -> Job:
    """Enough of a job for the ledger."""
    facts = record.facts
    key = CacheKey.parse(facts.key, tasks)
    return Job(
        id=facts.id,
        task=facts.task,
        key=facts.key,
        entity=key.entity,
        entity_id=key.entity_id,
        user_id=facts.user_id,
        priority=facts.priority,
        why=Why(facts.why),
        created_at=facts.created_at,
        input_version=0,
        probability=facts.probability,
        group=Group(facts.group),
    )
