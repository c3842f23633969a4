"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(look: Callable[[], T | None], *, within_s: float = 30.0, what: str = "the condition") -> T:
    """The first truthy answer of `look`; fails the test when there is none in time."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {within_s:.0f} s; last seen: {found!r}")
        pause.wait(0.02)
