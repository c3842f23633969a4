"""The chart's values: a closed, described schema, and combinations that are refused with a reason."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import helm_python
import pytest
import yaml

from tools.charts.rendering import CHART, case_values, cases, render

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())

_SASL = {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "u", "password": "p"}
_USER = {"username": "u", "existingSecret": "s"}
_KEDA = {"autoscaling": {"keda": {"enabled": True}}}
_INGRESS = {"enabled": True, "hosts": ["h.example.com"]}

REFUSED = {
    "no brokers": ({"kafka": {"bootstrapServers": ""}}, "kafka.bootstrapServers is empty"),
    "isr above replication": ({"kafka": {"replication": 1}}, "minInsyncReplicas is above"),
    "two kafka passwords": (
        {"kafka": {"security": {**_SASL, "existingSecret": "s"}}},
        "password and kafka.security.existingSecret are both set",
    ),
    "sasl without user": ({"kafka": {"security": {**_SASL, "username": ""}}}, "needs mechanism, username"),
    "password nobody sends": (
        {"kafka": {"security": {**_SASL, "protocol": "SSL"}}},
        "protocol SSL sends none",
    ),
    "certificates nobody uses": (
        {"kafka": {"security": {"tls": {"existingSecret": "s"}}}},
        "is not encrypted",
    ),
    "certificate without key": (
        {"kafka": {"security": {"protocol": "SSL", "tls": {"existingSecret": "s", "certKey": "c"}}}},
        "certKey and keyKey belong together",
    ),
    "no redis": ({"redis": {"host": ""}}, "redis.host is empty"),
    "url without secret": ({"redis": {"host": "", "urlKey": "url"}}, "redis.existingSecret names no Secret"),
    "url and host": (
        {"redis": {"urlKey": "url", "existingSecret": "s"}},
        "leave host, username and password",
    ),
    "two redis passwords": ({"redis": {"password": "p", "existingSecret": "s"}}, "both set: keep one"),
    "redis ca without tls": ({"redis": {"tls": {"existingSecret": "s"}}}, "would be plaintext"),
    "keda and hpa": (
        {"worker": {"autoscaling": {"keda": {"enabled": True}, "hpa": {"enabled": True}}}},
        "both enabled: they would fight",
    ),
    "idle workers": ({"worker": {"replicas": 13}}, "worker.replicas is 13, but kafka.partitions is 12"),
    "idle streams": ({"streams": {"replicas": 13}}, "streams.replicas is 13"),
    "keda above partitions": ({"worker": _KEDA, "kafka": {"partitions": 6}}, "keda.maxReplicas is 12"),
    "range upside down": (
        {"worker": {"autoscaling": {"keda": {"enabled": True, "minReplicas": 9, "maxReplicas": 8}}}},
        "minReplicas is above",
    ),
    "cooldown within the drain": (
        {"worker": {**_KEDA, "graceSeconds": 300}},
        "must be above worker.graceSeconds",
    ),
    "open to the world": ({"api": {"auth": "off", "ingress": _INGRESS}}, "say api.exposeWithoutKeys=true"),
    "load balancer": (
        {"api": {"auth": "off", "service": {"type": "LoadBalancer"}}},
        "say api.exposeWithoutKeys=true",
    ),
    "ingress of any host": (
        {"api": {"ingress": {"enabled": True}}},
        "api.ingress.hosts is empty",
    ),
    "route without gateway": (
        {"api": {"httpRoute": {"enabled": True}}},
        "parentRefs is empty",
    ),
    "counted twice": (
        {"metrics": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}},
        "counted twice",
    ),
    "a setting of the chart's": ({"settings": {"PRECOMPUTE_WORKERS": 8}}, "set worker.slots instead"),
    "a user with another one's password": (
        {"worker": {"credentials": {"redis": {"username": "worker"}}}},
        "worker.credentials.redis.username has no existingSecret",
    ),
    "a password without a user": (
        {"kafka": {"security": _SASL}, "api": {"credentials": {"kafka": {"existingSecret": "s"}}}},
        "api.credentials.kafka.existingSecret has no username",
    ),
    "a user nobody asks for": (
        {"streams": {"credentials": {"kafka": _USER}}},
        "streams.credentials.kafka is set but protocol PLAINTEXT sends none",
    ),
    "a certificate nobody asks for": (
        {"worker": {"credentials": {"kafka": {"tlsSecret": "s"}}}},
        "worker.credentials.kafka.tlsSecret is set",
    ),
    "a user beside a whole url": (
        {
            "redis": {"host": "", "urlKey": "url", "existingSecret": "s"},
            "api": {"credentials": {"redis": _USER}},
        },
        "api.credentials.redis.username is set, but redis.urlKey",
    ),
    "a role that is left without a user": (
        {
            "kafka": {"security": {"protocol": "SASL_SSL", "mechanism": "PLAIN"}},
            **{role: {"credentials": {"kafka": _USER}} for role in ("streams", "worker", "api")},
        },
        "needs mechanism, username",
    ),
    "kafka by the back door": (
        {"settings": {"PRECOMPUTE_KAFKA_SASL_PASSWORD": "p"}},
        "is the chart's own",
    ),
}


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(base)
    for name, value in over.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_combination_is_refused_with_a_reason(name: str) -> None:
    over, reason = REFUSED[name]
    with pytest.raises(helm_python.HelmError) as refusal:
        render(merged(case_values("minimal"), over))
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("over", "where"),
    [
        ({"worker": {"replica": 3}}, "replica"),
        ({"kafka": {"security": {"protocol": "TLS"}}}, "protocol"),
        ({"kafka": {"bootstrapServers": "kafka"}}, "bootstrapServers"),
        ({"worker": {"autoscaling": {"keda": {"minReplicas": 0}}}}, "minReplicas"),
        ({"worker": {"autoscaling": {"keda": {"lagThresholds": {"11": 5}}}}}, "lagThresholds"),
        ({"redis": {"password": "p@ss/word"}}, "password"),
        ({"settings": {"LOG_LEVEL": "info"}}, "settings"),
        ({"image": {"digest": "sha256:abc"}}, "digest"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_schema_names_what_is_wrong(over: dict[str, Any], where: str) -> None:
    with pytest.raises(helm_python.HelmValuesError, match=where):
        render(merged(case_values("minimal"), over))


def _objects(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        yield path, schema
        for name, part in schema.items():
            if name not in ("enum", "required"):
                yield from _objects(part, f"{path}/{name}")
    elif isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from _objects(part, f"{path}/{index}")


def test_every_object_of_the_schema_is_closed() -> None:
    # The items of lists are Kubernetes' own objects; its API server is the judge of those.
    opened = [
        path
        for path, part in _objects(SCHEMA)
        if isinstance(part.get("properties"), dict)
        and "/items" not in path
        and part.get("additionalProperties") is not False
    ]
    assert opened == []


def test_every_value_is_described() -> None:
    described = SCHEMA["$defs"]
    silent = [
        f"{path}/{name}"
        for path, part in _objects(SCHEMA)
        if path.endswith("/properties") and "/items" not in path
        for name, value in part.items()
        if "description" not in value and "description" not in described.get(_definition(value), {})
    ]
    assert silent == []


def _definition(value: dict[str, Any]) -> str:
    return str(value.get("$ref", "")).removeprefix("#/$defs/")


def _leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    schema = SCHEMA["$defs"][_definition(schema)] if "$ref" in schema else schema
    for name, part in schema.get("properties", {}).items():
        yield f"{path}{name}"
        yield from _leaves(part, f"{path}{name}.")


def test_every_value_of_the_schema_has_a_default() -> None:
    missing = []
    for path in _leaves(SCHEMA):
        found: Any = DEFAULTS
        for name in path.split("."):
            found = found.get(name, KeyError) if isinstance(found, dict) else found
        if found is KeyError:
            missing.append(path)
    # What only a parent chart sets, free maps of Kubernetes', and sizes not every role has.
    assert [path for path in missing if path != "global" and ".resources." not in path] == []


@pytest.mark.parametrize("case", cases())
def test_lint_finds_nothing(case: str) -> None:
    report = helm_python.lint(CHART, case_values(case), strict=True)
    assert report["errors"] == []
    assert [m for m in report["messages"] if m["severity"] > 1] == []


def test_the_chart_has_the_project_s_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((CHART.parents[1] / "pyproject.toml").read_text())["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_the_readme_names_files_and_values_that_exist() -> None:
    text = (CHART / "README.md").read_text()
    for name in re.findall(r"`((?:ci|templates)/[^`]+)`", text):
        assert (CHART / name).exists(), name
    known = set(_leaves(SCHEMA))
    wanted = re.findall(r"`((?:kafka|redis|worker|api|metrics|alerts|dashboards)(?:\.[A-Za-z]+)*)`", text)
    wanted += re.findall(r"--set ([A-Za-z.]+)=", text)
    assert wanted
    assert [path for path in wanted if path not in known] == []
