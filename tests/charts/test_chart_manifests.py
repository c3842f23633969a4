"""What the chart renders: goldens, the API's own schemas, and rules that hold for every case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import kubernetes_validate
import pytest
import redis

from handlers.config import HandlerConfig
from streams.contracts.topics import TopicNames
from streams.settings import KafkaSecurity, Settings, load_settings, variable_of
from tools.charts.rendering import GOLDENS, Manifest, case_values, cases, golden, render

#: The oldest Kubernetes that Chart.yaml allows, and the newest whose schemas are at hand.
KUBERNETES = ("1.29", kubernetes_validate.latest_version())
CUSTOM = ("keda.sh", "monitoring.coreos.com", "gateway.networking.k8s.io")
PASSWORD = "s3cret"

RENDERED: dict[str, list[Manifest]] = {case: render(case_values(case)) for case in cases()}
ALL = [(case, manifest) for case, manifests in RENDERED.items() for manifest in manifests]


def named(item: Any) -> str:
    return f"{item['kind']}/{item['metadata']['name']}" if isinstance(item, dict) else str(item)


def is_custom(manifest: Manifest) -> bool:
    return manifest["apiVersion"].split("/")[0] in CUSTOM


def of_kind(case: str, kind: str) -> list[Manifest]:
    return [manifest for manifest in RENDERED[case] if manifest["kind"] == kind]


def pod_specs(manifests: list[Manifest]) -> Iterator[tuple[Manifest, dict[str, Any]]]:
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield manifest, manifest["spec"]
        elif manifest["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield manifest, manifest["spec"]["template"]["spec"]


PODS = [(case, *pod) for case, manifests in RENDERED.items() for pod in pod_specs(manifests)]


@pytest.mark.parametrize("case", cases())
def test_a_case_renders_as_it_is_checked_in(case: str) -> None:
    assert (GOLDENS / f"{case}.yaml").read_text() == golden(case), (
        "see the diff; `make charts` renews goldens"
    )


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("case", cases())
def test_built_in_kinds_pass_the_api_s_schema(case: str, version: str) -> None:
    for manifest in RENDERED[case]:
        if not is_custom(manifest):
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize(("case", "manifest"), [pair for pair in ALL if is_custom(pair[1])], ids=named)
def test_custom_kinds_pass_their_definitions_schema(case: str, manifest: Manifest, shared_dir: Path) -> None:
    version = manifest["apiVersion"].split("/")[1]
    file = shared_dir / "data" / "crds" / f"{manifest['kind'].lower()}_{version}.json"
    jsonschema.validate(manifest, closed(json.loads(file.read_text())))


def closed(schema: Any) -> Any:
    """The schema with unknown names refused, as the API server's strict validation does."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: closed(part) for name, part in schema.items()}
    if isinstance(result.get("pattern"), str):
        # Go takes a flag in the middle of an expression, Python at its start only.
        result["pattern"] = result["pattern"].replace("^(?i)", "(?i)^")
    is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and "type" in schema and not is_open:
        properties = result["properties"]
        # metadata is checked by the API server itself and left empty in these schemas.
        if "metadata" in properties:
            properties["metadata"] = {"type": "object"}
        result["additionalProperties"] = False
    return result


@pytest.mark.parametrize(
    ("case", "manifest", "spec"),
    PODS,
    ids=lambda item: str(named(item))[:40] if isinstance(item, dict) and "kind" in item else "",
)
def test_every_pod_is_locked_down(case: str, manifest: Manifest, spec: dict[str, Any]) -> None:
    context = spec["securityContext"]
    assert spec["automountServiceAccountToken"] is False
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/tmp"}
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("case", cases())
def test_roles_are_probed_and_given_time_to_drain(case: str) -> None:
    for manifest, spec in pod_specs(RENDERED[case]):
        if manifest["kind"] not in ("Deployment", "StatefulSet"):
            continue
        container = spec["containers"][0]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["startupProbe"]["httpGet"]["path"] == "/livez"
        drain_s = int(environment(container)["PRECOMPUTE_GRACE_S"])
        assert spec["terminationGracePeriodSeconds"] > drain_s


def environment(container: dict[str, Any]) -> dict[str, str]:
    """As Kubernetes would make it: secrets filled in, references expanded."""
    values: dict[str, str] = {}
    for entry in container["env"]:
        text = PASSWORD if "valueFrom" in entry else entry["value"]
        if entry["name"] == "REDIS_URL" and "valueFrom" in entry:
            text = "redis://from-a-secret:6379/0"
        for name, value in values.items():
            text = text.replace(f"$({name})", value)
        assert entry["name"] not in values, f"{entry['name']} is set twice"
        values[entry["name"]] = text
    return values


