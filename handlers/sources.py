"""Where a dashboard's daily rows come from: the event itself, an SQL database, or an HTTP service.

`PRECOMPUTE_DASHBOARD_SOURCE` is `history` (what the event carries), an SQLAlchemy URL whose database has a
table or view `precompute_daily`, or an https address that answers
`GET ?entity=user&id=u1` with `{"rows": [...]}`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import msgspec

from handlers.config import HandlerConfig
from handlers.inputs import MAX_ROWS, DayRow
from streams.contracts.errors import ConfigurationError
from streams.contracts.outcomes import Reject, Retry

#: Seconds a source may take; a login waits for the dashboard.
TIMEOUT_S = 10.0
#: Largest answer of an HTTP source.
MAX_BYTES = 8 * 1024 * 1024
TABLE = "precompute_daily"
_COLUMNS = "date, impressions, clicks, spend, conversions, revenue, campaign_id"


class RowSource(Protocol):
    """Daily rows of a user or a campaign, in any order."""

    name: str

    async def rows(self, entity: str, entity_id: str, given: list[DayRow]) -> list[DayRow]:
        """`given` are those of the event. Raises `Retry` where the source is away."""
        ...


class EventSource:
    """The rows that came with the event."""

    name = "event"

    async def rows(self, entity: str, entity_id: str, given: list[DayRow]) -> list[DayRow]:
        del entity, entity_id
        return given


class SqlSource:
    """Rows of the view `precompute_daily` (columns user_id, campaign_id and those of `DayRow`)."""

    name = "sql"

    def __init__(self, url: str) -> None:
        self._url = url

    async def rows(self, entity: str, entity_id: str, given: list[DayRow]) -> list[DayRow]:
        del given
        return await asyncio.to_thread(self._read, entity, entity_id)

    def _read(self, entity: str, entity_id: str) -> list[DayRow]:
        import sqlalchemy as sql  # noqa: PLC0415 - only where a database is the source

        column = "campaign_id" if entity == "campaign" else "user_id"
        query = sql.text(
            f"SELECT {_COLUMNS} FROM {TABLE} WHERE {column} = :id "  # noqa: S608 - names are our constants
            f"ORDER BY date DESC LIMIT {MAX_ROWS}"
        )
        engine = sql.create_engine(self._url, poolclass=sql.pool.NullPool)
        try:
            with engine.connect() as connection:
                found = [dict(row) for row in connection.execute(query, {"id": entity_id}).mappings()]
        except sql.exc.OperationalError as exc:
            raise Retry(f"dashboard source: {type(exc.orig).__name__}") from exc
        finally:
            engine.dispose()
        return _typed(found)


class HttpSource:
    """Rows of an HTTP service of your own."""

    name = "http"

    def __init__(self, url: str, transport: Any = None) -> None:
        self._url = url
        self._transport = transport

    async def rows(self, entity: str, entity_id: str, given: list[DayRow]) -> list[DayRow]:
        del given
        import httpx  # noqa: PLC0415 - only where a service is the source

        try:
            async with httpx.AsyncClient(
                timeout=TIMEOUT_S, trust_env=False, transport=self._transport
            ) as client:
                answer = await client.get(self._url, params={"entity": entity, "id": entity_id})
        except httpx.HTTPError as exc:
            raise Retry(f"dashboard source: {type(exc).__name__}") from exc
        if answer.status_code != 200:
            raise Retry(f"dashboard source answers {answer.status_code}")
        if len(answer.content) > MAX_BYTES:
            raise Reject(f"dashboard source: more than {MAX_BYTES} bytes", reason="source_too_large")
        try:
            found = msgspec.json.decode(answer.content)["rows"]
        except (msgspec.DecodeError, KeyError, TypeError) as exc:
            raise Reject(
                'dashboard source: answers something else than {"rows": [...]}', reason="source_wrong"
            ) from exc
        return _typed(found)


def open_source(config: HandlerConfig) -> RowSource:
    """The source of the settings."""
    text = config.dashboard_source
    if text == "history":
        return EventSource()
    if text.startswith(("https://", "http://")):
        return HttpSource(text)
    if "://" in text:
        return SqlSource(text)
    raise ConfigurationError(
        "PRECOMPUTE_DASHBOARD_SOURCE: reads `history`, an SQLAlchemy URL or an https address"
    )


def _typed(found: Any) -> list[DayRow]:
    known = [_without_nulls(row) for row in found] if isinstance(found, list) else found
    try:
        return msgspec.convert(known, list[DayRow], strict=False)
    except msgspec.ValidationError as exc:
        raise Reject(f"dashboard source: {exc}", reason="source_wrong") from exc


def _without_nulls(row: Any) -> Any:
    """A database has NULL where a field of ours has a default."""
    return {k: v for k, v in row.items() if v is not None} if isinstance(row, dict) else row
