"""What a person sees of a demo: live progress on a terminal, plain lines elsewhere, tables at the end."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from streams.contracts.states import FINAL
from streams.local.scenario import Story

_STYLES = {"completed": "green", "failed": "red", "skipped": "yellow", "processing": "cyan"}


class Display:
    """Progress on stderr; `stdout` gets only what was asked for."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live: Live | None = None
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, refresh_per_second=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(f"[dim]·[/] {text}" if self._console.is_terminal else text)

    def progress(self, story: Story) -> None:
        if self._live is not None:
            self._live.start()
            self._live.update(_jobs_table(story))
            return
        for followed in story.followed:
            if followed.status in FINAL and self._said.get(followed.id) != followed.status:
                self._said[followed.id] = followed.status
                reason = f" ({followed.reason})" if followed.reason else ""
                self.say(f"{followed.status}{reason}: {followed.key}")


def _jobs_table(story: Story) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("JOB", no_wrap=True)
    table.add_column("P", justify="right")
    table.add_column("STATUS", no_wrap=True)
    for followed in story.followed:
        style = _STYLES.get(followed.status, "dim")
        reason = f" · {followed.reason}" if followed.reason else ""
        table.add_row(followed.key, str(followed.priority), f"[{style}]{followed.status}{reason}[/]")
    return table


def answers_table(story: Story) -> Table:
    """Answer, computed in, read from the cache in, speed-up."""
    table = Table(title="Answers, before anyone asked", title_justify="left", box=None, pad_edge=False)
    table.add_column("ANSWER", no_wrap=True)
    for name in ("COMPUTED IN", "READ IN", "SPEED-UP"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in story.results:
        if row.computed_ms is None or row.read_ms is None:
            table.add_row(row.key, row.detail.replace("_", " "), "", "")
            continue
        factor = row.computed_ms / row.read_ms if row.read_ms else 0.0
        table.add_row(row.key, f"{row.computed_ms:,.0f} ms", f"{row.read_ms:.1f} ms", f"{factor:,.0f}x")
    return table


def predictions_table(story: Story) -> Table:
    table = Table(title="What the user does next", title_justify="left", box=None, pad_edge=False)
    table.add_column("PREDICTED ACTION", no_wrap=True)
    table.add_column("PROBABILITY", justify="right")
    table.add_column("DECISION", no_wrap=True)
    for row in story.predictions:
        table.add_row(row.action, f"{row.probability:.0%}", row.decision)
    return table
