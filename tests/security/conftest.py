"""A broker and a cache as a cluster of one's own has them: closed, with a user and access list per role."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from streams.local.kafka import LocalKafka
from streams.local.ports import free_port
from streams.local.security import BrokerSecurity, CacheSecurity
from streams.local.valkey import LocalValkey
from tests.security.closed import ROLES, Closed, MutualKafka, closed_rules, password_of
from tests.support.certificates import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody here trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Redis or Valkey with TLS; the one that the project brings along is built without."""
    for name in ("valkey-server", "redis-server", "valkey-check-rdb", "redis-check-rdb"):
        found = shutil.which(name)
        if found is not None:
            # Debian's redis-tools has the program under the other of its two names.
            link = tmp_path_factory.mktemp("server") / f"{name.split('-')[0]}-server"
            link.symlink_to(found)
            return link
    message = "no Redis with TLS is installed; on Debian: apt-get install redis-tools"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def closed_kafka(authority: Authority) -> Iterator[LocalKafka]:
    """SASL_SSL alone, users by SCRAM and PLAIN, each allowed what an access list says."""
    security = BrokerSecurity(
        tls=authority.issue("broker"),
        mechanisms=("SCRAM-SHA-512", "PLAIN"),
        users={role: password_of(role) for role in ROLES},
        authorizer=True,
    )
    with LocalKafka(security=security) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def closed_cache(authority: Authority, tls_server: Path) -> Iterator[LocalValkey]:
    """TLS alone, a user per role."""
    security = CacheSecurity(tls=authority.issue("cache"), users=closed_rules())
    with LocalValkey(program=tls_server, security=security) as cache:
        yield cache


@pytest.fixture(scope="session")
def closed(closed_kafka: LocalKafka, closed_cache: LocalValkey, authority: Authority) -> Closed:
    return Closed(closed_kafka, closed_cache, authority)


@pytest.fixture(scope="session")
def mutual_kafka(authority: Authority) -> Iterator[MutualKafka]:
    """TLS that asks for certificates; beside it listeners whose own certificates no client may accept."""
    faulty = {
        "ENDED": authority.issue("broker", ended_ago=timedelta(hours=1), file="ended"),
        "ELSEWHERE": authority.issue("broker", "kafka.example", file="elsewhere"),
    }
    kafka = LocalKafka(security=BrokerSecurity(tls=authority.issue("broker"), protocol="SSL"))
    places = {name: f"127.0.0.1:{free_port(other_than=kafka.port)}" for name in faulty}
    public = ",".join(
        f"{name}://{place}" for name, place in {"SSL": kafka.bootstrap_servers, **places}.items()
    )
    protocols = ",".join(f"{name}:SSL" for name in ("SSL", "CONTROLLER", *faulty))
    kafka._properties |= {
        "listeners": f"{public},CONTROLLER://127.0.0.1:{kafka._controller_port}",
        "advertised.listeners": public,
        "listener.security.protocol.map": protocols,
    }
    for name, files in faulty.items():
        store = files.certificate.with_suffix(".pem")
        store.write_text(files.key.read_text() + files.certificate.read_text())
        kafka._properties[f"listener.name.{name.lower()}.ssl.keystore.location"] = str(store)
    with kafka:
        yield MutualKafka(kafka.bootstrap_servers, places["ENDED"], places["ELSEWHERE"])
