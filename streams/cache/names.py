"""How things are called in Redis."""

from __future__ import annotations

import msgspec

#: Part of every key: a layout that old processes cannot read gets a new number and a clean start.
SCHEMA = 1


class RedisNames(msgspec.Struct, frozen=True):
    """Every Redis key under one namespace.

    What belongs to one cache key carries that key as its hash tag, so that it lives in one slot and one
    script may touch all of it. The ledger's keys share a tag for the same reason.
    """

    namespace: str = "pc"

    @property
    def _base(self) -> str:
        return f"{self.namespace}:{SCHEMA}"

    def result(self, key: str) -> str:
        return f"{self._base}:result:{{{key}}}"

    def lease(self, key: str) -> str:
        return f"{self._base}:lease:{{{key}}}"

    def starts(self, key: str) -> str:
        """How often the job in hand was started without an end: what a poison job leaves behind."""
        return f"{self._base}:starts:{{{key}}}"

    def invalidated(self, key: str) -> str:
        """When the key was last invalidated: an answer begun before it is not written."""
        return f"{self._base}:invalidated:{{{key}}}"

    def done_channel(self, key: str) -> str:
        """The sharded channel that says a job of this key has ended."""
        return f"{self._base}:done:{{{key}}}"

    @property
    def floors(self) -> str:
        """Hash of task (or *) to the time before which its answers are invalid."""
        return f"{self._base}:floors"

    def index(self, task: str) -> str:
        """Sorted set of a task's keys by the time their answers vanish."""
        return f"{self._base}:index:{task}"

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

    def job(self, job_id: str) -> str:
        return f"{self._base}:{{ledger}}:job:{job_id}"

    @property
    def jobs_prefix(self) -> str:
        """What the names of all status sets begin with."""
        return f"{self._base}:{{ledger}}:"

    def jobs_in(self, status: str, task: str) -> str:
        """Sorted set of the ids of a task's jobs in a status, by the time they got there (ms)."""
        return f"{self.jobs_prefix}{status}:{task}"
