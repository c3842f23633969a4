"""Whatever the OpenAPI description allows, and much that it does not: never a 5xx, always as described."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS

from tests.support.system import SystemUnderTest

#: What each answer must be. Not `positive_data_acceptance`: a well-formed key may name nothing we know.
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
EXAMPLES = 12


@schemathesis.serializer("application/x-ndjson")
def ndjson(_: schemathesis.SerializationContext, value: object) -> bytes:
    """Batches are lines; whatever comes is sent as it is."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def test_answers_are_as_described(live: SystemUnderTest) -> None:
    url = f"{live.http.base_url}openapi.json"
    schema = schemathesis.openapi.from_url(url)
    checks = [CHECKS.get_one(name) for name in _CHECKS]
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def answers(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=checks, timeout=20)

        answers()
        tried += 1
    assert tried >= 25


def test_every_operation_has_a_summary_and_shows_problems(api: httpx.Client) -> None:
    schema = api.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert "application/problem+json" in operation["responses"]["4XX"]["content"], path
    assert "HTTPValidationError" not in json.dumps(schema)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/video", {"video_id": "ex1", "user_id": "ex", "video_data": {"uri": "file:///a.mp4"}}),
        ("/campaign", {"campaign_id": "ex1", "user_id": "ex", "campaign_data": {"brief": "shoes"}}),
        ("/login", {"user_id": "ex", "user_data": {}}),
        ("/predict-actions", {"user_id": "ex"}),
        ("/demand", {"keys": ["ctr_prediction:video:ex1"]}),
    ],
)
def test_the_example_of_an_endpoint_is_its_own(api: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """The same fields, and as many jobs, as the answer to such a request."""
    operations = api.get("/openapi.json").json()["paths"]
    responses = operations[f"/api/precompute{path}"]["post"]["responses"]
    response = api.post(path, json=body)
    example = responses[str(response.status_code)]["content"]["application/json"]["example"]
    live = response.json()
    assert set(live) <= set(example)
    assert live.get("tasks_queued") == example.get("tasks_queued")
    assert len(example.get("task_ids", ())) == example.get("tasks_queued", 0)
    for name, value in live.items():
        assert type(example[name]) is type(value), name
        if isinstance(value, list) and value and isinstance(value[0], dict):
            # FastAPI leaves out what is null.
            assert set(example[name][0]) <= set(value[0]), name
