"""How commands print: JSON for machines, aligned tables for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]

#: Rich leaves colours out by itself where NO_COLOR is set or stdout is no terminal.
console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 240)


def print_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)


def say(text: str, body: Any, *, json: bool) -> None:
    """A sentence for people, or all there is for machines."""
    if json:
        print_json(body)
    else:
        sys.stdout.write(text + "\n")
