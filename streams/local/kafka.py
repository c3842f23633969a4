"""A real Apache Kafka broker on this machine, without Docker and without a Java of the system."""

from __future__ import annotations

import base64
import re
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.contracts.errors import UnavailableError
from streams.local.java import java_environment
from streams.local.kafka_properties import server_properties
from streams.local.kafka_runtime import VERSION, KafkaRuntime
from streams.local.ports import LOOPBACK, free_port, is_listening
from streams.local.security import BrokerSecurity
from streams.local.server import LocalServer

_CONFIG = "server.properties"
_FORMAT_WITHIN_S = 60.0
_ANSWER_WITHIN_S = 1.0


class LocalKafka(LocalServer):
    """One node, broker and controller, `PLAINTEXT` on 127.0.0.1 unless `security` closes it.

        with LocalKafka() as kafka:
            kafka.bootstrap_servers

    `home` is the folder for jars and throw-away data (`PRECOMPUTE_LOCAL_HOME`, else `~/.cache/precompute`).
    `data` is a folder of one's own, kept unless `keep_data=False`; without it the data is thrown away.
    `properties` go into server.properties.
    """

    title = f"Apache Kafka {VERSION}"
    version = VERSION
    #: An ordinary stop takes half a second; the first one also writes the class archive.
    _stop_within_s = 20.0
    _reason = re.compile(r"\[(ERROR|FATAL)\]|^Caused by|^Exception in|^\S+(Exception|Error)(:|$)|^Error")

    def __init__(
        self,
        *,
        home: Path | None = None,
        data: Path | None = None,
        keep_data: bool | None = None,
        port: int | None = None,
        properties: Mapping[str, str] | None = None,
        security: BrokerSecurity | None = None,
        runtime: KafkaRuntime | None = None,
    ) -> None:
        super().__init__(home, data, keep_data=keep_data, port=port)
        self._controller_port = free_port(other_than=self.port)
        self._properties = dict(properties or {})
        self._security = security
        self._runtime = KafkaRuntime(self.home) if runtime is None else runtime

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        super().stop()
        if self._exit_code is not None:
            self._runtime.archive.take_recording(self._folder.path, self._exit_code)

    def _prepare(self) -> None:
        self._runtime.install()
        self._write_config(_CONFIG, self._server_properties())
        if not self._meta_path.exists():
            self._format()

    def _server_properties(self) -> str:
        if self._security is None:
            return server_properties(self.port, self._controller_port, self._properties)
        closed = self._security.properties(self.bootstrap_servers, self._folder.path)
        return server_properties(
            self.port,
            self._controller_port,
            {**closed, **self._properties},
            protocol=self._security.protocol,
        )

    @property
    def admin_config(self) -> dict[str, str]:
        """For a confluent-kafka client that may do everything here."""
        closed = self._security.admin_config() if self._security is not None else {}
        return {"bootstrap.servers": self.bootstrap_servers, **closed}

    def _format(self) -> None:
        # An id may begin with '-', which the tool would take for an option.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(  # noqa: S603 (our own Java)
            self._runtime.java.command(
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={cluster}",
                f"--config={_CONFIG}",
                *(self._security.format_arguments() if self._security is not None else ()),
                flags=self._runtime.archive.flags(),
            ),
            cwd=self._folder.path,
            env=java_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_FORMAT_WITHIN_S,
            check=False,
        )
        if done.returncode != 0:
            reason = self._reason_in(done.stdout + done.stderr)
            raise UnavailableError(f"cannot prepare the storage of {self.title}:{reason}")

    def _arguments(self) -> Sequence[str]:
        archive = self._runtime.archive
        return self._runtime.java.command(
            "kafka.Kafka", _CONFIG, flags=[*archive.flags(), *archive.recording_flags()]
        )

    def _environment(self) -> Mapping[str, str]:
        return java_environment()

    def _is_ready(self) -> bool:
        """A broker that lists itself has been unfenced by its controller: it takes records.

        The cluster's id tells ours from another one.
        """
        if not is_listening(self.port):
            return False
        # The id below proves who it is; its certificate may be one that clients are to refuse.
        conf = {**self.admin_config, "enable.ssl.certificate.verification": "false", "log_level": "0"}
        admin = AdminClient(conf)
        try:
            found = admin.list_topics(timeout=_ANSWER_WITHIN_S)
        except KafkaException:
            return False
        return bool(found.brokers) and f"cluster.id={found.cluster_id}\n" in self._meta_path.read_text()

    @property
    def _meta_path(self) -> Path:
        """What formatting leaves: who this node is, in which cluster."""
        return self._folder.path / "data" / "meta.properties"
