"""Task types computed by an HTTP service of your own, by configuration alone.

`PRECOMPUTE_HTTP_HANDLERS` names a JSON file: `{"handlers": [{"task": "ctr_prediction", "version": "7", "url":
"https://ml.internal/ctr/{entity_id}", ...}]}`. A built-in task type listed there is computed by the service
instead of by its built-in handler.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec

from handlers.context import Context
from handlers.contract import Handler, check_handler, task_spec
from streams.contracts.errors import ConfigurationError
from streams.contracts.outcomes import Reject

JsonObject = dict[str, Any]
_SECRET = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_PLACE = re.compile(r"\{([a-z_]+)\}")
#: What a URL may name of a job.
PLACES = ("entity_id", "user_id", "key", "job_id")


class HttpHandlerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task type and its service.

    `url` may hold {entity_id}, {user_id}, {key}, {job_id}; values of `headers` may hold ${VARIABLE}, read
    from the environment. `request` maps names of the body to paths in `{"input", "context", "results"}`, such
    as `input.title`; without it that whole document is sent. `result` is the path of the result in the
    answer. `schema` names a JSON file that the result must keep to (type, required, properties,
    items, enum, minimum, maximum of JSON Schema). Times in seconds; `timeout_s` bounds all attempts together.
    """

    task: str
    version: str
    url: str
    method: Literal["GET", "POST", "PUT"] = "POST"
    headers: dict[str, str] = {}
    request: dict[str, str] | None = None
    result: str = ""
    schema: str | None = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    entity: str | None = None
    ttl_s: float | None = None
    needs: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    priority: int = 5
    answers: tuple[str, ...] = ()


class _File(msgspec.Struct, forbid_unknown_fields=True):
    handlers: list[HttpHandlerConfig]


def load_http_handlers(path: Path, environ: Mapping[str, str] = os.environ) -> list[Handler]:
    """The handlers a file declares; raises `ConfigurationError` that names the file and the field."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File).handlers
    except OSError as exc:
        raise ConfigurationError(f"PRECOMPUTE_HTTP_HANDLERS: {path}: {exc.strerror}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"PRECOMPUTE_HTTP_HANDLERS: {path}: {exc}") from exc
    return [make_http_handler(config, path.parent, environ) for config in found]


def make_http_handler(
    config: HttpHandlerConfig, folder: Path = Path(), environ: Mapping[str, str] = os.environ
) -> Handler:
    """An io handler that asks the service; raises `ConfigurationError` for what is missing."""
    where = f"HTTP handler of {config.task}"
    if not config.url.startswith(("https://", "http://")):
        raise ConfigurationError(f"{where}: url begins with https:// or http://")
    unknown = [name for name in _PLACE.findall(config.url) if name not in PLACES]
    if unknown:
        raise ConfigurationError(f"{where}: url names {{{unknown[0]}}}; known are {', '.join(PLACES)}")
    headers = {name: _filled(value, environ, where) for name, value in config.headers.items()}
    made = Handler(
        spec=task_spec(config.task, config.entity, config.ttl_s, config.timeout_s + 10),
        target=_asker(config, headers, _schema(config, folder, where)),
        kind="io",
        input_type=JsonObject,
        result_type=JsonObject,
        version=config.version,
        needs=config.needs,
        on=config.on,
        priority=config.priority,
        answers=config.answers,
    )
    check_handler(made)
    return made


def url_of(template: str, context: Context) -> str:
    """The address for one job; what it takes from the job is quoted, so that it stays one path segment."""
    values = {
        "entity_id": context.entity_id,
        "user_id": context.user_id,
        "key": context.key,
        "job_id": context.job_id,
    }
    return _PLACE.sub(lambda found: quote(values[found[1]], safe=""), template)


def at_path(document: Any, path: str) -> Any:
    """What stands at a dotted path; raises `LookupError` where nothing does. "" is the whole."""
    for part in path.split(".") if path else ():
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


Asker = Callable[[JsonObject, Context], Coroutine[Any, Any, Any]]


def _asker(config: HttpHandlerConfig, headers: dict[str, str], schema: JsonObject | None) -> Asker:
    async def ask(value: JsonObject, context: Context) -> Any:
        from handlers.http_client import Call, HttpStatusError  # noqa: PLC0415 - httpx loads with the first job
        from handlers.json_schema import problem_with  # noqa: PLC0415

        call = Call(
            method=config.method,
            url=url_of(config.url, context),
            headers=headers | ({"traceparent": context.traceparent} if context.traceparent else {}),
            body=None if config.method == "GET" else _body(config, value, context),
            deadline_s=config.timeout_s,
            attempts=config.attempts,
        )
        try:
            result = at_path(msgspec.json.decode(await _caller().send(call)), config.result)
        except HttpStatusError as exc:
            raise Reject(f"{config.task}: {exc}", reason=f"http_{exc.status}") from exc
        except (msgspec.DecodeError, LookupError, TypeError, ValueError) as exc:
            raise Reject(
                f"{config.task}: no JSON, or nothing at {config.result!r}", reason="bad_answer"
            ) from exc
        problem = problem_with(result, schema) if schema is not None else None
        if problem is not None:
            raise Reject(f"{config.task}: the service's answer: {problem}", reason="bad_answer")
        return result

    ask.__doc__ = f"Asks {config.url.partition('?')[0]}"
    return ask


@cache
def _caller() -> Any:
    from handlers.http_client import HttpCaller  # noqa: PLC0415 - httpx loads with the first job

    return HttpCaller()


def _body(config: HttpHandlerConfig, value: JsonObject, context: Context) -> JsonObject:
    document = {
        "input": value,
        "context": {name: getattr(context, name) for name in ("job_id", "key", "user_id", "now")},
        "results": context.results,
    }
    if config.request is None:
        return document
    body: JsonObject = {}
    for name, path in config.request.items():
        try:
            body[name] = at_path(document, path)
        except (LookupError, TypeError, ValueError) as exc:
            raise Reject(f"{path.removeprefix('input.')}: missing", reason="bad_input") from exc
    return body


def _filled(text: str, environ: Mapping[str, str], where: str) -> str:
    def secret(found: re.Match[str]) -> str:
        value = environ.get(found[1])
        if not value:
            raise ConfigurationError(f"{where}: a header needs the variable {found[1]}, which is not set")
        return value

    return _SECRET.sub(secret, text)


def _schema(config: HttpHandlerConfig, folder: Path, where: str) -> JsonObject | None:
    if config.schema is None:
        return None
    try:
        schema: JsonObject = msgspec.json.decode((folder / config.schema).read_bytes(), type=JsonObject)
    except (OSError, msgspec.DecodeError) as exc:
        raise ConfigurationError(f"{where}: schema {config.schema}: {exc}") from exc
    return schema
