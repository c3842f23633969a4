"""cli.md: every command with its arguments and options, from the program itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from streams.cli.main import app
from tools.reference.markdown import code, page, table

_INTRO = """
Data goes to stdout, logs and remarks to stderr. Exit 0: done; 1: it failed, and the line on stderr says why
and what to do; 2: wrong use. Where a local system runs (`precompute demo`, `precompute dev`) commands find it
by themselves; elsewhere they read the [settings](settings.md), and reach the API at `PRECOMPUTE_API_URL`.
"""
_HIDDEN = frozenset({"help"})


def commands_page() -> str:
    rows = [
        [f"[`{path}`](#{path.replace(' ', '-')})", _first_line(command)] for path, command in known_commands()
    ]
    parts = [_section(path, command) for path, command in known_commands()]
    return page("The command line", "streams/cli/", _INTRO, table(["command", "does"], rows), *parts)


def root() -> TyperGroup:
    """The program as a tree."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def known_commands() -> list[tuple[str, TyperCommand | TyperGroup]]:
    """Every command that does something, by its full name."""
    return list(_walk("precompute", root()))


def _walk(path: str, command: Any) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    for name, inner in command.commands.items():
        yield from _walk(f"{path} {name}", inner)


def _section(path: str, command: TyperCommand | TyperGroup) -> str:
    context = typer.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## {path}", (command.help or "").strip(), f"```text\n{usage}\n```"]
    rows = [_parameter(one, context) for one in command.params if one.name not in _HIDDEN]
    if rows:
        parts.append(table(["argument or option", "default", "meaning"], rows))
    return "\n\n".join(part for part in parts if part)


def _parameter(one: Any, context: typer.Context) -> list[str]:
    default = one.get_default(context)
    shown = "" if default in (None, "", False, ()) or one.required else code(default)
    if isinstance(one, TyperOption):
        names = ", ".join(code(name) for name in [*one.opts, *one.secondary_opts])
        meaning = one.help or ""
        if one.envvar:
            meaning = f"{meaning.rstrip('.')} ({code(one.envvar)})"
    else:
        names = code((one.metavar or (one.name or "").upper()).strip("[]"))
        meaning = getattr(one, "help", None) or ""
    return [names, shown, meaning]


def _first_line(command: TyperCommand | TyperGroup) -> str:
    return (command.help or "").strip().partition("\n")[0]
