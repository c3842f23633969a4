"""What the local Kafka and the local Valkey have in common: start, stop, kill, and a reason for a failure."""

from __future__ import annotations

import atexit
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from streams.contracts.errors import UnavailableError
from streams.local.folder import ServerFolder
from streams.local.ports import free_port
from streams.local.process import ServerCommand, ServerProcess
from streams.local.state import cache_home

_LOOK_EVERY_S = 0.02
#: A log larger than this is put aside at the next start, so that a kept folder does not grow for ever.
_LOG_LIMIT = 16 * 1024 * 1024
#: Lines of the server's log in the message of a failed start.
_REASON_LINES = 4


class LocalServer(ABC):
    """A server on 127.0.0.1 that ends with this process, however it ends.

    `stop` and `kill` leave port and data for another `start`; `close`, the end of a `with` block and the
    end of the program also delete the data unless they are to be kept. All of them may be called at any
    time, any number of times.
    """

    #: The product, as messages name it.
    title: str
    #: Lines of the log that tell why a start failed.
    _reason: re.Pattern[str]
    _start_within_s: float = 60.0
    _stop_within_s: float = 10.0

    def __init__(
        self, home: Path | None, data: Path | None, *, keep_data: bool | None, port: int | None
    ) -> None:
        self.home = (home if home is not None else cache_home()).expanduser().absolute()
        keep = data is not None if keep_data is None else keep_data
        self._folder = ServerFolder(data, self.home / "run", keep=keep)
        self.port = free_port() if port is None else port
        self._process: ServerProcess | None = None
        self._start_failed = False

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.exit_code is None

    @property
    def pid(self) -> int | None:
        """Of the server itself; None where it does not run."""
        return self._process.pid if self._process is not None and self.is_running else None

    @property
    def _exit_code(self) -> int | None:
        return self._process.exit_code if self._process is not None else None

    @property
    def log_path(self) -> Path:
        """The server's own log; exists once it has been started."""
        return self._folder.path / "server.log"

    def start(self) -> None:
        """Returns when the server does its work; nothing where it runs already.

        Raises `UnavailableError` with the server's own reason, `ConfigurationError` where a library is
        missing or a file is not the right one.
        """
        if self.is_running:
            return
        self.stop()
        self._folder.open()
        atexit.register(self.close)
        self._prepare()
        begin = self._roll_log()
        self._process = ServerProcess(
            ServerCommand(
                arguments=self._arguments(),
                folder=self._folder.path,
                log=self.log_path,
                environment=self._environment(),
                grace_s=self._stop_within_s,
                locks=(self._folder.lock,),
            )
        )
        try:
            self._wait_ready(begin)
        except BaseException:
            self._start_failed = True
            self.kill()
            raise
        self._start_failed = False

    def stop(self) -> None:
        """Lets it end in order (SIGTERM), kills it where that takes too long; returns when it is gone."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """Kill -9, as a crash would; returns when it is gone."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Stops it for good and deletes what is not to be kept; after a failed start the log is spared."""
        atexit.unregister(self.close)
        self.stop()
        self._process = None
        self._folder.close(delete=not self._start_failed)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _prepare(self) -> None:
        """Puts files in place before each start."""

    @abstractmethod
    def _arguments(self) -> Sequence[str]:
        """The command line."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether this very server does its work now; asked again and again, must not take long.

        Another one may be on the port: then ours is about to end with that as its reason.
        """

    def _environment(self) -> Mapping[str, str]:
        return os.environ

    def _write_config(self, name: str, text: str) -> None:
        """A file of the server's folder; passwords stand in it."""
        path = self._folder.path / name
        path.touch(mode=0o600)
        path.write_text(text)

    def _wait_ready(self, begin: int) -> None:
        deadline = time.monotonic() + self._start_within_s
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.exit_code is not None:
                raise UnavailableError(f"{self.title} did not start:{self._reason_since(begin)}")
            if self._is_ready():
                return
            time.sleep(_LOOK_EVERY_S)
        raise UnavailableError(
            f"{self.title} did not get ready within {self._start_within_s:.0f} s:{self._reason_since(begin)}"
        )

    def _roll_log(self) -> int:
        """Where in the log this start begins."""
        size = self.log_path.stat().st_size if self.log_path.exists() else 0
        if size > _LOG_LIMIT:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
            return 0
        return size

    def _reason_since(self, begin: int) -> str:
        """The telling lines of the log, and where the rest is."""
        with self.log_path.open("rb") as file:
            file.seek(begin)
            text = file.read().decode(errors="replace")
        return f"{self._reason_in(text)}\n  (its log: {self.log_path})"

    def _reason_in(self, output: str) -> str:
        """The last telling lines, or the last lines where none stands out."""
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        telling = [line for line in lines if self._reason.search(line)] or lines or ["it wrote nothing"]
        return "".join(f"\n  {line}" for line in dict.fromkeys(telling[-_REASON_LINES:]))
