"""http.md: every call of the API, from its own OpenAPI description."""

from __future__ import annotations

import json
from typing import Any

from streams.settings import load_settings
from streams.web.app import create_app
from tools.reference.markdown import code, page, table

_INTRO = """
The API listens on `PRECOMPUTE_HOST` and `PRECOMPUTE_PORT`; its OpenAPI description stands at
`/api/precompute/openapi.json`. Errors are problem details
([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): `title`, `status`, `detail`, `success: false`, and
`field`, `reason` or `key` where they say more. 503 means that Redis or Kafka does not answer: try again.

Where keys are asked for (`PRECOMPUTE_AUTH`), send `Authorization: Bearer KEY`. A key reads, publishes or
operates: `precompute keys create NAME --scope read --scope publish`. Events, refreshes and
batches take an `Idempotency-Key`. `/livez` and `/readyz` need no key.
"""
_METHODS = ("get", "post", "put", "delete", "patch")

Document = dict[str, Any]


def http_page() -> str:
    document: Document = create_app(load_settings()).openapi()
    calls = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    ]
    rows = [[code(f"{method.upper()} {path}"), one.get("summary", "")] for path, method, one in calls]
    parts = [_section(document, path, method, one) for path, method, one in calls]
    return page("HTTP", "the OpenAPI of streams.web.app", _INTRO, table(["call", "does"], rows), *parts)


def _section(document: Document, path: str, method: str, operation: Document) -> str:
    description = operation.get("description", "").strip()
    parts = [f"## {method.upper()} {path}", f"{operation.get('summary', '')}. {description}".strip()]
    parameters = [_parameter(one) for one in operation.get("parameters", [])]
    if parameters:
        parts.append(table(["parameter", "in", "type", "meaning"], parameters))
    parts += [*_body(document, operation), _answers(operation), *_example(operation)]
    return "\n\n".join(part for part in parts if part)


def _parameter(one: Document) -> list[str]:
    name = code(one["name"]) + (" (required)" if one.get("required") else "")
    meaning = one.get("description") or one.get("schema", {}).get("description", "")
    return [name, one["in"], _type(one.get("schema", {})), meaning]


def _body(document: Document, operation: Document) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if not schema:
        kinds = ", ".join(map(code, content))
        return [f"Body: {kinds}."] if kinds else []
    found = _resolve(document, schema)
    required = set(found.get("required", ()))
    rows = [
        [code(name) + (" (required)" if name in required else ""), _type(_resolve(document, one))]
        for name, one in found.get("properties", {}).items()
    ]
    return [f"Body: {found.get('description', 'JSON')}", table(["field", "type"], rows)]


def _answers(operation: Document) -> str:
    rows = [[code(status), one.get("description", "")] for status, one in operation["responses"].items()]
    return table(["status", "meaning"], rows)


def _example(operation: Document) -> list[str]:
    for status, one in operation["responses"].items():
        body = one.get("content", {}).get("application/json", {}).get("example")
        if body is not None and status.startswith("2"):
            return [f"For example, {status}:", f"```json\n{json.dumps(body, indent=2)}\n```"]
    return []


def _resolve(document: Document, schema: Document) -> Document:
    """What a reference names, or of a choice that which is not null."""
    if "$ref" in schema:
        return _resolve(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for one in schema.get("anyOf", ()):
        if one.get("type") != "null":
            return _resolve(document, one)
    return schema


def _type(schema: Document) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one) for one in schema["anyOf"] if one.get("type") != "null"))
    if "enum" in schema:
        return " or ".join(map(code, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type") or schema.get("$ref", "any").rpartition("/")[2])
