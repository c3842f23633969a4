"""The folder of one server: locked while in use, deleted at the end where nobody wants to keep it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from streams.contracts.errors import UnavailableError

_LOCK = ".lock"
#: The server of a program that was killed needs a moment to end; its folder is free then.
_WAIT_S = 3.0
_LOOK_EVERY_S = 0.05


@contextlib.contextmanager
def hold(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """One process at a time, as long as the block runs; released by the system if we die.

    `on_wait` is called once where another process is in the block.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class ServerFolder:
    """A server's files. Two servers never share one: the second `open` says who is in the way.

    Without a `path` it is a fresh one below `parent`, and those that crashed programs left there go first.
    """

    def __init__(self, path: Path | None, parent: Path, *, keep: bool) -> None:
        self._wanted = path
        self._parent = parent
        self._keep = keep
        self._owner = os.getpid()
        self._path: Path | None = None
        self._lock: int | None = None

    @property
    def path(self) -> Path:
        assert self._path is not None, "the folder is not open"
        return self._path

    @property
    def lock(self) -> int:
        """File descriptor of the lock, for the process that has to hold it as long as the server lives."""
        assert self._lock is not None, "the folder is not open"
        return self._lock

    def open(self) -> None:
        """Makes and locks the folder; nothing where that has been done."""
        if self._lock is not None:
            return
        if self._wanted is not None:
            self._wanted.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take(self._wanted)
            return
        with hold(self._parent / _LOCK):
            _sweep(self._parent)
            self._take(Path(tempfile.mkdtemp(dir=self._parent)))

    def close(self, *, delete: bool = True) -> None:
        """Gives the lock back and deletes what is not to be kept, or leaves that to the next `open`."""
        if self._lock is None or os.getpid() != self._owner:
            return
        if delete and not self._keep:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._lock = None
        self._path = None

    def _take(self, path: Path) -> None:
        deadline = time.monotonic() + _WAIT_S
        while (lock := _try_lock(path)) is None and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
        if lock is None:
            raise UnavailableError(f"another running server uses {path}; stop it, or choose another folder")
        self._path, self._lock = path.resolve(), lock


def _try_lock(path: Path) -> int | None:
    file = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _sweep(parent: Path) -> None:
    """Deletes the folders whose owner is gone: their lock is free."""
    for path in parent.iterdir():
        if not path.is_dir():
            continue
        lock = _try_lock(path)
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)
