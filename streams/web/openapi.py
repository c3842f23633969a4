"""The OpenAPI description: FastAPI's, with our errors and keys."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from streams.web.problems import MEDIA_TYPE

_PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457. Further members say more: `field`, `reason`, `key`, `errors`.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "success"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "success": {"type": "boolean", "const": False},
    },
    "additionalProperties": True,
    "example": {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "a key reads task:entity:id, for example ctr_prediction:video:v42",
        "success": False,
        "field": "",
    },
}
_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ERRORS = {
    "4XX": {"description": "The request is wrong, or there is nothing to give", "content": _CONTENT},
    "503": {"description": "Redis or Kafka does not answer; try again", "content": _CONTENT},
}


def install_openapi(app: FastAPI) -> None:
    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _describe(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        routes=app.routes,
        description=app.description,
    )
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "`precompute keys create`"},
    }
    schema["security"] = [{}, {"key": []}]
    for path in schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"] |= _ERRORS
    return schema
