"""How things are called in Redis."""

from __future__ import annotations

from functools import cached_property

import msgspec

#: Part of every key: a layout that old processes cannot read gets a new number and a clean start.
SCHEMA = 1


class RedisNames(msgspec.Struct, frozen=True, dict=True):
    """Every Redis key under one namespace.

    What belongs to one cache key carries that key as its hash tag, so that it lives in one slot and one
    script may touch all of it. The ledger's keys share a tag for the same reason.
    """

    namespace: str = "pc"

    @cached_property
    def _base(self) -> str:
        return f"{self.namespace}:{SCHEMA}"

    def result(self, key: str) -> str:
        return f"{self._base}:result:{{{key}}}"

    def lease(self, key: str) -> str:
        """Who computes the key's answer, until when, and how often that job was started without an end."""
        return f"{self._base}:lease:{{{key}}}"

    def invalidated(self, key: str) -> str:
        """When the key was last invalidated: an answer begun before it is not written."""
        return f"{self._base}:invalidated:{{{key}}}"

    def done_channel(self, key: str) -> str:
        """The sharded channel that says a job of this key has ended."""
        return f"{self._base}:done:{{{key}}}"

    @property
    def floors(self) -> str:
        """Hash of task (or *) to the time (ms) before which its answers are invalid."""
        return f"{self._base}:{{floors}}"

    @property
    def floors_text(self) -> str:
        """The same as one text, "task=ms" a line: a reader gets it beside its answers in one MGET."""
        return f"{self._base}:{{floors}}:text"

    def index(self, task: str) -> str:
        """Sorted set of a task's keys by the time their answers vanish."""
        return f"{self._base}:index:{task}"

    def asked(self, key: str) -> str:
        """The job that a reader asked for a moment ago: a second reader joins it."""
        return f"{self._base}:asked:{{{key}}}"

    @property
    def backplane(self) -> str:
        """The channel that tells every process's memory what was invalidated."""
        return f"{self._base}:backplane"

    def reads(self, task: str) -> str:
        """Sorted set of a task's keys by the time they were last read (ms)."""
        return f"{self._base}:reads:{task}"

    def unread(self, task: str) -> str:
        """Sorted set of a task's precomputed answers that nobody has read, by the time they vanish."""
        return f"{self._base}:unread:{task}"

    @property
    def cancelled(self) -> str:
        """Sorted set of cancelled jobs' ids by the time (ms) after which nobody asks any more."""
        return f"{self._base}:cancelled"

    @property
    def api_keys(self) -> str:
        """Hash of key id to what is known of the key; its secret only as a hash."""
        return f"{self._base}:api-keys"

    @property
    def audit(self) -> str:
        """Stream of what people did."""
        return f"{self._base}:audit"

    @property
    def scorecards(self) -> str:
        """Hash of streams process to how good its predictions were lately."""
        return f"{self._base}:scorecards"

    @property
    def replayed(self) -> str:
        """Sorted set of dead letters (topic/partition/offset) by the time they were replayed."""
        return f"{self._base}:replayed"

    @property
    def dropped(self) -> str:
        """Sorted set of dead letters (topic/partition/offset) by the time somebody said to forget them."""
        return f"{self._base}:dropped"

    @property
    def batches(self) -> str:
        """Sorted set of batch ids by the time they were handed in."""
        return f"{self._base}:batches"

    def batch(self, batch_id: str) -> str:
        return f"{self._base}:batch:{{{batch_id}}}"

    def batch_rows(self, batch_id: str) -> str:
        """List of a batch's cache keys, in its order."""
        return f"{self._base}:batch-rows:{{{batch_id}}}"

    def lock(self, name: str) -> str:
        """Held by the one process of the fleet that does a chore."""
        return f"{self._base}:lock:{name}"

    def response(self, scope: str, token: str) -> str:
        """The answer given to an Idempotency-Key."""
        return f"{self._base}:response:{scope}:{token}"

    def input(self, entity: str, entity_id: str) -> str:
        return f"{self._base}:input:{entity}:{entity_id}"

    def history(self, user_id: str) -> str:
        return f"{self._base}:history:{user_id}"

    def predictions(self, user_id: str) -> str:
        return f"{self._base}:predictions:{user_id}"

    @property
    def mirror_marker(self) -> str:
        """Absent after Redis lost its data: streams then writes its tables out again."""
        return f"{self._base}:mirror"

    @property
    def counters(self) -> str:
        return f"{self._base}:counters"

    def counters_minute(self, minute: int) -> str:
        return f"{self._base}:counters:{minute}"

    def worker(self, worker_id: str) -> str:
        return f"{self._base}:worker:{worker_id}"

    @property
    def workers(self) -> str:
        """Sorted set of worker ids by the time of their last heartbeat."""
        return f"{self._base}:workers"

    @property
    def versions(self) -> str:
        """Hash of "task version" to when (ms) a worker last said that it runs it."""
        return f"{self._base}:versions"

    @property
    def quiet(self) -> str:
        """Hash of worker id, or * for all, to "1": these start nothing."""
        return f"{self._base}:quiet"

    def group_units(self, salt: str, group: str) -> str:
        """Estimate (HyperLogLog) of how many users and entities of a group were read of."""
        return f"{self._base}:units:{salt}:{group}"

    def predicted_seconds(self, window: int) -> str:
        """Computing seconds that predicted jobs were estimated to take in a window of the global budget."""
        return f"{self._base}:predicted-seconds:{window}"

    @property
    def predictor_off(self) -> str:
        """Present while speculation is switched off by command."""
        return f"{self._base}:predictor-off"

    def job(self, job_id: str) -> str:
        return f"{self._base}:{{ledger}}:job:{job_id}"

    @property
    def jobs_prefix(self) -> str:
        """What the names of all status sets begin with."""
        return f"{self._base}:{{ledger}}:"

    def jobs_in(self, status: str, task: str) -> str:
        """Sorted set of the ids of a task's jobs in a status, by the time they got there (ms)."""
        return f"{self.jobs_prefix}{status}:{task}"
