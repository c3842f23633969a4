"""The alerts: rules that name what exists, cases that fire and stay silent, a runbook for each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from streams.cli.main import app
from tests.charts.promql import names_in, parse, problems, selections
from tools.charts.rendering import CHART, case_values, render
from tools.dashboards.__main__ import BOARDS

ROOT = CHART.parents[1]
RUNBOOKS = ROOT / "docs" / "runbooks"
CASES = sorted((Path(__file__).parent / "rules").glob("*.test.yaml"))
SEVERITIES = {"page", "ticket"}
#: What a runbook's first line may begin with, besides `precompute`.
TOOLS = {"kubectl", "redis-cli", "openssl", "curl", "kafka-consumer-groups.sh"}


def groups() -> Iterator[dict[str, Any]]:
    for file in sorted(CHART.glob("rules/*.yaml")):
        yield from yaml.safe_load(file.read_text())["groups"]


GROUPS = list(groups())
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}


def recorded() -> dict[str, frozenset[str]]:
    """Series that rules make, with the labels their outermost aggregation leaves."""
    return {
        rule["record"]: frozenset[str]().union(
            *(selection.aggregated for selection in selections(parse(rule["expr"])))
        )
        for rule in RULES
        if "record" in rule
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_what_exists(rule: dict[str, Any]) -> None:
    assert problems(rule["expr"], recorded()) == []


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    assert name.startswith("Precompute")
    assert alert["labels"]["severity"] in SEVERITIES
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_case_that_fires_and_one_that_stays_silent(name: str) -> None:
    outcomes = {
        bool(case["exp_alerts"])
        for file in CASES
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
        if case["alertname"] == name
    }
    assert outcomes == {True, False}


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus' own tool, from Debian's package `prometheus`."""
    found = shutil.which("promtool")
    if found is None:
        message = "promtool is not here, so no rule is run: install Debian's package prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted(CHART.glob("rules/*.yaml")), ids=lambda file: file.stem)
def test_prometheus_takes_the_rules(file: Path, promtool: str) -> None:
    run(promtool, "check", "rules", str(file))


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.name.removesuffix(".test.yaml"))
def test_alerts_fire_and_stay_silent(file: Path, promtool: str) -> None:
    run(promtool, "test", "rules", str(file))


def test_prometheus_takes_the_configuration_of_compose(promtool: str, tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("/etc/prometheus/rules", str(CHART / "rules")))
    run(promtool, "check", "config", str(config))


def test_there_is_a_runbook_for_every_alert_and_no_other() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_begins_with_a_command_and_a_panel(name: str) -> None:
    command, panel, _, title = (RUNBOOKS / f"{name}.md").read_text().splitlines()[:4]
    assert re.fullmatch(r"`[^`]+`", command)
    words = command.strip("`").split()
    if words[0] == "precompute":
        assert is_command(words[1:])
    else:
        assert words[0] in TOOLS
    assert panel.removeprefix("Panel: ") in PANELS
    assert title == f"# {name}"


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_points_to_what_exists(name: str) -> None:
    text = " ".join((RUNBOOKS / f"{name}.md").read_text().split())
    boards = "|".join(board.title for board in BOARDS)
    for panel in re.findall(rf"\*((?:{boards}) / [^*]+)\*", text):
        assert panel in PANELS, panel
    for words in re.findall(r"`precompute ([^`]+)`", text):
        assert is_command(words.split()), words
    for other in re.findall(r"\bPrecompute[A-Z]\w+", text):
        assert other in ALERTS, other
    assert names_in(text) == set()


def panel_names() -> set[str]:
    return {
        f"{board.title} / {panel.title}" for board in BOARDS for row in board.rows for panel in row.panels
    }


PANELS = panel_names()


def is_command(words: list[str]) -> bool:
    """Whether the command line knows these words, up to the first that is no command's name."""
    found: Any = typer.main.get_command(app)
    for word in words:
        commands = getattr(found, "commands", None)
        if commands is None:
            return True
        if word not in commands:
            return False
        found = commands[word]
    return getattr(found, "commands", None) is None


def shipped(**alerts: Any) -> list[dict[str, Any]]:
    """The groups of the chart's PrometheusRule."""
    values = case_values("keda")
    values["alerts"] |= alerts
    [made] = [manifest for manifest in render(values) if manifest["kind"] == "PrometheusRule"]
    found: list[dict[str, Any]] = made["spec"]["groups"]
    return found


def shipped_alerts(**alerts: Any) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in shipped(**alerts) for rule in group["rules"] if "alert" in rule}


def test_the_chart_ships_the_rules_that_compose_loads() -> None:
    assert shipped(runbookBaseUrl="") == GROUPS


def test_the_chart_points_to_where_runbooks_are_served() -> None:
    for name, alert in shipped_alerts().items():
        url = f"https://wiki.example.com/precompute/runbooks/{name}.md"
        assert alert["annotations"]["runbook_url"] == url


def test_an_alert_that_is_not_wanted_is_left_out_alone() -> None:
    assert set(shipped_alerts(disabled=["PrecomputeVersionSkew"])) == set(ALERTS) - {"PrecomputeVersionSkew"}
