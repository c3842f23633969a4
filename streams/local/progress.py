"""How a download shows itself: a bar on a terminal, a few plain lines elsewhere; on stderr either way."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

#: Gets the number of bytes that have come since the last call; may be called from several threads.
Advance = Callable[[int], None]

_MB = 1_000_000


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@contextlib.contextmanager
def show_download(title: str, total: int) -> Iterator[Advance]:
    """`total` in bytes; the block is the download."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(title, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda size: progress.advance(task, size)


def _plain(title: str, total: int) -> Advance:
    done = 0
    quarters = 0
    lock = threading.Lock()
    say(f"{title}: {total / _MB:.0f} MB, once")

    def advance(size: int) -> None:
        nonlocal done, quarters
        with lock:
            done = min(done + size, total)  # a second try of a jar counts twice
            if done * 4 // total > quarters:
                quarters = done * 4 // total
                say(f"{title}: {quarters * 25} %")

    return advance
