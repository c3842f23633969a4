"""Where a running demo or dev system is: a small file, so that other commands find it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class LocalState(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of the system that `demo` or `dev` runs; `pid` is that of the command."""

    pid: int
    bootstrap_servers: str
    redis_url: str
    api_url: str
    partitions: int
    metrics_urls: dict[str, str]

    def environment(self) -> dict[str, str]:
        """The variables that point any other command at this system."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "REDIS_URL": self.redis_url,
            "PRECOMPUTE_API_URL": self.api_url,
            "PRECOMPUTE_PARTITIONS": str(self.partitions),
            "PRECOMPUTE_REPLICATION": "1",
            "PRECOMPUTE_MIN_INSYNC_REPLICAS": "1",
        }


def cache_home() -> Path:
    """The user's folder for what the local runtime keeps."""
    own = os.environ.get("PRECOMPUTE_LOCAL_HOME")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "precompute"


def _path() -> Path:
    return cache_home() / "state.json"


def write_state(state: LocalState) -> None:
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(state))


def remove_state(pid: int) -> None:
    """Removes the file if it is that process's."""
    found = _read()
    if found is not None and found.pid == pid:
        _path().unlink(missing_ok=True)


def running_state() -> LocalState | None:
    """The running local system, if there is one."""
    found = _read()
    return found if found is not None and _is_alive(found.pid) else None


def adopt_state() -> None:
    """Points this process at the running local system, where its environment names no servers itself."""
    if "KAFKA_BOOTSTRAP_SERVERS" in os.environ or "REDIS_URL" in os.environ:
        return
    found = running_state()
    if found is not None:
        for name, value in found.environment().items():
            os.environ.setdefault(name, value)


def _read() -> LocalState | None:
    try:
        return msgspec.json.decode(_path().read_bytes(), type=LocalState)
    except (OSError, msgspec.DecodeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
