"""How a download shows itself: a bar on a terminal, a few plain lines elsewhere; on stderr either way."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

#: Gets the number of bytes that have come since the last call; may be called from several threads.
Advance = Callable[[int], None]

_MB = 1_000_000
_PLAIN_STEP = 0.25


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
    shown = 0.0
    say(f"{title}: {total / _MB:.0f} MB, once")

    def advance(size: int) -> None:
        nonlocal done, shown
        done += size
        if done / total >= shown + _PLAIN_STEP:
            shown = done / total
            say(f"{title}: {shown:.0%}")

    return advance
