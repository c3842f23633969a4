"""A master, a replica and a sentinel on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import redis

from streams.local.valkey import LocalValkey
from tests.support.waiting import wait_until

SERVICE = "main"
#: Milliseconds of silence after which the sentinel takes the master for dead.
DOWN_AFTER_MS = 500


class LocalSentinel(LocalValkey):
    """Watches one master alone: its word is the quorum."""

    def __init__(self, master: LocalValkey) -> None:
        super().__init__()
        self._master = master

    def _prepare(self) -> None:
        lines = (
            "bind 127.0.0.1",
            f"port {self.port}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self._master.port} 1",
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} 3000",
        )
        (self._folder.path / "valkey.conf").write_text("\n".join(lines) + "\n")

    def _arguments(self) -> Sequence[str]:
        return [*super()._arguments(), "--sentinel"]


class Watched:
    """A master with its replica; `url` goes by the sentinel."""

    def __init__(self, master: LocalValkey, replica: LocalValkey, sentinel: LocalSentinel) -> None:
        self.master = master
        self.replica = replica
        self.url = f"redis+sentinel://127.0.0.1:{sentinel.port}/{SERVICE}/0"
        self._sentinel_port = sentinel.port

    def wait_synchronised(self) -> None:
        with redis.Redis(port=self.replica.port) as client, redis.Redis(port=self._sentinel_port) as watcher:
            wait_until(
                lambda: client.info("replication")["master_link_status"] == "up", what="the replica's link"
            )
            wait_until(lambda: watcher.sentinel_slaves(SERVICE), what="the sentinel that knows the replica")

    def wait_promoted(self) -> None:
        with redis.Redis(port=self.replica.port) as client:
            wait_until(lambda: client.info("replication")["role"] == "master", what="the replica's promotion")


@contextmanager
def watched() -> Iterator[Watched]:
    with ExitStack() as stack:
        master = stack.enter_context(LocalValkey(config={"appendonly": "no"}))
        replicaof = {"appendonly": "no", "replicaof": f"127.0.0.1 {master.port}"}
        replica = stack.enter_context(LocalValkey(config=replicaof))
        sentinel = stack.enter_context(LocalSentinel(master))
        found = Watched(master, replica, sentinel)
        found.wait_synchronised()
        yield found
