"""Where versions live: a folder or a bucket, the same behaviour in both."""

from __future__ import annotations

import json
import pickle

import pytest
from bucket import BUCKET, serve_bucket
from sample_logs import model_files, small_log
from typer.testing import CliRunner

from predictor.archive import FOREST, META, STATE, ModelError, ModelFacts, dump_blend, load_blend
from predictor.commands import build_app
from predictor.registry import Registry
from predictor.serving import ServingModel
from predictor.store import open_store
from streams.contracts.clock import ManualClock
from streams.contracts.errors import ConfigurationError, UnavailableError

ADDRESS = f"s3://{BUCKET}/team a/models"


@pytest.fixture
def bucket(monkeypatch):
    with serve_bucket() as bucket:
        for name, value in bucket.environ().items():
            monkeypatch.setenv(name, value)
        yield bucket


@pytest.fixture(params=["folder", "bucket"])
def address(request, tmp_path):
    """The address of an empty store of each kind."""
    if request.param == "folder":
        return str(tmp_path / "store")
    request.getfixturevalue("bucket")
    return ADDRESS


def _second_files():
    blend, meta = load_blend(model_files())
    values = {name: getattr(meta, name) for name in ModelFacts.__struct_fields__}
    return dump_blend(blend, ModelFacts(**(values | {"created_at": meta.created_at + 1_000})))


def test_objects_come_back_as_they_were_written(address):
    store = open_store(address)
    assert store.read("a/b", 10) is None
    assert store.names("a/") == []
    for name in ("a/b", "a/c d", "a/e/f", "other"):
        store.write(name, name.encode())
    store.write("a/b", b"newer")
    assert store.read("a/b", 10) == b"newer"
    assert store.read("a/b", 3) == b"newe"
    assert store.names("a/") == ["a/b", "a/c d", "a/e/f"]


def test_a_versions_life(address):
    registry = Registry(address, clock=ManualClock())
    assert registry.current() is None
    assert registry.versions() == registry.audit() == []
    first, second = registry.add(model_files()).version, registry.add(_second_files()).version
    assert registry.add(model_files()).version == first
    assert [meta.version for meta in registry.versions()] == [first, second]
    registry.promote(first, reason="the first")
    registry.promote(second, reason="because", forced=True)
    assert registry.rollback(reason="worse").version == first
    found = [(entry.action, entry.version, entry.forced, entry.reason) for entry in registry.audit()]
    assert found == [
        ("promote", first, False, "the first"),
        ("promote", second, True, "because"),
        ("rollback", first, True, "worse"),
    ]
    assert registry.load(first)[0].version == first


@pytest.mark.parametrize("name", [META, FOREST, STATE])
@pytest.mark.parametrize("data", [b"", b"not ours", pickle.dumps({"a": 1}), None])
def test_a_broken_or_foreign_file_is_refused_and_the_old_version_serves(address, name, data):
    registry = Registry(address, clock=ManualClock())
    first, second = registry.add(model_files()).version, registry.add(_second_files()).version
    registry.promote(first, reason="the first")
    path = f"versions/{second}/{name}"
    kept = open_store(address).read(path, 1 << 30)
    open_store(address).write(path, kept[:-7] if data is None else data)
    with pytest.raises(ModelError):
        registry.promote(second, reason="broken")
    assert registry.current().version == first
    assert len(registry.audit()) == 1


def test_what_is_too_large_is_not_read_whole(address):
    registry = Registry(address)
    version = registry.add(model_files()).version
    open_store(address).write(f"versions/{version}/{FOREST}", bytes(21 << 20))
    with pytest.raises(ModelError, match="too large"):
        registry.load(version)


def test_a_promoted_version_is_found_while_serving(address):
    serving = ServingModel(address)
    assert serving.prepare() is None
    registry = Registry(address)
    version = registry.add(model_files()).version
    registry.promote(version, reason="a test")
    ready = serving.prepare()
    assert ready is not None
    assert serving.swap(ready) == version


def _run(*arguments):
    return CliRunner().invoke(build_app(lambda: list(small_log())), [str(a) for a in arguments])


def test_every_command_works_with_the_store(address, tmp_path, monkeypatch):
    monkeypatch.setenv("PRECOMPUTE_MODEL_STORE", address)
    log = tmp_path / "log.parquet"
    assert _run("export", log).exit_code == 0
    trained = _run("train", "--from", "parquet", "--file", log, "--json")
    assert trained.exit_code == 0, trained.output
    first = json.loads(trained.stdout)["version"]
    second = Registry(address).add(_second_files()).version
    assert _run("promote", second, "--force", "--reason", "a drill").exit_code == 0
    assert _run("rollback", "--reason", "over").exit_code == 0
    shown = json.loads(_run("show", "--json").stdout)
    assert shown["current"]["version"] == first
    assert [(e["action"], e["forced"], e["reason"]) for e in shown["audit"]] == [
        ("promote", False, "the first version"),
        ("promote", True, "a drill"),
        ("rollback", True, "over"),
    ]
    assert "a drill" in _run("show").stdout


def test_an_address_may_have_passed_through_a_path(bucket):
    from pathlib import Path  # noqa: PLC0415 - only here

    open_store(ADDRESS).write("x", b"1")
    assert open_store(Path(ADDRESS)).read("x", 9) == b"1"
    assert set(bucket.objects) == {"team a/models/x"}


def test_keys_and_buckets_are_asked_for_by_name(bucket):
    for address, environ in (
        (ADDRESS, {}),
        (ADDRESS, bucket.environ(AWS_SECRET_ACCESS_KEY="")),
        ("s3://", bucket.environ()),
    ):
        with pytest.raises(ConfigurationError, match="PRECOMPUTE_MODEL_STORE"):
            open_store(address, environ)


@pytest.mark.parametrize(
    ("address", "changes", "said"),
    [
        (ADDRESS, {"AWS_SECRET_ACCESS_KEY": "wrong"}, "answers 403"),
        ("s3://elsewhere/x", {}, "answers 404"),
        (ADDRESS, {"PRECOMPUTE_S3_ENDPOINT": "http://127.0.0.1:9"}, "does not answer"),
    ],
)
def test_a_store_that_refuses_is_named_with_what_to_check(bucket, address, changes, said):
    store = open_store(address, bucket.environ(**changes))
    with pytest.raises(UnavailableError, match=said) as caught:
        store.read("current.json", 10)
    assert str(store) in str(caught.value)


def test_a_store_that_is_away_leaves_the_model_and_is_logged_once(bucket, caplog):
    serving = ServingModel(ADDRESS)
    before = serving.version
    bucket.failing = 503
    assert serving.prepare() is None
    assert serving.prepare() is None
    assert len(caplog.records) == 1
    bucket.failing = None
    version = Registry(ADDRESS).add(model_files()).version
    Registry(ADDRESS).promote(version, reason="a test")
    assert serving.version == before
    assert serving.prepare() is not None


@pytest.mark.parametrize("answer", [b"hello", b"<a><b></a>", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'])
def test_a_server_that_is_no_bucket_is_said(bucket, answer, monkeypatch):
    monkeypatch.setattr(bucket, "list_page", lambda *_: answer)
    with pytest.raises(UnavailableError, match="does not answer as S3 does"):
        open_store(ADDRESS).names("versions/")
