"""What the doctor finds without a server: settings, model store, handlers, disks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from predictor.registry import Registry
from streams.cli.doctor import lines_of
from streams.doctor.computing import HandlersLook, ModelLook
from streams.doctor.configuration import ConfigurationLook, is_local
from streams.doctor.disk import GIB, DiskLook
from streams.doctor.examination import examine_all, worst
from streams.doctor.findings import Finding, Level, Notes, examine
from streams.doctor.variables import known_variables, unknown_variables
from streams.settings import Settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PRECOMPUTE_"):
            monkeypatch.delenv(name)


async def failing(look: object) -> list[str]:
    found = await examine("part", look)  # type: ignore[arg-type]
    return [finding.check for finding in found if finding.level == Level.FAIL]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PRECOMPUTE_BACKOF_S", "PRECOMPUTE_BACKOFF_S"),
        ("PRECOMPUTE_KAFKA_SASL_PASWORD", "PRECOMPUTE_KAFKA_SASL_PASSWORD"),
        ("PRECOMPUTE_WORKER", "PRECOMPUTE_WORKERS"),
        ("PRECOMPUTE_MEDIA_ROOT", "PRECOMPUTE_MEDIA_ROOTS"),
        ("PRECOMPUTE_WHATEVER", ""),
    ],
)
def test_a_variable_that_nobody_reads(name: str, meant: str) -> None:
    found = unknown_variables({name: "1", "PATH": "/bin", "PRECOMPUTE_PORT": "1"})
    assert [(one.name, one.meant) for one in found] == [(name, meant)]
    assert name in str(found[0])
    assert meant in str(found[0])


def test_what_is_read_is_known() -> None:
    assert unknown_variables(dict.fromkeys(known_variables(), "1")) == []
    assert {
        "PRECOMPUTE_SESSION_GAP",
        "PRECOMPUTE_MEDIA_MAX_PIXELS",
        "PRECOMPUTE_LLM_URL",
    } <= known_variables()


async def test_settings_that_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await failing(ConfigurationLook(Settings(lease_s=15.0))) == ["leases"]
    assert await failing(ConfigurationLook(Settings())) == []
    monkeypatch.setenv("PRECOMPUTE_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    assert await failing(ConfigurationLook(Settings())) == ["answers"]


async def test_what_travels_in_the_clear() -> None:
    settings = Settings(
        kafka_bootstrap_servers="kafka.example:9092,127.0.0.1:9092",
        redis_url="redis://:hunter2@redis.example:6379/0",
        host="0.0.0.0",
        auth="off",
    )
    found = await examine("settings", ConfigurationLook(settings))
    warned = {finding.check for finding in found if finding.level == Level.WARN}
    assert {"Kafka's connection", "Redis's connection", "keys"} <= warned
    assert "hunter2" not in str(found)
    assert [host for host in ("127.0.0.1", "[::1]", "localhost", "10.0.0.1") if not is_local(host)] == [
        "10.0.0.1"
    ]


async def test_a_wrong_value_is_all_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECOMPUTE_WORKERS", "none")
    found = await examine_all()
    assert [(one.part, one.level) for one in found] == [("settings", Level.FAIL)]
    assert "PRECOMPUTE_WORKERS" in found[0].seen
    assert worst(found) == Level.FAIL


async def test_model_stores(tmp_path: Path) -> None:
    assert await failing(ModelLook(Settings())) == []
    assert await failing(ModelLook(Settings(model_store=str(tmp_path / "absent")))) == ["store"]
    empty = await examine("model", ModelLook(Settings(model_store=str(tmp_path))))
    assert [finding.level for finding in empty] == [Level.WARN]
    (tmp_path / "current.json").write_text("no json")
    assert await failing(ModelLook(Settings(model_store=str(tmp_path)))) == ["current"]
    assert Registry(tmp_path) is not None


async def test_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await failing(HandlersLook(Settings())) == []
    assert await failing(HandlersLook(Settings(handler_modules="no.such.module"))) == ["answers"]
    monkeypatch.setenv("PRECOMPUTE_HTTP_HANDLERS", "/no/such/file.json")
    assert await failing(HandlersLook(Settings())) == ["answers"]


async def test_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    settings = Settings(data_dir=tmp_path / "file" / "below", artifact_dir=tmp_path / "new" / "folder")
    assert await failing(DiskLook(settings)) == ["PRECOMPUTE_DATA_DIR"]
    settings = Settings(data_dir=tmp_path, artifact_dir=tmp_path)
    for free, level in ((GIB // 8, Level.FAIL), (GIB, Level.WARN), (9 * GIB, Level.OK)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        found = await examine("disk", DiskLook(settings))
        assert {finding.level for finding in found} == {level}


async def test_a_look_that_breaks_is_a_finding() -> None:
    async def broken(_: Notes) -> None:
        raise ZeroDivisionError

    found = await examine("part", broken)
    assert found[0].level == Level.FAIL
    assert "ZeroDivisionError" in found[0].seen


def test_the_columns_line_up() -> None:
    def finding(part: str, check: str, remedy: str = "") -> Finding:
        return Finding(part=part, check=check, level=Level.WARN, seen="S" * 300, remedy=remedy)

    lines = lines_of([finding("a", "b", "do"), finding("longer part", "longer check"), finding("c", "d")])
    assert {line.index("SSS") for line in lines if "SSS" in line} == {lines[1].index("-> do")}
    assert lines_of([]) == []
