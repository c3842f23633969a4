"""A server process that ends with us."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from streams.contracts.errors import UnavailableError
from streams.local import supervisor

#: Beyond the grace: the supervisor's own SIGKILL and exit.
_MARGIN_S = 10.0


class ServerCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What to run, where, and how long it may take to end after SIGTERM.

    Its output is added to `log`. `locks` are file descriptors of locks which have to outlive us until the
    server is gone.
    """

    arguments: Sequence[str]
    folder: Path
    log: Path
    environment: Mapping[str, str]
    grace_s: float
    locks: tuple[int, ...] = ()


class ServerProcess:
    """A running server below its supervisor; see `supervisor.py` for how it ends with us."""

    def __init__(self, command: ServerCommand) -> None:
        self._owner = os.getpid()
        self._grace_s = command.grace_s
        with command.log.open("ab") as log:
            self._supervisor = subprocess.Popen(  # noqa: S603 (our own script, the caller's command)
                [sys.executable, "-I", "-S", supervisor.__file__, str(command.grace_s), *command.arguments],
                cwd=command.folder,
                env=dict(command.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=command.locks,
                # Ctrl-C in a terminal goes to us, and we stop the server in order.
                start_new_session=True,
            )
        self.pid = self._read_pid(command)

    def _read_pid(self, command: ServerCommand) -> int:
        assert self._supervisor.stdout is not None
        with self._supervisor.stdout as stdout:
            line = stdout.readline()
        if not line:
            self._supervisor.wait()
            raise UnavailableError(f"cannot run {command.arguments[0]}; the reason stands in {command.log}")
        return int(line)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + signal where a signal ended it."""
        return self._supervisor.poll()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after the grace; returns when it is gone."""
        if self._is_ours():
            self._hang_up()
            self._supervisor.wait(self._grace_s + _MARGIN_S)

    def kill(self) -> None:
        """SIGKILL to the server and all it started; returns when it is gone."""
        if not self._is_ours():
            return
        assert self._supervisor.stdin is not None
        # It may have ended by itself in the meantime.
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._supervisor.stdin.write(b"K")
            self._supervisor.stdin.flush()
        self._supervisor.wait(_MARGIN_S)
        self._hang_up()

    def wait(self, within_s: float) -> int:
        """The exit code of a server that ends by itself; `subprocess.TimeoutExpired` where it does not."""
        return self._supervisor.wait(within_s)

    def _is_ours(self) -> bool:
        """A process forked from us has a copy of this object, but the server is not its to stop."""
        return os.getpid() == self._owner

    def _hang_up(self) -> None:
        assert self._supervisor.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._supervisor.stdin.close()
