"""The roles on closed servers, each as its own user with its own access list."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from streams.cache.names import RedisNames
from streams.cache.permissions import role_rules
from streams.kafka.permissions import grant_bindings, role_grants
from streams.local.kafka import LocalKafka
from streams.local.roles import RoleProcess
from streams.local.valkey import LocalValkey
from streams.settings import Settings
from tests.support.certificates import Authority
from tests.support.system import SystemUnderTest

#: `nobody` is a user whom no access list names.
ROLES = ("streams", "worker", "api", "publisher", "topics", "training", "client", "nobody")
NAMESPACE = "closed"
MECHANISM = "SCRAM-SHA-512"


def password_of(role: str) -> str:
    """Told apart from every other word in a log; its characters need quoting in an address."""
    return f"secret+{role}/of%20tests"


def closed_rules() -> dict[str, str]:
    """The rules of the cache's users, with their passwords."""
    rules = role_rules(RedisNames(NAMESPACE))
    return {role: f">{password_of(role)} {rule}" for role, rule in rules.items()}


class MutualKafka(msgspec.Struct, frozen=True):
    """Three listeners of one broker, the last two with certificates that have ended or name another host."""

    bootstrap_servers: str
    ended: str
    elsewhere: str


class Closed:
    """Servers and authority; `environment` is what a role needs to come in."""

    def __init__(self, kafka: LocalKafka, cache: LocalValkey, authority: Authority) -> None:
        self.kafka = kafka
        self.cache = cache
        self.authority = authority

    def environment(self, role: str, **changed: str) -> dict[str, str]:
        security = {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": MECHANISM,
            "sasl_username": role,
            "sasl_password": password_of(role),
            "ca_file": str(self.authority.ca),
            **changed,
        }
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "REDIS_URL": self.cache.url_of(role, password_of(role)),
            **{f"PRECOMPUTE_KAFKA_{name.upper()}": value for name, value in security.items() if value},
        }

    def grant(self, settings: Settings) -> None:
        """Makes the access lists of every role true."""
        admin = AdminClient(self.kafka.admin_config)
        bindings = [
            binding
            for role, grants in role_grants(settings).items()
            for grant in grants
            for binding in grant_bindings(role, grant)
        ]
        for future in admin.create_acls(bindings).values():
            future.result(timeout=30)


class ClosedSystem(SystemUnderTest):
    """Each role with credentials of its own; the test publishes as an upstream service does."""

    def __init__(self, folder: Path, closed: Closed, *, media_roots: Sequence[Path] = ()) -> None:
        super().__init__(
            folder,
            closed.kafka.bootstrap_servers,
            closed.cache.url,
            media_roots=media_roots,
            namespace=NAMESPACE,
            # The level at which libraries are most talkative: not even there a secret may stand.
            log_level="debug",
        )
        self.closed = closed
        self.producer = Producer(
            {
                **closed.kafka.admin_config,
                "sasl.username": "publisher",
                "sasl.password": password_of("publisher"),
                "partitioner": "murmur2_random",
            }
        )

    def add(self, label: str) -> RoleProcess:
        role, _, name = label.partition(":")
        environment = {**self.environment, **self.closed.environment(role)}
        log = self.folder / f"{label.replace(':', '-')}.log"
        self.roles[label] = RoleProcess(role, environment, log, name=name or role)
        return self.roles[label]

    def command(self, *arguments: str, role: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """`precompute ARGUMENTS` as that role."""
        return run_command(arguments, {**self.environment, **self.closed.environment(role), **changed})


def run_command(
    arguments: Sequence[str], environment: Mapping[str, str], *, within_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PRECOMPUTE_")}
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        env={**own, **environment, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
