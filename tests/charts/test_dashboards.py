"""The dashboards: as checked in, and asking only for what the roles export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.charts.promql import parse, problems, selections
from tools.charts.rendering import case_values, render
from tools.dashboards.__main__ import BOARDS, FOLDER
from tools.dashboards.board import Board

NAMES = [board.name for board in BOARDS]


def panels(board: Board) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(board.to_json())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def queries() -> Iterator[Any]:
    for board in BOARDS:
        for panel in panels(board):
            for target in panel["targets"]:
                name = f"{board.name}: {panel['title']} {target['refId']}"
                yield pytest.param(target["expr"], id=name)


@pytest.mark.parametrize("board", BOARDS, ids=NAMES)
def test_the_checked_in_file_is_what_the_code_makes(board: Board) -> None:
    file = FOLDER / f"{board.name}.json"
    assert file.read_text() == board.to_json(), "`make charts` writes the dashboards anew"


def test_there_is_no_file_that_no_code_makes() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("query", list(queries()))
def test_a_query_asks_for_what_exists(query: str) -> None:
    assert problems(query) == []


@pytest.mark.parametrize("query", list(queries()))
def test_a_query_keeps_to_the_chosen_namespaces(query: str) -> None:
    for selection in selections(parse(query)):
        assert ("namespace", "$namespace") in selection.matchers


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("sum(rate(precompute_event_total[5m]))", "no metric precompute_event_total"),
        ('precompute_queue_depth{task="x"}', "precompute_queue_depth has no label task"),
        ("sum by (user) (precompute_queue_depth)", "precompute_queue_depth has no label user"),
        ('precompute_cache_read_seconds_bucket{le="0.051"}', "has no bucket 0.051"),
    ],
)
def test_what_does_not_exist_is_noticed(query: str, problem: str) -> None:
    assert problem in " ".join(problems(query))


@pytest.mark.parametrize("board", BOARDS, ids=NAMES)
def test_every_panel_says_what_to_make_of_it(board: Board) -> None:
    found = panels(board)
    titles = [panel["title"] for panel in found]
    assert len(titles) == len(set(titles))
    for panel in found:
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]


@pytest.mark.parametrize("board", BOARDS, ids=NAMES)
def test_panels_do_not_overlap(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(board):
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_chart_ships_every_dashboard_unchanged() -> None:
    shipped = {
        file: text
        for manifest in render(case_values("keda"))
        if manifest["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        for file, text in manifest["data"].items()
    }
    assert {f"precompute-{board.name}.json" for board in BOARDS} == set(shipped)
    for board in BOARDS:
        assert json.loads(shipped[f"precompute-{board.name}.json"]) == json.loads(board.to_json())
