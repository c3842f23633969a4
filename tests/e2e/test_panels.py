"""Every query of every dashboard, on a real Prometheus that scrapes the roles under load: none is empty."""

from __future__ import annotations

import math
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from streams.local.ports import free_port
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until
from tools.charts.rendering import CHART
from tools.dashboards.__main__ import BOARDS
from tools.load import Step, make_steps

#: Say themselves that they are empty without TLS, and without a challenger.
EMPTY_HERE = {"Capacity / Time left of certificates", "Predictor / Gain of the version in the shadow"}
#: Wide enough for several scrapes of a second each.
RATE_INTERVAL = "15s"


def panel_queries() -> dict[str, list[str]]:
    """The queries of each panel, with what Grafana would put into them."""
    return {
        f"{board.title} / {panel.title}": [
            query.promql.replace("$namespace", ".*").replace("$__rate_interval", RATE_INTERVAL)
            for query in (panel.queries if hasattr(panel, "queries") else [panel.query])
        ]
        for board in BOARDS
        for row in board.rows
        for panel in row.panels
    }


class Prometheus:
    """A real one on a loopback port, with the shipped rules loaded."""

    def __init__(self, binary: str, folder: Path, targets: dict[str, int]) -> None:
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(CHART / "rules" / "*.yaml")],
            "scrape_configs": [
                {
                    "job_name": "precompute",
                    "static_configs": [
                        {"targets": [f"127.0.0.1:{number}"], "labels": {"role": role}}
                        for role, number in targets.items()
                    ],
                }
            ],
        }
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        self._log = (folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                binary,
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=self._log,
        )
        self._http = httpx.Client(base_url=self._url, timeout=10.0, trust_env=False)

    def is_ready(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def values(self, query: str) -> list[float]:
        answer = self._http.get("/api/v1/query", params={"query": query})
        assert answer.status_code == 200, f"{query}: {answer.text}"
        return [float(series["value"][1]) for series in answer.json()["data"]["result"]]

    def unhealthy_rules(self) -> list[str]:
        groups = self._http.get("/api/v1/rules").json()["data"]["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._http.close()
        self._log.close()


class Users:
    """People at work: events, reads right and wrong, changes, and one publisher who sends nonsense."""

    def __init__(self, system: SystemUnderTest) -> None:
        self._system = system
        self._rng = random.Random(7)
        self._steps = make_steps(6, self._rng)

    def act(self) -> None:
        for _ in range(5):
            step = next(self._steps)
            self._system.publish(step.event_type, step.user_id, step.data)
            self._read(step)
        self._system.publish("entity.changed", step.user_id, {"entity": "user", "entity_id": step.user_id})
        self._system.send(self._system.topics.users, b"no event", step.user_id)
        self._system.flush()
        # What is fresh is not predicted again.
        for task in ("dashboard_data", "campaign_analytics", "variant_scoring", "roas_prediction"):
            self._system.http.delete("/cache", params={"pattern": f"{task}:*"})

    def _read(self, step: Step) -> None:
        self._system.http.get(f"/cache/{step.key}")
        self._system.http.get(f"/cache/dashboard_data:user:{step.user_id}", params={"on_miss": "compute"})


@pytest.fixture(scope="module")
def binary() -> str:
    found = shutil.which("prometheus")
    if found is None:
        message = "prometheus is not here, so no panel is run: install Debian's package prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def watched(
    binary: str, kafka: str, valkey: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SystemUnderTest, Prometheus]]:
    folder = tmp_path_factory.mktemp("panels")
    # Acts on nearly every prediction and holds half of all out: the panels are looked at, not the policy.
    with SystemUnderTest(folder, kafka, valkey, act_above="0.01", holdout="0.5") as system:
        system.start("streams", "worker", "api")
        targets = {name: role.metrics_port for name, role in system.roles.items()}
        prometheus = Prometheus(binary, folder, targets)
        try:
            wait_until(prometheus.is_ready, what="Prometheus")
            yield system, prometheus
        finally:
            prometheus.stop()


def has_data(values: list[float]) -> bool:
    return any(not math.isnan(value) for value in values)


def test_no_panel_is_empty_under_load(watched: tuple[SystemUnderTest, Prometheus]) -> None:
    system, prometheus = watched
    users = Users(system)
    missing: dict[str, Any] = {name: q for name, q in panel_queries().items() if name not in EMPTY_HERE}

    def all_seen() -> bool:
        users.act()
        for name, queries in list(missing.items()):
            missing[name] = [query for query in queries if not has_data(prometheus.values(query))]
            if not missing[name]:
                del missing[name]
        return not missing

    try:
        wait_until(all_seen, within_s=75, what="data in every panel")
    except AssertionError as exc:
        raise AssertionError(f"empty: {missing}") from exc
    assert prometheus.unhealthy_rules() == []
