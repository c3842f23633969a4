from __future__ import annotations

from pathlib import Path

import pytest

from streams.contracts.errors import ConfigurationError
from streams.settings import Settings, load_settings, variable_of


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have settings of their own."""
    for name in [variable_of(field) for field in Settings.model_fields]:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PRECOMPUTE_WORKERS", "0", "greater than or equal to 1"),
        ("PRECOMPUTE_WORKERS", "many", "valid integer"),
        ("PRECOMPUTE_HOLDOUT", "0.6", "less than or equal to 0.5"),
        ("PRECOMPUTE_HOLDOUT_SALT", "", "at least 1 character"),
        ("PRECOMPUTE_ACT_ABOVE", "-0.1", "greater than or equal to 0"),
        ("PRECOMPUTE_SESSION_GAP", "0", "greater than 0"),
        ("PRECOMPUTE_NAMESPACE", "a:b", "match pattern"),
        ("PRECOMPUTE_TOPIC_PREFIX", "a b", "match pattern"),
        ("PRECOMPUTE_LOG_LEVEL", "loud", "'debug', 'info'"),
        ("PRECOMPUTE_PORT", "70000", "less than or equal to 65535"),
        ("PRECOMPUTE_QUEUE_LOW", "2000", "below PRECOMPUTE_QUEUE_HIGH (2000)"),
        ("PRECOMPUTE_LEASE_S", "0.0001", "greater than or equal to 1"),
        ("PRECOMPUTE_LEDGER_TTL_S", "0.5", "greater than or equal to 1"),
        ("PRECOMPUTE_BACKOFF_MAX_S", "0.1", "at least PRECOMPUTE_BACKOFF_S (0.5)"),
        ("PRECOMPUTE_KAFKA_SECURITY_PROTOCOL", "TLS", "'SASL_SSL'"),
        ("PRECOMPUTE_KAFKA_SASL_MECHANISM", "MD5", "'PLAIN'"),
    ],
)
def test_a_wrong_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{variable}: ")
    assert said in str(caught.value)


def test_every_wrong_variable_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECOMPUTE_WORKERS", "x")
    monkeypatch.setenv("PRECOMPUTE_PARTITIONS", "x")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    named = {line.partition(":")[0] for line in str(caught.value).splitlines()}
    assert named == {"PRECOMPUTE_WORKERS", "PRECOMPUTE_PARTITIONS"}


def test_servers_go_by_the_names_others_gave_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "k:1")
    monkeypatch.setenv("REDIS_URL", "redis://r:2/3")
    settings = load_settings()
    assert settings.kafka_bootstrap_servers == "k:1"
    assert settings.redis_url.get_secret_value() == "redis://r:2/3"


def test_lists_are_split_as_shells_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECOMPUTE_MEDIA_ROOTS", "/a:/b c")
    monkeypatch.setenv("PRECOMPUTE_MEDIA_HOSTS", " a.example , b.example,")
    monkeypatch.setenv("PRECOMPUTE_HANDLER_MODULES", "")
    settings = load_settings()
    assert settings.media_roots == (Path("/a"), Path("/b c"))
    assert settings.media_hosts == ("a.example", "b.example")
    assert settings.handler_modules == ()


def test_secrets_are_not_shown() -> None:
    settings = load_settings(redis_url="redis://:hunter2@r:1/0")
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings.model_dump())


def test_every_setting_says_what_it_is() -> None:
    undocumented = [name for name, field in Settings.model_fields.items() if not field.description]
    assert not undocumented
    assert len({variable_of(name) for name in Settings.model_fields}) == len(Settings.model_fields)
