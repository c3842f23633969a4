"""Every setting, metric and command that the documentation names exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from streams.contracts.states import _NEXT, Status
from streams.doctor.variables import OTHERS
from tests.docs.pages import DOCS, ROOT, code_spans, pages, snippets
from tools.reference.commands import root
from tools.reference.metrics import known_metrics
from tools.reference.settings import known_variables

_VARIABLE = re.compile(r"\bPRECOMPUTE_[A-Z0-9_]*[A-Z0-9]\b(?!…)")
_METRIC = re.compile(r"(?<![\w/.-])precompute_[a-z0-9_]+")
_PROGRAM = re.compile(r"(?:^|(?<=\s))(?:\$ )?(?:\.venv/bin/)?precompute(?=\s+[a-z])")
#: Words of commands that stand for something the reader fills in.
_PLACEHOLDER = re.compile(r"[A-Z]|…|\.\.\.|\{|\|")
_OTHER_PREFIXES = ("precompute_daily",)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_exist(page: Path) -> None:
    text = page.read_text()
    known = known_variables()
    assert sorted({name for name in _VARIABLE.findall(text) if name not in known}) == []


def test_variables_outside_the_settings_are_read_where_they_should_be() -> None:
    for name, (file, _) in OTHERS.items():
        assert name in (ROOT / file).read_text()


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_metrics_exist(page: Path) -> None:
    known = known_metrics()
    found = {name for name in _METRIC.findall(page.read_text()) if not name.startswith(_OTHER_PREFIXES)}
    assert sorted(found - known) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    problems = [f"{line}: {problem}" for line in _command_lines(page) if (problem := _problem_with(line))]
    assert problems == []


def _command_lines(page: Path) -> Iterator[str]:
    for span in code_spans(page):
        if re.match(r"(\.venv/bin/)?precompute [a-z]", span):
            yield span
    for snippet in snippets("sh", "bash", "console", ""):
        if snippet.page != page:
            continue
        for line in snippet.code.replace("\\\n", " ").splitlines():
            found = _PROGRAM.search(line.split("#")[0])
            if found:
                yield line.split("#")[0][found.start() :].strip().removeprefix("$ ")


def _problem_with(line: str) -> str | None:
    command = re.split(r"\s[|&>;]|\s&&", line)[0].rstrip("&;")
    words = shlex.split(command.replace("'", "'").replace("“", ""))[1:]
    node: Any = _root()
    while words and isinstance(node, TyperGroup):
        word = words[0]
        if word.startswith("-") or _PLACEHOLDER.search(word):
            break
        following = node.commands.get(word)
        if following is None:
            return f"no command {word}"
        node, words = following, words[1:]
    known = {name for one in node.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    given = {word.partition("=")[0].strip("[]") for word in words if word.strip("[]").startswith("--")}
    return f"no option {sorted(given - known)}" if given - known else None


@cache
def _root() -> TyperGroup:
    return root()


def test_the_checks_can_fail() -> None:
    assert _problem_with("precompute dlq lost") == "no command lost"
    assert _problem_with("precompute dlq list --sauce jobs") == "no option ['--sauce']"
    assert _problem_with(".venv/bin/precompute dlq list --source jobs | head") is None
    assert "PRECOMPUTE_NOTHING" not in known_variables()
    assert "precompute_nothing_total" not in known_metrics()


def test_the_state_diagram_is_the_code() -> None:
    text = (DOCS / "explanation" / "life-of-a-job.md").read_text()
    arrows = re.findall(r"^(\(new\)|\w+) +──▶ (.+)$", text, re.MULTILINE)
    drawn: dict[Status | None, set[Status]] = {None: set(), **{status: set() for status in Status}}
    for before, following in arrows:
        drawn[None if before == "(new)" else Status(before)].update(map(Status, following.split(" · ")))
    assert drawn == {status: set(following) for status, following in _NEXT.items()}
