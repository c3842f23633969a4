"""Ports for servers that must come back on the same port after a restart."""

from __future__ import annotations

import random
import socket

from streams.contracts.errors import UnavailableError

LOOPBACK = "127.0.0.1"

#: Below the ranges from which systems take the source ports of outgoing connections (Linux 32768 and up,
#: macOS 49152 and up): a port from those may be gone when a stopped server wants it back.
_FIRST, _LAST = 15_000, 32_000
_TRIES = 200


def free_port(*, other_than: int = 0) -> int:
    """A port of 127.0.0.1 on which nobody listens now, and which outgoing connections will not take."""
    for _ in range(_TRIES):
        port = random.randint(_FIRST, _LAST)  # noqa: S311 (spreads processes apart, guards nothing)
        if port != other_than and _is_free(port):
            return port
    raise UnavailableError(f"no free port between {_FIRST} and {_LAST} on {LOOPBACK}; close some programs")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of the past (TIME_WAIT) do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether a server accepts connections on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0
