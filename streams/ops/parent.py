"""Ends this process when the one that started it is gone: nothing of a local system outlives its command."""

from __future__ import annotations

import os
import signal
import threading
import time

VARIABLE = "PRECOMPUTE_PARENT_PID"
LOOK_EVERY_S = 0.5


def follow_parent() -> None:
    """Watches the parent named in the environment, if one is; sends ourselves SIGTERM when it is gone."""
    parent = os.environ.get(VARIABLE)
    if parent is not None and parent.isdigit():
        threading.Thread(target=_watch, args=(int(parent),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    # A process whose parent died is adopted: then getppid() is another's.
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10.0)
    os._exit(1)
