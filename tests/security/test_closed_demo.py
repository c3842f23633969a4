"""The demo, from end to end, on servers that are closed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.local.kafka import LocalKafka
from streams.local.security import BrokerSecurity, CacheSecurity
from streams.local.valkey import LocalValkey
from tests.security.closed import run_command
from tests.support.certificates import Authority

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(300)]

PASSWORD = "hunter2-of-the-demo"


def test_the_demo_over_tls_with_passwords(authority: Authority, tls_server: Path, tmp_path: Path) -> None:
    kafka = LocalKafka(security=BrokerSecurity(tls=authority.issue("broker"), users={"demo": PASSWORD}))
    cache = LocalValkey(
        program=tls_server,
        security=CacheSecurity(
            tls=authority.issue("cache"), users={"demo": f">{PASSWORD} ~pc:* &pc:* +@all -@admin"}
        ),
    )
    with kafka, cache:
        arguments = ["demo", "--once", "--json", "--bootstrap", kafka.bootstrap_servers]
        arguments += ["--redis-url", cache.url_of("demo", PASSWORD)]
        security = {
            "SECURITY_PROTOCOL": "SASL_SSL",
            "SASL_MECHANISM": "SCRAM-SHA-512",
            "SASL_USERNAME": "demo",
            "SASL_PASSWORD": PASSWORD,
            "CA_FILE": str(authority.ca),
        }
        environment = {f"PRECOMPUTE_KAFKA_{name}": value for name, value in security.items()}
        done = run_command(arguments, environment, within_s=240)
    assert done.returncode == 0, done.stderr
    story = json.loads(done.stdout)
    assert story["failed"] == 0
    assert story["completed"] >= 10
    assert story["predicted"]["click"] is not None
    assert PASSWORD not in done.stdout + done.stderr
