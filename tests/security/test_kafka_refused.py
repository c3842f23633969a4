"""What keeps us out of Kafka is said in one line that names what to change, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streams.contracts.errors import ConfigurationError, UnavailableError
from streams.kafka.config import checked
from streams.kafka.topics import TopicAdmin
from streams.settings import KafkaSecurity, load_settings
from tests.conftest import Broker
from tests.security.closed import Closed, MutualKafka, password_of, run_command
from tests.support.certificates import Authority

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

WITHIN_S = 15.0


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Security variables of this test alone."""
    for name in KafkaSecurity.model_fields:
        monkeypatch.delenv(f"PRECOMPUTE_KAFKA_{name.upper()}", raising=False)
    return monkeypatch


def ask(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> str:
    """What a person reads who asks that broker for its topics."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    started = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        TopicAdmin(load_settings()).partitions()
    assert time.monotonic() - started < WITHIN_S
    text = str(caught.value)
    assert "\n" not in text
    assert password_of("worker") not in text
    return text


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sasl_password": "wrong"}, "PRECOMPUTE_KAFKA_SASL_PASSWORD"),
        ({"sasl_username": "who"}, "refuses the user who"),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, "PRECOMPUTE_KAFKA_SASL_MECHANISM to one of its own: "),
        ({"ca_file": ""}, "by an authority of this system"),
        (
            {"security_protocol": "PLAINTEXT", "sasl_username": "", "sasl_mechanism": "", "ca_file": ""},
            "PRECOMPUTE_KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL",
        ),
        ({"security_protocol": "SASL_PLAINTEXT", "ca_file": ""}, "set PRECOMPUTE_KAFKA_SECURITY_PROTOCOL"),
    ],
    ids=["password", "user", "mechanism", "no authority", "plaintext", "password in the clear"],
)
def test_a_listener_with_passwords(
    closed: Closed, environment: pytest.MonkeyPatch, changed: dict[str, str], says: str
) -> None:
    if changed.get("sasl_username") == "":
        changed = {**changed, "sasl_password": ""}
    assert says in ask(environment, closed.environment("worker", **changed))


def test_a_broker_of_another_authority(
    closed: Closed, stranger: Authority, environment: pytest.MonkeyPatch
) -> None:
    text = ask(environment, closed.environment("worker", ca_file=str(stranger.ca)))
    assert f"not signed by {stranger.ca}" in text
    assert "PRECOMPUTE_KAFKA_CA_FILE" in text


def _tls(servers: str, authority: Authority) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "PRECOMPUTE_KAFKA_SECURITY_PROTOCOL": "SSL",
        "PRECOMPUTE_KAFKA_CA_FILE": str(authority.ca),
    }


def test_a_broker_that_asks_for_a_certificate(
    mutual_kafka: MutualKafka, authority: Authority, stranger: Authority, environment: pytest.MonkeyPatch
) -> None:
    variables = _tls(mutual_kafka.bootstrap_servers, authority)
    assert "wants a certificate; set PRECOMPUTE_KAFKA_CERT_FILE" in ask(environment, variables)
    files = stranger.issue("worker")
    variables["PRECOMPUTE_KAFKA_CERT_FILE"] = str(files.certificate)
    variables["PRECOMPUTE_KAFKA_KEY_FILE"] = str(files.key)
    assert f"refuses our certificate {files.certificate}" in ask(environment, variables)


def test_a_broker_whose_certificate_has_ended_or_is_for_another_host(
    mutual_kafka: MutualKafka, authority: Authority, environment: pytest.MonkeyPatch
) -> None:
    files = authority.issue("worker")
    own = {
        "PRECOMPUTE_KAFKA_CERT_FILE": str(files.certificate),
        "PRECOMPUTE_KAFKA_KEY_FILE": str(files.key),
    }
    for servers in (mutual_kafka.ended, mutual_kafka.elsewhere):
        text = ask(environment, {**_tls(servers, authority), **own})
        assert "has ended, or is for another host" in text


def test_tls_and_passwords_where_there_are_none(
    kafka_handle: Broker, closed: Closed, environment: pytest.MonkeyPatch
) -> None:
    open_broker = {"KAFKA_BOOTSTRAP_SERVERS": kafka_handle.bootstrap_servers}
    assert "speaks no TLS there" in ask(environment, {**closed.environment("worker"), **open_broker})
    clear = closed.environment("worker", security_protocol="SASL_PLAINTEXT", ca_file="")
    environment.delenv("PRECOMPUTE_KAFKA_CA_FILE")
    assert "asks for no user there" in ask(environment, {**clear, **open_broker})


@pytest.mark.parametrize("role", ["streams", "worker"])
def test_a_role_ends_with_that_one_line(closed: Closed, role: str) -> None:
    done = run_command([role], closed.environment(role, sasl_password="wrong"))
    assert done.returncode == 1
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if line.startswith("precompute: ")]
    line = (
        f"precompute: the Kafka broker at {closed.kafka.bootstrap_servers} refuses the user {role} with "
        "SCRAM-SHA-512; check PRECOMPUTE_KAFKA_SASL_USERNAME and PRECOMPUTE_KAFKA_SASL_PASSWORD"
    )
    assert told == [line]
    assert "Traceback" not in done.stderr
    assert password_of(role) not in done.stderr


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"security_protocol": "SASL_SSL"}, "needs PRECOMPUTE_KAFKA_SASL_MECHANISM"),
        ({"ca_file": "ca.pem"}, "which encrypts nothing"),
        ({"security_protocol": "SSL", "ca_file": "absent.pem"}, "no such file"),
        ({"security_protocol": "SSL", "ca_file": "words.pem"}, "PRECOMPUTE_KAFKA_CA_FILE"),
        ({"security_protocol": "SSL", "cert_file": "a.crt"}, "go together"),
        ({"security_protocol": "SSL", "cert_file": "a.crt", "key_file": "b.key"}, "is not the key of"),
    ],
)
def test_half_a_configuration_is_refused_before_anything_is_asked(
    authority: Authority, tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    (tmp_path / "ca.pem").write_bytes(authority.ca.read_bytes())
    (tmp_path / "words.pem").write_text("no certificate")
    (tmp_path / "a.crt").write_bytes(one.certificate.read_bytes())
    (tmp_path / "b.key").write_bytes(other.key.read_bytes())
    given = {
        name: str(tmp_path / value) if name.endswith("file") else value for name, value in settings.items()
    }
    with pytest.raises(ConfigurationError, match=says):
        checked(KafkaSecurity(**given))  # type: ignore[arg-type]