def known_variables() -> set[str]:
    fields = {variable_of(name) for name in Settings.model_fields}
    kafka = {f"PRECOMPUTE_KAFKA_{name.upper()}" for name in KafkaSecurity.model_fields}
    handlers = {f"PRECOMPUTE_{name.upper()}" for name in HandlerConfig.__struct_fields__}
    return fields | kafka | handlers | {"REDIS_PASSWORD"}


ROLES = [
    (case, spec["containers"][0]) for case, m, spec in PODS if m["kind"] in ("Deployment", "StatefulSet")
]


@pytest.mark.parametrize(
    ("case", "container"), ROLES, ids=lambda item: item if isinstance(item, str) else item["name"]
)
def test_a_role_s_environment_is_what_the_settings_know(
    case: str, container: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = environment(container)
    assert set(values) <= known_variables()
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.metrics_port == 9464
    assert settings.metrics_host == "0.0.0.0"
    protocol = case_values(case)["kafka"].get("security", {}).get("protocol", "PLAINTEXT")
    assert settings.kafka_security.security_protocol == protocol


def test_an_acl_user_over_tls_reaches_redis_as_one_url() -> None:
    worker = next(
        container for case, container in ROLES if case == "secured" and container["name"] == "worker"
    )
    url = environment(worker)["REDIS_URL"]
    parts = urlsplit(url)
    assert (parts.scheme, parts.username, parts.password) == ("rediss", "precompute", PASSWORD)
    assert parse_qs(parts.query) == {"ssl_ca_certs": ["/etc/precompute/redis/ca.crt"]}
    pool = redis.ConnectionPool.from_url(url)
    assert pool.connection_class is redis.SSLConnection


def test_every_priority_asks_for_workers_by_its_own_lag() -> None:
    [scaled] = of_kind("keda", "ScaledObject")
    topics = [trigger["metadata"]["topic"] for trigger in scaled["spec"]["triggers"]]
    # The case leaves priority 1 out.
    assert topics == sorted(TopicNames().all_jobs[1:], reverse=True)
    thresholds = [int(trigger["metadata"]["lagThreshold"]) for trigger in scaled["spec"]["triggers"]]
    assert thresholds == sorted(thresholds), "the more urgent, the sooner"
    assert {trigger["metadata"]["sasl"] for trigger in scaled["spec"]["triggers"]} == {"scram_sha256"}


@pytest.mark.parametrize("case", cases())
def test_one_thing_alone_decides_the_number_of_workers(case: str) -> None:
    [worker] = [m for m in of_kind(case, "Deployment") if m["metadata"]["name"].endswith("-worker")]
    scalers = [
        manifest
        for kind in ("ScaledObject", "HorizontalPodAutoscaler")
        for manifest in of_kind(case, kind)
        if manifest["spec"]["scaleTargetRef"]["name"] == worker["metadata"]["name"]
    ]
    assert len(scalers) + ("replicas" in worker["spec"]) == 1


@pytest.mark.parametrize("case", cases())
def test_selectors_find_the_pods_they_mean(case: str) -> None:
    labels = [
        m["spec"]["template"]["metadata"]["labels"]
        for m in RENDERED[case]
        if m["kind"] in ("Deployment", "StatefulSet")
    ]
    for manifest in RENDERED[case]:
        spec = manifest.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector")
        if not selector or manifest["kind"] in ("PodMonitor", "ServiceMonitor"):
            continue
        wanted = selector.get("matchLabels", selector)
        found = [one for one in labels if wanted.items() <= one.items()]
        expected = 3 if manifest["metadata"]["name"].endswith("-metrics") else 1
        assert len(found) == expected, f"{named(manifest)} selects {len(found)} workloads"


def test_a_store_on_disk_makes_a_stateful_set_with_volumes() -> None:
    [streams] = of_kind("stateful", "StatefulSet")
    [claim] = streams["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert (
        environment(streams["spec"]["template"]["spec"]["containers"][0])["PRECOMPUTE_TABLE_STORE"]
        == "rocksdb://"
    )


def test_no_password_is_seen_outside_a_secret() -> None:
    for _, manifest in ALL:
        if manifest["kind"] != "Secret":
            assert "not-a-secret" not in json.dumps(manifest)


def test_the_topics_job_runs_before_everything_else_and_needs_nothing_of_the_release() -> None:
    [job] = of_kind("keda", "Job")
    hooks = [
        m
        for m in RENDERED["keda"]
        if "pre-install" in m["metadata"].get("annotations", {}).get("helm.sh/hook", "")
    ]
    assert job in hooks
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["topics", "create"]
    made_before = {m["metadata"]["name"] for m in hooks if m["kind"] == "Secret"}
    container = job["spec"]["template"]["spec"]["containers"][0]
    asked = {e["valueFrom"]["secretKeyRef"]["name"] for e in container["env"] if "valueFrom" in e}
    assert asked == made_before


#: By container: user and Secret for Kafka, user and Secret for Redis.
USERS = {
    "topics": (("topics", "topics-kafka"), None),
    "streams": (("streams", "streams-kafka"), ("streams", "streams-redis")),
    "worker": (("worker", "worker-users"), ("worker", "worker-users")),
    "api": (("api", "api-kafka"), ("api", "api-redis")),
}


def test_each_role_may_be_a_user_of_its_own() -> None:
    found = {}
    for manifest, spec in pod_specs(RENDERED["least-privilege"]):
        container = spec["containers"][0]
        if manifest["kind"] == "Pod":
            continue
        env = {entry["name"]: entry for entry in container["env"]}
        user = env["PRECOMPUTE_KAFKA_SASL_USERNAME"]["value"]
        kafka = (user, secret_of(env["PRECOMPUTE_KAFKA_SASL_PASSWORD"]))
        cache = None
        if "REDIS_URL" in env:
            cache = (urlsplit(env["REDIS_URL"]["value"]).username, secret_of(env["REDIS_PASSWORD"]))
        found[container["name"]] = (kafka, cache)
    assert found == USERS


def secret_of(entry: dict[str, Any]) -> str:
    return str(entry["valueFrom"]["secretKeyRef"]["name"])


def test_a_role_s_own_certificates_are_its_own_and_keda_s() -> None:
    mounted = {
        spec["containers"][0]["name"]: volume["secret"]["secretName"]
        for manifest, spec in pod_specs(RENDERED["least-privilege"])
        for volume in spec["volumes"]
        if volume["name"] == "kafka-tls" and manifest["kind"] != "Pod"
    }
    assert mounted.pop("worker") == "worker-certificates"
    assert set(mounted.values()) == {"kafka-ca"}
    [asking] = of_kind("least-privilege", "TriggerAuthentication")
    assert {one["name"] for one in asking["spec"]["secretTargetRef"]} == {"worker-certificates"}


def test_without_a_user_of_its_own_a_role_is_the_one_of_all() -> None:
    values = case_values("secured")
    values["worker"] = {"credentials": {"redis": {"username": "worker", "existingSecret": "worker-redis"}}}
    users = {}
    for manifest, spec in pod_specs(render(values)):
        if manifest["kind"] == "Deployment":
            env = {entry["name"]: entry for entry in spec["containers"][0]["env"]}
            url = urlsplit(env["REDIS_URL"]["value"])
            users[spec["containers"][0]["name"]] = (url.username, secret_of(env["REDIS_PASSWORD"]))
            assert secret_of(env["PRECOMPUTE_KAFKA_SASL_PASSWORD"]) == "kafka-credentials"
    all_of_them = ("precompute", "redis-credentials")
    assert users == {"streams": all_of_them, "worker": ("worker", "worker-redis"), "api": all_of_them}


def test_every_role_knows_the_same_handlers() -> None:
    """Streams and the API import what handlers declare: they must be the workers' ones."""
    manifests = render(case_values("secured"))
    [services] = [one for one in manifests if one["metadata"]["name"].endswith("-handlers")]
    assert json.loads(services["data"]["http.json"])["handlers"][0]["task"] == "ctr_prediction"
    roles = [one for one in manifests if one["kind"] in ("Deployment", "StatefulSet")]
    assert len(roles) == 3
    for role in roles:
        [container] = role["spec"]["template"]["spec"]["containers"]
        values = {one["name"]: one.get("value") for one in container["env"]}
        assert values["PRECOMPUTE_HTTP_HANDLERS"] == "/etc/precompute/handlers/http.json"
        assert values["PRECOMPUTE_LLM_PROVIDER"] == "openai"
        assert container["envFrom"] == [{"secretRef": {"name": "model-keys"}}]
        assert "/etc/precompute/handlers" in {mount["mountPath"] for mount in container["volumeMounts"]}
