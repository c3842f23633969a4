"""The roles as child processes of one machine's system."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import structlog

from streams.contracts.errors import UnavailableError
from streams.local.ports import free_port

_log = structlog.get_logger(__name__)

ROLES = ("streams", "worker", "api")
READY_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05
#: A stopped role finishes what it has in hand; after this it is killed.
STOP_WITHIN_S = 10.0
LAST_LINES = 15


class RoleProcess:
    """`precompute ROLE` with its log in a file and its health on a port of its own."""

    def __init__(self, role: str, environment: Mapping[str, str], log: Path, *, name: str = "") -> None:
        self.role = role
        self.name = name or role
        self.metrics_port = free_port()
        self.metrics_url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        self._log_path = log
        self._environment = {
            **os.environ,
            **environment,
            "PRECOMPUTE_METRICS_PORT": str(self.metrics_port),
            "PRECOMPUTE_PARENT_PID": str(os.getpid()),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                [sys.executable, "-m", "streams.cli", self.role],
                env=self._environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                # Ctrl-C goes to the command, which stops the roles in order.
                start_new_session=True,
            )

    def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Returns when /readyz says so; raises `UnavailableError` with the log's end otherwise."""
        deadline = time.monotonic() + within_s
        last = "no answer yet"
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            while time.monotonic() < deadline:
                if self.has_ended():
                    last = f"it ended with exit code {self.exit_code}"
                    break
                try:
                    response = client.get(f"http://127.0.0.1:{self.metrics_port}/readyz")
                except httpx.HTTPError:
                    pass
                else:
                    if response.status_code == 200:
                        return
                    last = response.text
                time.sleep(LOOK_EVERY_S)
        raise UnavailableError(f"the {self.role} role did not get ready ({last}):\n{self.log_end()}")

    def has_ended(self) -> bool:
        return self.exit_code is not None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; below zero where a signal ended it, -11 for a segmentation fault."""
        return self._process.poll() if self._process is not None else None

    def log_end(self) -> str:
        try:
            lines = self._log_path.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-LAST_LINES:])

    def stop(self, within_s: float = STOP_WITHIN_S) -> int | None:
        """Asks it to end, kills it where it does not; its exit code."""
        process = self._process
        if process is None:
            return None
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(within_s)
            except subprocess.TimeoutExpired:
                _log.warning("a role did not stop in time and is killed", role=self.name)
                self.kill()
        self._process = None
        return process.returncode

    def kill(self) -> None:
        """Kill -9: what a crash looks like."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def send_signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
