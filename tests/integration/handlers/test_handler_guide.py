"""The guide's own code is run: what it shows is what works."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from handlers.commands import app
from handlers.http_service import load_http_handlers
from handlers.manifest import ManifestEntry
from handlers.registry import load_handlers

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "write-a-handler.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    return [text for found, text in _BLOCK.findall(GUIDE.read_text()) if found == kind]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The guide's Python files in a folder from which they can be imported."""
    for text in blocks("python"):
        name = text.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [one for one in sys.modules if one.startswith(("my_", "test_my_"))]:
        del sys.modules[name]


def test_the_guides_tests_pass(workplace: Path) -> None:
    tests = __import__("test_my_handlers")
    found = [getattr(tests, name) for name in dir(tests) if name.startswith("test_")]
    assert len(found) == 3
    for test in found:
        test()


def test_one_file_declares_task_trigger_action_and_event(workplace: Path) -> None:
    registry = load_handlers(["my_handlers", "my_events"])
    assert registry.catalogue["attention_heatmap"].entity == "video"
    assert [one.task for one in registry.triggers] == ["attention_heatmap"]
    assert registry.answers["open_heatmap"] == ("attention_heatmap",)
    assert [one.type for one in registry.events] == ["order.placed"]


def test_the_guides_commands_work(workplace: Path, short_clip: Path) -> None:
    run = CliRunner().invoke
    listed = run(app, ["list", "--modules", "my_handlers", "--json"])
    assert "attention_heatmap" in {one["task"] for one in json.loads(listed.stdout)}
    done = run(
        app,
        ["run", "attention_heatmap", "--modules", "my_handlers", "--input", str(short_clip), "--json"],
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["columns"] == 4


def test_the_guides_service_is_a_handler(tmp_path: Path) -> None:
    (text,) = blocks("json")
    file = tmp_path / "services.json"
    file.write_text(text)
    (made,) = load_http_handlers(file, {"ML_TOKEN": "secret"})
    assert (made.task, made.version, made.needs) == ("ctr_prediction", "2026-11", ("hook_analysis",))


def test_commands_say_what_is_wrong(tmp_path: Path) -> None:
    run = CliRunner().invoke
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    failed = run(app, ["run", "scene_detection", "--input", str(text), "--json"])
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "media_unreadable" in failed.stderr
    assert run(app, ["run", "nothing", "--input", str(text)]).exit_code == 2
    assert run(app, ["run", "scene_detection", "--input", str(tmp_path / "no.mp4")]).exit_code == 2
    assert run(app, ["list", "--modules", "no_such_module"]).exit_code == 2


def test_every_campaign_and_user_task_runs_from_a_file(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"campaign_id": "c1", "user_id": "u1", "brief": "Shoes for rain"}))
    for task in (
        "variant_generation",
        "variant_scoring",
        "roas_prediction",
        "dashboard_data",
        "campaign_analytics",
    ):
        done = CliRunner().invoke(app, ["run", task, "--input", str(event), "--json"])
        assert done.exit_code == 0, done.output
        msgspec.json.decode(done.stdout, type=load_handlers()[task].result_type)
    shown = msgspec.json.decode(CliRunner().invoke(app, ["manifest"]).stdout, type=list[ManifestEntry])
    assert {one.spec.name for one in shown} == set(load_handlers())
