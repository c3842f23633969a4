"""server.properties of a broker for one machine."""

from __future__ import annotations

from collections.abc import Mapping

from streams.local.ports import LOOPBACK

#: Our topics allow events of 4 MiB; a batch of them with headers fits as well.
LARGEST_BATCH = 8 * 1024 * 1024

_FIXED = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    # Relative to the server's folder, so that no character of a home's path needs escaping.
    "log.dirs": "data",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    # A topic that nobody made is an error which has to show.
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(LARGEST_BATCH),
    "replica.fetch.max.bytes": str(LARGEST_BATCH),
    # Waiting for more members makes sense in a fleet, not here.
    "group.initial.rebalance.delay.ms": "0",
    # A broker killed with -9 is back after 6 s instead of 13.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # KIP-848 groups take these from the broker; its defaults move a dead member's partitions after 47 s.
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "10000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "1000",
    # The cleaner's default of 128 MB would be half the heap.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}


def server_properties(
    port: int, controller_port: int, extra: Mapping[str, str], *, protocol: str = "PLAINTEXT"
) -> str:
    """The file's text; `extra` wins over what stands here. `protocol` names the listener of the clients."""
    broker, controller = f"{LOOPBACK}:{port}", f"{LOOPBACK}:{controller_port}"
    properties = {
        **_FIXED,
        "listeners": f"{protocol}://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        # A static quorum: kept data may come back on other ports.
        "controller.quorum.voters": f"1@{controller}",
        **extra,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())
