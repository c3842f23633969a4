"""The commands of the training guide, run one after the other on an invented log."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from predictor.commands import build_app
from predictor.dataset import Record, read_log, write_parquet
from predictor.prior import synthetic_records
from predictor.registry import Registry
from tests.docs.pages import DOCS, snippets

GUIDE = DOCS / "how-to" / "train-on-your-data.md"
_COMMAND = re.compile(r"^precompute predictor (.+)$", re.MULTILINE)


def _commands() -> list[list[str]]:
    code = "\n".join(one.code for one in snippets("sh") if one.page == GUIDE)
    return [shlex.split(line) for line in _COMMAND.findall(code)]


@pytest.mark.timeout(300)
def test_the_commands_of_the_guide_do_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRECOMPUTE_MODEL_STORE", "store")
    records: list[Record] = synthetic_records(600, users=20)
    write_parquet(Path("newer.parquet"), records)
    commands = _commands()
    assert [words[0] for words in commands] == [
        "export", "evaluate", "train", "show", "promote", "promote", "promote", "rollback"
    ]  # fmt: skip

    def run(words: list[str]) -> Result:
        versions = [meta.version for meta in Registry("store").versions()]
        given = [versions[-1] if word == "VERSION" else word for word in words]
        return CliRunner().invoke(build_app(lambda: records, lambda: None), given)

    for words in commands[:4]:
        done = run(words)
        assert done.exit_code == 0, (words, done.output)
    assert read_log(Path("actions.parquet")) == records
    assert "serves" in run(["show"]).output
    # A second version; without newer events it is not promoted but by force.
    records.extend(record._replace(user=f"{record.user}-b") for record in synthetic_records(100, users=5))
    assert run(["train", "--from", "topic"]).exit_code == 0
    refused = run(commands[4])
    assert (refused.exit_code, "is not promoted" in refused.output) == (1, True)
    unseen = run(commands[5])
    assert (unseen.exit_code, "have not compared" in unseen.output) == (1, True)
    for words in commands[6:]:
        done = run(words)
        assert done.exit_code == 0, (words, done.output)
    told = [(entry.action, entry.forced) for entry in Registry("store").audit()]
    assert told == [("promote", False), ("promote", True), ("rollback", True)]
