"""Whatever the OpenAPI description allows, and much that it does not: never a 5xx, always as described."""

from __future__ import annotations

import json

import httpx
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
