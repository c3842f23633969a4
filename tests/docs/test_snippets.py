"""Code in the documentation is code: it parses, and what is marked as runnable runs."""

from __future__ import annotations

import ast
import json
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.cloudevents import RecordPlace, decode_event
from tests.docs.pages import DOCS, Snippet, snippets

PLACE = RecordPlace("precompute.events.videos", 0, 7, 1_795_600_800_000)


def named(found: list[Snippet]) -> dict[str, Any]:
    return {"argvalues": found, "ids": [one.name for one in found]}


@pytest.mark.parametrize("snippet", **named(snippets("python")))
def test_python_parses(snippet: Snippet) -> None:
    compile(snippet.code, snippet.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_shell_parses() -> None:
    """All in one process each: starting a shell for every snippet would take most of the time."""
    for snippet in snippets("sh", "bash"):
        checked = subprocess.run(
            ["bash", "-n"], input=snippet.code, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, f"{snippet.name}: {checked.stderr}"


@pytest.mark.parametrize("snippet", **named(snippets("json")))
def test_json_parses(snippet: Snippet) -> None:
    json.loads(snippet.code)


def test_languages_have_one_name_each() -> None:
    """Else a snippet would pass these tests by, under another name of its language."""
    assert [one.name for one in snippets("py", "python3", "shell", "javascript", "js")] == []


@pytest.mark.parametrize("snippet", **named([one for one in snippets("python") if one.runnable]))
def test_runnable_python_runs(snippet: Snippet) -> None:
    exec(compile(snippet.code, snippet.name, "exec"), {"__name__": "snippet"})


def _runnable(name: str) -> dict[str, Any]:
    """The names that the runnable snippet which defines `name` leaves behind."""
    for snippet in snippets("python"):
        if snippet.runnable and f"def {name}(" in snippet.code:
            scope: dict[str, Any] = {"__name__": "snippet"}
            exec(compile(snippet.code, snippet.name, "exec"), scope)
            return scope
    raise AssertionError(f"no runnable snippet defines {name}")


def test_the_python_producer_writes_an_event() -> None:
    record = _runnable("upload_record")["upload_record"]("e-1", "u42", "v42", "https://media.example/ad.mp4")

    event = decode_event(record["value"], record["headers"], PLACE)

    assert (event.type, event.id, event.user_id, event.source) == (
        "video.uploaded",
        "e-1",
        "u42",
        "media-service",
    )
    assert record["key"] == b"u42"


@pytest.fixture
def database() -> Any:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE videos (id TEXT PRIMARY KEY, uri TEXT)")
        connection.execute(next(one.code for one in snippets("sql") if "outbox" in one.code))
        yield connection
    connection.close()


def test_the_outbox_publishes_what_was_written(database: sqlite3.Connection) -> None:
    outbox = _runnable("relay_once")
    outbox["record_upload"](database, "u1", "v1", "/media/1.mp4")
    outbox["record_upload"](database, "u1", "v2", "/media/2.mp4")
    sent: list[tuple[str, str, str]] = []

    assert outbox["relay_once"](database, sent.extend) == 2
    assert outbox["relay_once"](database, sent.extend) == 0

    events = [decode_event(value.encode(), [], PLACE) for _, _, value in sent]
    assert [event.data.video_id for event in events] == ["v1", "v2"]
    assert {key for _, key, _ in sent} == {"u1"}


def test_the_outbox_writes_both_or_neither(database: sqlite3.Connection) -> None:
    outbox = _runnable("relay_once")
    outbox["record_upload"](database, "u1", "v1", "/media/1.mp4")

    with pytest.raises(sqlite3.IntegrityError):
        outbox["record_upload"](database, "u1", "v1", "/media/1.mp4")

    assert database.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


def test_the_outbox_sends_again_what_was_not_acknowledged(database: sqlite3.Connection) -> None:
    outbox = _runnable("relay_once")
    outbox["record_upload"](database, "u1", "v1", "/media/1.mp4")

    def refuse(_: list[tuple[str, str, str]]) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        outbox["relay_once"](database, refuse)
    sent: list[tuple[str, str, str]] = []
    outbox["relay_once"](database, sent.extend)

    assert len(sent) == 1


def test_typescript_and_java_parse(tmp_path: Path) -> None:
    """With the tools that are there; neither is something this project needs."""
    scripts, programs = snippets("ts"), snippets("java")
    assert scripts
    assert programs
    node, javac = shutil.which("node"), shutil.which("javac")
    for number, snippet in enumerate(scripts if node else []):
        path = tmp_path / f"snippet{number}.mjs"
        path.write_text(snippet.code)
        _run([str(node), "--check", str(path)], snippet)
    for snippet in programs if javac else []:
        path = tmp_path / "CampaignPublisher.java"
        path.write_text(snippet.code)
        stop = ["-XDshould-stop.ifNoError=PARSE", "-proc:none"]
        _run([str(javac), *stop, "-d", str(tmp_path), str(path)], snippet)


def _run(command: list[str], snippet: Snippet) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{snippet.name}: {done.stderr}"


def test_events_of_the_other_languages_are_events() -> None:
    """The JSON that the TypeScript and the Java producer send, taken out of their code."""
    java = next(one.code for one in snippets("java"))
    value = java.split('"""')[1].encode()
    event = decode_event(value, [("content-type", b"application/cloudevents+json")], PLACE)
    assert (event.type, event.user_id, event.source) == ("campaign.created", "u42", "campaign-service")
    script = next(one.code for one in snippets("ts") if "kafkajs" in one.code)
    assert 'topic: "precompute.events.users"' in script
    assert "key: event.data.user_id" in script


def test_docs_are_there() -> None:
    assert (DOCS / "index.md").is_file()
