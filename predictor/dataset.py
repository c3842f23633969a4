"""Logs of actions: CSV (also gzipped) and Parquet with the columns user, session, ts, action."""

from __future__ import annotations

import csv
import gzip
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from predictor.history import END, LOGIN, OTHER
from streams.contracts.errors import ContractError

COLUMNS = ("user", "session", "ts", "action")
#: Actions rarer than this share of a log are pooled: too few examples to learn or to score.
RARE = 0.001
#: A log with more frequent actions than this keeps the most frequent ones and pools the rest.
MAX_ACTIONS = 120

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


class Record(NamedTuple):
    """One row. `at_ms` is milliseconds since the Unix epoch; the column `ts` is in seconds."""

    user: str
    session: str
    at_ms: int
    action: str


class DatasetError(ContractError):
    """A log that cannot be read; the message names the file, the row (1 is the first after the header)
    and the column.
    """


def read_log(path: Path) -> list[Record]:
    """All rows in file order. Sessions are taken as given; within one, times must not run backwards."""
    try:
        rows = _read_parquet(path) if _begins_with(path, _PARQUET) else _read_csv(path)
        records = list(_check_rows(path, rows))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as exc:
        raise DatasetError(f"{path}: cannot be read ({exc}); give a CSV, CSV.gz or Parquet file") from exc
    if not records:
        raise DatasetError(
            f"{path}: no rows: row 1, column action is missing; at least two different actions are needed",
            field="action",
        )
    if len({record.action for record in records}) < 2:
        raise DatasetError(
            f"{path}: row 1, column action: every row has {records[0].action!r}; with a single action there "
            "is nothing to predict",
            field="action",
        )
    return records


def pool_rare(
    records: Sequence[Record], *, rare: float = RARE, reference: Sequence[Record] | None = None
) -> list[Record]:
    """Renames rare actions to OTHER; what is rare is counted in `reference` (all of them by default)."""
    counted = Counter(record.action for record in (records if reference is None else reference))
    floor = rare * sum(counted.values())
    kept = {name for name, count in counted.most_common(MAX_ACTIONS) if count >= floor} | {LOGIN}
    return [r if r.action in kept else r._replace(action=OTHER) for r in records]


def collapse_repeats(records: Iterable[Record]) -> list[Record]:
    """Drops a row that repeats the action before it in the same session."""
    last: dict[tuple[str, str], str] = {}
    kept = []
    for record in records:
        key = (record.user, record.session)
        if last.get(key) != record.action:
            kept.append(record)
            last[key] = record.action
    return kept


def write_parquet(path: Path, records: Sequence[Record]) -> None:
    """Archives records with the columns of the CSV; `ts` in seconds."""
    import pyarrow as pa  # noqa: PLC0415 - only archiving and training need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pa.table(
        {
            "user": [r.user for r in records],
            "session": [r.session for r in records],
            "ts": pa.array([r.at_ms / 1000 for r in records], pa.float64()),
            "action": [r.action for r in records],
        }
    )
    pq.write_table(table, path, compression="zstd")


def _begins_with(path: Path, mark: bytes) -> bool:
    """Files are known by their first bytes: names are changed and cut."""
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def _read_csv(path: Path) -> Iterator[Sequence[object]]:
    # Spreadsheets put a mark of the byte order first, which else became part of the first column's name.
    opened = gzip.open if _begins_with(path, _GZIP) else open
    with opened(path, "rt", newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        order = _column_order(path, header)
        for number, row in enumerate(reader, start=1):
            if len(row) != len(header):
                raise DatasetError(
                    f"{path}: row {number} has {len(row)} columns, the header {len(header)}", field="row"
                )
            yield [row[index] for index in order]


def _read_parquet(path: Path) -> Iterator[Sequence[object]]:
    import pyarrow as pa  # noqa: PLC0415 - only archives need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            order = _column_order(path, file.schema_arrow.names)
            for batch in file.iter_batches():
                columns = [batch.column(index).to_pylist() for index in order]
                yield from zip(*columns, strict=True)
    except pa.ArrowException as exc:
        raise DatasetError(f"{path}: not a readable Parquet file ({exc})") from exc


def _column_order(path: Path, header: Sequence[str]) -> list[int]:
    missing = [name for name in COLUMNS if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    twice = [name for name in COLUMNS if header.count(name) > 1]
    found = [
        *((name, f"column {name} is missing") for name in missing),
        *((name, f"unknown column {name!r}") for name in unknown),
        *((name, f"column {name} stands there twice") for name in twice),
    ]
    if found:
        name, what = found[0]
        columns = ", ".join(COLUMNS)
        raise DatasetError(f"{path}: header row: {what}; the columns are {columns}", field=name)
    return [header.index(name) for name in COLUMNS]


def _check_rows(path: Path, rows: Iterable[Sequence[object]]) -> Iterator[Record]:
    last: dict[tuple[str, str], int] = {}
    for number, (user, session, ts, action) in enumerate(rows, start=1):
        for name, value in (("user", user), ("action", action)):
            if value is None or value == "":
                raise DatasetError(f"{path}: row {number}, column {name}: empty", field=name)
        if action == END:
            raise DatasetError(
                f"{path}: row {number}, column action: {END} is the word for a session's end; leave it out",
                field="action",
            )
        at_ms = _milliseconds(path, number, ts)
        # A log of millions of rows has few names: each is kept once.
        record = Record(sys.intern(str(user)), sys.intern(str(session)), at_ms, sys.intern(str(action)))
        key = (record.user, record.session)
        if at_ms < last.get(key, at_ms):
            raise DatasetError(
                f"{path}: row {number}, column ts: {ts} is earlier than the row before it in session "
                f"{session} of user {user}; sort each session by time",
                field="ts",
            )
        last[key] = at_ms
        yield record


def _milliseconds(path: Path, number: int, ts: object) -> int:
    try:
        seconds = float(ts)  # type: ignore[arg-type]  # whatever is not a number is refused below
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds) or abs(seconds) > 1e11:
        raise DatasetError(
            f"{path}: row {number}, column ts: {ts!r} is not a time in seconds since 1970", field="ts"
        )
    return round(seconds * 1000)
