"""Rules of the code base that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 400
LONGEST_FUNCTION = 50
#: Measurements and tests may compare with files beside the repository; what is shipped knows nothing of them.
MAY_LOOK_OUTSIDE = ("tests/", "bench/")
_SLEEP = re.compile(r"\bsleep\(")
_OUTSIDE = re.compile(r"\bshared/|/ ?[\"']shared[\"']")


def tracked() -> list[str]:
    """Paths of the files that are the project's, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted({name for name in listed.stdout.splitlines() if (ROOT / name).is_file()})


def sources() -> Iterator[tuple[str, str]]:
    for name in tracked():
        if name.endswith(".py"):
            yield name, (ROOT / name).read_text()


def test_no_file_is_longer_than_its_readers_patience() -> None:
    lengths = {name: text.count("\n") for name, text in sources()}
    assert lengths, "no Python files found"
    assert not {name: length for name, length in lengths.items() if length > LONGEST_FILE}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {}
    for name, text in sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long[f"{name}:{node.name}"] = length
    assert not long


def test_tests_wait_for_conditions_and_never_sleep() -> None:
    # In strings it is the code of a child process, which has to be kept busy somehow.
    asleep = [
        f"{name}:{node.lineno}"
        for name, text in sources()
        if name.startswith("tests/")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and _SLEEP.match(f"{_name_of(node.func)}(")
    ]
    assert not asleep


def test_what_is_shipped_knows_nothing_of_files_beside_the_repository() -> None:
    named = []
    for name in tracked():
        if name.startswith(MAY_LOOK_OUTSIDE):
            continue
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue
        named += [f"{name}: {line.strip()}" for line in text.splitlines() if _OUTSIDE.search(line)]
    assert not named


def test_imports_run_one_way() -> None:
    """The contracts of `[tool.importlinter]`; `make lint` runs the same."""
    found = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def _name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
