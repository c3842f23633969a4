"""What docs/how-to/secure.md says to type is typed, on servers that are closed as it describes."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

from streams.kafka.permissions import grant_bindings, role_grants
from streams.kafka.topics import TopicAdmin
from streams.local.valkey import LocalValkey
from streams.settings import load_settings
from tests.docs.pages import snippets
from tests.security.closed import Closed, password_of, run_command

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(180)]

DEFAULTS = {
    "PRECOMPUTE_REPLICATION": "1",
    "PRECOMPUTE_MIN_INSYNC_REPLICAS": "1",
    "PRECOMPUTE_NAMESPACE": "closed",
}


def snippet(word: str) -> str:
    found = [one for one in snippets("sh") if one.page.name == "secure.md" and word in one.code]
    assert found, word
    return found[0].code


def test_the_variables_let_a_role_in(closed: Closed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**closed.environment("topics"), **DEFAULTS}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    closed.grant(settings)
    TopicAdmin(settings).create()
    (tmp_path / "kafka-password").write_text(password_of("worker"))
    (tmp_path / "redis-password").write_text(quote(password_of("worker"), safe=""))
    (tmp_path / "ca.pem").write_bytes(closed.authority.ca.read_bytes())
    (tmp_path / "precompute").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m streams.cli "$@"\n')
    (tmp_path / "precompute").chmod(0o755)
    code = (
        snippet("SASL_SSL")
        .replace("kafka-1.example:9093", closed.kafka.bootstrap_servers)
        .replace("redis.example:6380", f"127.0.0.1:{closed.cache.port}")
        .replace("/etc/precompute", str(tmp_path))
    )
    own = {name: value for name, value in os.environ.items() if not name.startswith("PRECOMPUTE_KAFKA")}
    done = subprocess.run(
        ["bash", "-euc", code],
        env={**own, **DEFAULTS, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PRECOMPUTE_MEDIA_ROOTS": "/tmp"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 21 topics are as they must be" in done.stdout
    assert "this user may do what worker must" in done.stdout
    assert ", 0 failing" in done.stdout
    assert password_of("worker") not in done.stdout + done.stderr


def test_the_commands_for_kafka_grant_what_the_tests_grant() -> None:
    done = run_command(["access", "kafka", "--role", "worker"], {})
    assert done.returncode == 0, done.stderr
    printed = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    granted = set()
    for line in printed:
        words = shlex.split(line)
        options: dict[str, list[str]] = {}
        for name, value in itertools.pairwise(words):
            if name.startswith("--"):
                options.setdefault(name, []).append(value)
        assert options["--allow-principal"] == ["User:precompute-worker"]
        for kind in ("topic", "group"):
            for name in options.get(f"--{kind}", ()):
                granted |= {(kind, name, operation.upper()) for operation in options["--operation"]}
    bindings = [
        binding
        for grant in role_grants(load_settings())["worker"]
        for binding in grant_bindings("precompute-worker", grant)
    ]
    assert granted == {
        (one.restype.name.lower(), one.name, one.operation.name.replace("_", "")) for one in bindings
    }


def test_the_commands_for_redis_make_users(closed_cache: LocalValkey) -> None:
    done = run_command(["access", "redis", "--user", "made-{role}"], {"PRECOMPUTE_NAMESPACE": "made"})
    assert done.returncode == 0, done.stderr
    with redis.Redis.from_url(closed_cache.url) as admin:
        for line in done.stdout.splitlines():
            if not line.startswith("#"):
                admin.execute_command(*line.replace("PASSWORD", "chosen").split())
        made = [str(name) for name in admin.acl_users() if str(name).startswith("made-")]
    assert sorted(made) == ["made-api", "made-client", "made-streams", "made-worker"]
    with redis.Redis.from_url(closed_cache.url_of("made-worker", "chosen")) as worker:
        assert worker.set("made:1:counters", "1")
        with pytest.raises(redis.exceptions.NoPermissionError):
            worker.get("made:1:api-keys")


def test_an_unknown_role_is_told_the_known_ones() -> None:
    done = run_command(["access", "kafka", "--role", "wroker"], {})
    assert done.returncode == 1
    assert re.search(r"none of streams, worker, api", done.stderr)


def test_what_is_shown_of_the_settings_holds_no_secret(closed: Closed) -> None:
    done = run_command(["config", "show", "--json"], closed.environment("worker"))
    assert done.returncode == 0, done.stderr
    assert f"rediss://127.0.0.1:{closed.cache.port}/0" in done.stdout
    assert '"***"' in done.stdout
    assert password_of("worker") not in done.stdout
    assert quote(password_of("worker"), safe="") not in done.stdout


def test_a_role_warns_of_a_variable_that_nobody_reads(closed: Closed) -> None:
    environment = closed.environment("worker", sasl_password="wrong") | {"PRECOMPUTE_WORKRES": "9"}
    done = run_command(["worker"], environment)
    assert done.returncode == 1
    assert "PRECOMPUTE_WORKRES is set, but nothing of precompute reads it; did you mean" in done.stderr
