"""The whole system on one machine: broker, cache, topics and roles."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec

from streams.kafka.topics import TopicAdmin
from streams.local.kafka import LocalKafka
from streams.local.ports import free_port
from streams.local.roles import ROLES, RoleProcess
from streams.local.state import LocalState, cache_home, remove_state, write_state
from streams.local.valkey import LocalValkey
from streams.settings import load_settings

#: Enough for a laptop's cores; partitions cost file handles and start-up time.
PARTITIONS = 4


class SystemConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`bootstrap_servers` and `redis_url` name servers of one's own; None starts local ones."""

    bootstrap_servers: str | None = None
    redis_url: str | None = None
    media_roots: tuple[str, ...] = ()
    #: What the system writes is deleted at its end.
    throw_away: bool = True
    environment: Mapping[str, str] = {}


class LocalSystem:
    """Starts everything, in order and with a word about each step; stops it in reverse."""

    def __init__(self, config: SystemConfig, say: Callable[[str], None]) -> None:
        self._config = config
        self._say = say
        self._stack = ExitStack()
        self.folder = Path()
        self.broker = ""
        self.bootstrap_servers = ""
        self.redis_url = ""
        self.api_url = ""
        self.roles: dict[str, RoleProcess] = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.folder = self._make_folder()
        self._start_servers()
        environment = self._role_environment()
        os.environ.update(environment)
        self._say("making the topics")
        TopicAdmin(load_settings()).create()
        self._say("starting streams, worker and api")
        for role in ROLES:
            process = RoleProcess(role, environment, self.folder / "logs" / f"{role}.log")
            self.roles[role] = process
            self._stack.callback(process.stop)
            process.start()
        for process in self.roles.values():
            process.wait_ready()
        self._publish_state()

    def stop(self) -> None:
        remove_state(os.getpid())
        self._stack.close()

    def _make_folder(self) -> Path:
        base = cache_home()
        base.mkdir(parents=True, exist_ok=True)
        if not self._config.throw_away:
            return base / "dev"
        folder = Path(tempfile.mkdtemp(prefix="demo-", dir=base))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _start_servers(self) -> None:
        if self._config.bootstrap_servers is None:
            self._say("starting Apache Kafka")
            kafka = LocalKafka(
                home=cache_home(), data=self.folder / "kafka", keep_data=not self._config.throw_away
            )
            self._stack.callback(kafka.close)
            kafka.start()
            self.bootstrap_servers = kafka.bootstrap_servers
            self.broker = f"Apache Kafka {kafka.version} at {kafka.bootstrap_servers}"
        else:
            self.bootstrap_servers = self._config.bootstrap_servers
            self.broker = f"your Kafka at {self.bootstrap_servers}"
        if self._config.redis_url is None:
            self._say("starting Valkey")
            valkey = LocalValkey(data=self.folder / "valkey", keep_data=not self._config.throw_away)
            self._stack.callback(valkey.close)
            valkey.start()
            self.redis_url = valkey.url
        else:
            self.redis_url = self._config.redis_url

    def _role_environment(self) -> dict[str, str]:
        port = free_port()
        self.api_url = f"http://127.0.0.1:{port}"
        roots = ":".join([str(self.folder), *self._config.media_roots])
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "REDIS_URL": self.redis_url,
            "PRECOMPUTE_API_URL": self.api_url,
            "PRECOMPUTE_PORT": str(port),
            "PRECOMPUTE_PARTITIONS": str(PARTITIONS),
            "PRECOMPUTE_REPLICATION": "1",
            "PRECOMPUTE_MIN_INSYNC_REPLICAS": "1",
            "PRECOMPUTE_MEDIA_ROOTS": roots,
            "PRECOMPUTE_ARTIFACT_DIR": str(self.folder / "artifacts"),
            "PRECOMPUTE_DATA_DIR": str(self.folder / "streams"),
            "PRECOMPUTE_LOG_FORMAT": "console",
            # One small machine is loaded by a single upload; what is predicted is to be seen all the same.
            "PRECOMPUTE_LOAD_PENALTY": os.environ.get("PRECOMPUTE_LOAD_PENALTY", "0"),
            **self._config.environment,
        }

    def _publish_state(self) -> None:
        write_state(
            LocalState(
                pid=os.getpid(),
                bootstrap_servers=self.bootstrap_servers,
                redis_url=self.redis_url,
                api_url=self.api_url,
                partitions=PARTITIONS,
                metrics_urls={name: process.metrics_url for name, process in self.roles.items()},
            )
        )
