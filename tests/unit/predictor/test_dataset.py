"""Logs: what is read, and how what cannot be read is refused."""

from __future__ import annotations

import gzip

import pytest
from sample_logs import small_log

from predictor.dataset import (
    DatasetError,
    Record,
    collapse_repeats,
    pool_rare,
    read_log,
    write_parquet,
)
from predictor.history import LOGIN
from predictor.replay import Question, outcomes_of, replay_log

GOOD = "user,session,ts,action\nu1,0,1000,a\nu1,0,1001.5,b\nu2,0,900,a\n"


def _write(tmp_path, text, name="log.csv"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_csv_is_read_plain_and_gzipped(tmp_path, name):
    records = read_log(_write(tmp_path, GOOD, name))
    assert records[1] == Record("u1", "0", 1_001_500, "b")
    assert len(records) == 3


def test_a_file_is_known_by_its_content(tmp_path):
    assert len(read_log(_write(tmp_path, "\ufeff" + GOOD))) == 3
    (tmp_path / "zipped.csv").write_bytes(gzip.compress(GOOD.encode()))
    assert len(read_log(tmp_path / "zipped.csv")) == 3
    write_parquet(tmp_path / "log", read_log(tmp_path / "zipped.csv"))
    assert len(read_log(tmp_path / "log")) == 3


def test_names_are_any_text(tmp_path):
    text = 'user,session,ts,action\r\n"Müller, J.",0,1,"save, as"\r\n"Müller, J.",0,2,öffnen\r\n'
    assert [record.action for record in read_log(_write(tmp_path, text))] == ["save, as", "öffnen"]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("ts", [1.0, float("nan")], "row 2, column ts: nan is not a time"),
        ("ts", [1.0, None], "row 2, column ts: None is not a time"),
        ("ts", [2.0, 1.0], "row 2, column ts: 1.0 is earlier"),
        ("action", ["a", None], "row 2, column action: empty"),
        ("action", ["a", "a"], "row 1, column action: every row has 'a'"),
        ("user", [None, "u"], "row 1, column user: empty"),
        ("extra", [1, 2], "header row: unknown column 'extra'"),
    ],
)
def test_bad_parquet_is_refused_by_row_and_column(tmp_path, column, value, message):
    import pyarrow as pa  # noqa: PLC0415 - only here
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = {"user": ["u", "u"], "session": ["0", "0"], "ts": [1.0, 2.0], "action": ["a", "b"]}
    pq.write_table(pa.table(table | {column: value}), tmp_path / "log.parquet")
    with pytest.raises(DatasetError) as caught:
        read_log(tmp_path / "log.parquet")
    assert message in str(caught.value)


def test_columns_may_stand_in_any_order(tmp_path):
    text = "ts,action,user,session\n1000,a,u1,0\n1001,b,u1,0\n"
    assert read_log(_write(tmp_path, text))[0] == Record("u1", "0", 1_000_000, "a")


def test_parquet_comes_back_as_it_was_written(tmp_path):
    records = list(small_log())
    write_parquet(tmp_path / "log.parquet", records)
    assert read_log(tmp_path / "log.parquet") == records


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header row: column user is missing"),
        ("user,session,ts\n", "header row: column action is missing"),
        ("user,session,ts,action,extra\n", "header row: unknown column 'extra'"),
        ("user,session,ts,action\n", "no rows: row 1, column action"),
        ("user,session,ts,ts\n", "header row: column action is missing"),
        ("user,session,ts,action,user\n", "header row: column user stands there twice"),
        (
            "user,session,ts,action\nu,0,1700000000000,a\n",
            "row 1, column ts: '1700000000000' is not a time in s",
        ),
        ("user,session,ts,action\nu,0,1,a\nu,0,2,a\n", "row 1, column action: every row has 'a'"),
        ("user,session,ts,action\nu,0,2,a\nu,0,1,b\n", "row 2, column ts: 1 is earlier"),
        ("user,session,ts,action\nu,0,1,a\nu,0,nan,b\n", "row 2, column ts: 'nan' is not a time"),
        ("user,session,ts,action\nu,0,1,a\nu,0,inf,b\n", "row 2, column ts: 'inf' is not a time"),
        ("user,session,ts,action\nu,0,1,a\nu,0,yesterday,b\n", "row 2, column ts: 'yesterday'"),
        ("user,session,ts,action\nu,0,1,a\n,0,2,b\n", "row 2, column user: empty"),
        ("user,session,ts,action\nu,0,1,\n", "row 1, column action: empty"),
        ("user,session,ts,action\nu,0,1,a\nu,0\n", "row 2 has 2 columns"),
        ("user,session,ts,action\nu,0,1,END\n", "row 1, column action: END"),
    ],
)
def test_bad_input_is_refused_by_row_and_column(tmp_path, text, message):
    with pytest.raises(DatasetError, match=r"log\.csv: ") as caught:
        read_log(_write(tmp_path, text))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["log.parquet", "log.csv.gz", "missing.csv"])
def test_what_is_no_log_is_refused(tmp_path, name):
    if name != "missing.csv":
        (tmp_path / name).write_bytes(b"\x00\x01 not a log")
    with pytest.raises(DatasetError, match=name):
        read_log(tmp_path / name)


def test_rare_actions_are_pooled():
    records = [Record("u", "0", i, "common") for i in range(2_000)] + [Record("u", "0", 2_000, "rare")]
    assert pool_rare(records)[-1].action == "OTHER"
    assert pool_rare(records)[0].action == "common"


def test_repeats_collapse_within_a_session():
    records = [
        Record("u", s, i, a) for i, (s, a) in enumerate([("0", "a"), ("0", "a"), ("1", "a"), ("1", "b")])
    ]
    assert [r.at_ms for r in collapse_repeats(records)] == [0, 2, 3]


def test_logins_of_the_log_itself_are_not_doubled_and_never_an_outcome():
    log = [Record("u", "0", i, name) for i, name in enumerate([LOGIN, "a", LOGIN, "b"])]
    questions = [item for item in replay_log(log) if isinstance(item, Question)]
    assert [q.outcome for q in questions] == ["a", "b", "END"] == outcomes_of(log)


def test_overlapping_sessions_of_one_user_do_not_mix():
    log = [
        Record("u", "0", 0, "a"),
        Record("u", "1", 1_000, "x"),
        Record("u", "0", 2_000, "b"),
        Record("u", "1", 3_000, "y"),
    ]
    asked = [
        ([a.name for a in item.history.actions], item.outcome)
        for item in replay_log(log)
        if isinstance(item, Question)
    ]
    assert ([LOGIN, "a"], "b") in asked
    assert ([LOGIN, "x", "y"], "END") in asked
