"""The broker and the cache in containers, for machines whose Docker engine answers."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

import docker
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from docker.errors import DockerException

from streams.local.kafka_properties import server_properties
from streams.local.kafka_runtime import VERSION
from streams.local.ports import free_port

with warnings.catch_warnings():
    # Its modules warn about names of its own that they import.
    warnings.simplefilter("ignore", DeprecationWarning)
    from testcontainers.community.redis import RedisContainer
    from testcontainers.core.container import DockerContainer

#: `local` or `containers` decides; else containers are used where an engine answers.
RUNTIME = os.environ.get("PRECOMPUTE_TEST_RUNTIME", "")
_READY_WITHIN_S = 60.0


def engine_answers() -> bool:
    """Whether containers are to be used; quick and quiet where there is no engine."""
    if RUNTIME:
        return RUNTIME == "containers"
    if not _accepts(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")):
        return False
    try:
        with closing(docker.from_env(timeout=1)) as client:
            return bool(client.ping())
    except (DockerException, OSError):
        return False


def _accepts(url: str) -> bool:
    """Whether anybody listens there. The library would leave an open socket behind where nobody does."""
    parts = urlsplit(url)
    is_path = parts.scheme == "unix"
    with socket.socket(socket.AF_UNIX if is_path else socket.AF_INET) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(parts.path if is_path else (parts.hostname, parts.port))
        except (OSError, TypeError):
            return False
    return True


@contextmanager
def kafka_container() -> Iterator[SimpleNamespace]:
    """The same version and the same properties as the local broker; `bootstrap_servers` on the handle."""
    port, controller = free_port(), free_port()
    open_listeners = f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:{controller}"
    extra = {"listeners": open_listeners, "log.dirs": "/tmp/kraft-logs"}
    container = DockerContainer(f"apache/kafka:{VERSION}").with_bind_ports(port, port)
    for line in server_properties(port, controller, extra).splitlines():
        name, _, value = line.partition("=")
        container = container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
    with container:
        servers = f"127.0.0.1:{port}"
        _wait_for_broker(servers)
        yield SimpleNamespace(bootstrap_servers=servers)


@contextmanager
def valkey_container() -> Iterator[SimpleNamespace]:
    """`url` on the handle."""
    with RedisContainer("valkey/valkey:9") as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(6379)
        yield SimpleNamespace(url=f"redis://{host}:{port}/0")


def _wait_for_broker(servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            if admin.list_topics(timeout=1).brokers:
                return
        except KafkaException:
            if time.monotonic() > deadline:
                raise
