"""What the child processes of the pool's tests run."""

from __future__ import annotations

import os
import signal


def pid() -> int:
    return os.getpid()


def spin() -> None:
    while True:
        pass


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def leave(code: int) -> None:
    os._exit(code)


def take(megabytes: int) -> int:
    return len(bytearray(megabytes * 1024 * 1024))


def interrupted() -> bool:
    return signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def fail() -> None:
    raise ValueError("the job's own error")
