"""Compose and the image: valid, pinned, locked down, and in the words of the settings."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from handlers.config import HandlerConfig, load_handler_config
from handlers.config import variable_names as handler_variables
from streams.contracts.events import decode_data
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import BUILTIN_TASKS
from streams.settings import Settings, load_settings, variable_of
from tests.charts.test_alerts import ROOT
from tools.load import MIX, make_steps

DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROFILES = {"one broker": (), "cluster": ("cluster",), "load": ("load",), "both": ("cluster", "load")}
#: What decides which handlers there are, and in which version.
HANDLERS = (
    "PRECOMPUTE_HANDLER_MODULES",
    "PRECOMPUTE_HTTP_HANDLERS",
    "PRECOMPUTE_LLM_PROVIDER",
    "PRECOMPUTE_LLM_URL",
    "PRECOMPUTE_LLM_MODEL",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
)
ROLES = ("topics", "streams", "worker", "api", "load")


def compose(*arguments: str) -> str:
    """Runs the real Compose, which needs no engine to read a file."""
    binary = Path(sys.executable).parent / "docker-compose"
    command = [str(binary), "--project-directory", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr.lower(), done.stderr
    return done.stdout


def services(*profiles: str) -> dict[str, dict[str, Any]]:
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    found: dict[str, dict[str, Any]] = json.loads(compose(*chosen, "config", "--format", "json"))["services"]
    return found


ALL = services("cluster", "load")


@pytest.mark.parametrize("profiles", PROFILES.values(), ids=PROFILES)
def test_compose_takes_the_file(profiles: tuple[str, ...]) -> None:
    compose(*(word for profile in profiles for word in ("--profile", profile)), "config", "-q")


def test_profiles_add_servers_and_load() -> None:
    plain = set(services())
    assert plain >= {"kafka", "cache", "topics", "streams", "worker", "api", "prometheus", "grafana"}
    assert set(services("cluster")) - plain == {"kafka-2", "kafka-3", "cache-replica"}
    assert set(services("load")) - plain == {"load"}


@pytest.mark.parametrize("name", ALL)
def test_an_image_is_pinned(name: str) -> None:
    image = ALL[name]["image"]
    assert image == "precompute:local" or re.search(r":v?\d+\.\d+\.\d+(-[a-z]+)?$", image), image


@pytest.mark.parametrize("name", sorted(set(ALL) - {"topics", "load"}))
def test_what_runs_long_is_watched(name: str) -> None:
    # Roles without one of their own have the image's, see below.
    assert "healthcheck" in ALL[name] or name in ROLES


@pytest.mark.parametrize("name", ROLES)
def test_a_role_is_locked_down(name: str) -> None:
    role = ALL[name]
    assert role["read_only"] is True
    assert role["cap_drop"] == ["ALL"]
    assert role["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", ALL)
def test_nothing_listens_beyond_this_machine(name: str) -> None:
    assert {port["host_ip"] for port in ALL[name].get("ports", [])} <= {"127.0.0.1"}


@pytest.mark.parametrize("name", ROLES)
def test_a_role_s_environment_is_what_the_settings_know(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        *(variable_of(field) for field in Settings.model_fields),
        *handler_variables().values(),
        "PRECOMPUTE_MEDIA_SCRATCH_DIR",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    }
    for variable, value in ALL[name]["environment"].items():
        if not variable.startswith("LOAD_"):
            assert variable in known
            monkeypatch.setenv(variable, value)
    assert load_settings().kafka_bootstrap_servers == "kafka:19092"


def test_every_role_has_the_same_handlers() -> None:
    wanted = {name: ALL["worker"]["environment"][name] for name in HANDLERS}
    for role in ("streams", "api"):
        assert {name: ALL[role]["environment"][name] for name in HANDLERS} == wanted
        assert "/config" in {volume["target"] for volume in ALL[role]["volumes"]}


def test_empty_variables_of_handlers_are_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HANDLERS:
        monkeypatch.setenv(name, ALL["worker"]["environment"][name])
    assert load_handler_config(os.environ) == HandlerConfig()
    assert load_settings().handler_modules == ()


def test_workers_share_what_they_decode() -> None:
    targets = {volume["target"]: volume for volume in ALL["worker"]["volumes"]}
    scratch = ALL["worker"]["environment"]["PRECOMPUTE_MEDIA_SCRATCH_DIR"]
    assert targets[scratch]["type"] == "volume"
    assert scratch in DOCKERFILE


@pytest.mark.parametrize("name", ["streams", "worker", "api"])
def test_a_role_starts_when_its_topics_are_there_and_has_time_to_drain(name: str) -> None:
    role = ALL[name]
    assert role["depends_on"]["topics"]["condition"] == "service_completed_successfully"
    assert role["depends_on"]["cache"]["condition"] == "service_healthy"
    assert role["stop_grace_period"] == "45s"
    assert Settings.model_fields["grace_s"].default < 45


def test_there_are_several_workers() -> None:
    assert ALL["worker"]["deploy"]["replicas"] >= 2


def test_every_mounted_file_is_part_of_the_repository() -> None:
    binds = [
        Path(volume["source"])
        for service in ALL.values()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind" and volume["target"] not in ("/media", "/config")
    ]
    assert len(binds) == 5
    assert [path for path in binds if not path.exists()] == []


def test_prometheus_and_grafana_know_each_other_and_the_files() -> None:
    mounts = {
        volume["target"]: volume["source"]
        for name in ("prometheus", "grafana")
        for volume in ALL[name]["volumes"]
    }
    assert mounts["/etc/prometheus/rules"] == str(ROOT / "charts" / "precompute" / "rules")
    assert mounts["/var/lib/grafana/dashboards"] == str(ROOT / "charts" / "precompute" / "dashboards")
    source = (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text()
    assert "http://prometheus:9090" in source


def instructions(name: str) -> list[str]:
    return re.findall(rf"(?m)^{name} (.+)$", DOCKERFILE)


def test_the_image_is_built_from_hashes_and_a_pinned_base() -> None:
    [base] = re.findall(r"(?m)^ARG PYTHON_IMAGE=(.+)$", DOCKERFILE)
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", base)
    assert instructions("FROM") == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE} AS runtime"]
    assert "--require-hashes --only-binary :all: -r requirements/runtime.txt" in DOCKERFILE


def test_the_image_runs_without_root_and_says_whether_it_is_well() -> None:
    assert instructions("USER") == ["10001:10001"]
    assert "/livez" in DOCKERFILE.split("HEALTHCHECK")[1]
    assert instructions("ENTRYPOINT") == ['["precompute"]']


def test_the_build_sees_what_it_copies_and_little_else() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        word
        for line in instructions("COPY")
        if "--from" not in line
        for word in line.split()[:-1]
        if not word.startswith("--")
    }
    assert copied == allowed
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_load_is_made_of_events_and_keys_the_contracts_know() -> None:
    seen = set()
    for step in islice(make_steps(5, random.Random(1)), 200):
        decode_data(step.event_type, json.dumps(step.data).encode())
        CacheKey.parse(step.key, BUILTIN_TASKS)
        assert step.data["user_id"] == step.user_id
        seen.add(step.event_type)
    assert seen == {kind.value for kind in MIX}
