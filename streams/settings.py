"""Every setting, its variable, its default and the reason for it.

A wrong value stops the start with the variable's name, what is wrong and what is allowed.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from streams.contracts.errors import ConfigurationError
from streams.contracts.topics import TopicNames

PREFIX = "PRECOMPUTE_"

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0.0)]
#: Redis counts some times in whole seconds, and takes none below one.
AtLeastASecond = Annotated[float, Field(ge=1.0)]
Port = Annotated[int, Field(ge=0, le=65535)]


class KafkaSecurity(BaseSettings):
    """One set of variables feeds both Kafka clients (librdkafka and aiokafka)."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}KAFKA_", extra="ignore")

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class Settings(BaseSettings):
    """All settings of all roles; each role reads what it needs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, populate_by_name=True)

    # Servers
    kafka_bootstrap_servers: str = Field(
        "127.0.0.1:9092",
        validation_alias=AliasChoices("KAFKA_BOOTSTRAP_SERVERS", "PRECOMPUTE_KAFKA_BOOTSTRAP_SERVERS"),
        description="host:port of one or more brokers, separated by commas",
    )
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        validation_alias=AliasChoices("REDIS_URL", "PRECOMPUTE_REDIS_URL"),
        description="address of the cache: redis://, redis+sentinel:// or redis+cluster://, "
        "rediss… with TLS; may hold a login",
    )

    # Names
    topic_prefix: str = Field(
        "precompute.", pattern=r"^[A-Za-z0-9._-]*$", description="prefix of every topic"
    )
    namespace: str = Field("pc", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="prefix of every Redis key")
    group_streams: str = Field("precompute-streams", description="consumer group of the streams role")
    group_worker: str = Field("precompute-worker", description="consumer group of the workers")
    partitions: PositiveInt = Field(
        12, description="partitions of event, table and job topics: the most replicas that get work"
    )
    replication: PositiveInt = Field(3, description="replicas of every topic that `topics create` makes")
    min_insync_replicas: PositiveInt = Field(
        2, description="replicas that must have a record before it counts"
    )

    # Streams
    session_gap_s: PositiveFloat = Field(
        1800.0,
        validation_alias=AliasChoices("PRECOMPUTE_SESSION_GAP", "PRECOMPUTE_SESSION_GAP_S"),
        description="seconds of silence that end a session, live and in training",
    )
    entities_per_user: PositiveInt = Field(
        200, description="videos and campaigns per user whose inputs are kept for later recomputation"
    )
    table_store: str = Field("memory://", description="Faust's table store: memory:// or rocksdb://")
    data_dir: Path = Field(Path("precompute-data"), description="working folder of the streams role")
    events_per_batch: PositiveInt = Field(
        1000, description="records of one partition handled as one unit; more gain nothing measurable"
    )
    predictor: bool = Field(
        True, description="predict next actions and act on them; false is the kill switch"
    )
    act_above: Fraction = Field(
        0.5, description="act on a prediction above this, while nothing is measured yet"
    )
    predicted_job_ttl_s: PositiveFloat = Field(
        600.0, description="a predicted job not started by then is dropped"
    )
    predicted_jobs_per_user: PositiveInt = Field(60, description="predicted jobs one user may cause an hour")
    predicted_budget_s: Annotated[float, Field(ge=0.0)] = Field(
        36_000.0,
        description="computing seconds an hour that the fleet's predicted jobs may take, so that no mistake "
        "of the predictor costs more than ten job slots; spent in windows of five minutes; 0: none",
    )
    triggers: Literal["always", "weighed"] = Field(
        "always",
        description="weighed: what an event asks for, and refreshes, are computed only where such answers "
        "were read often enough, as PRECOMPUTE_ACT_ABOVE and PRECOMPUTE_REFRESH_WORTH say",
    )
    load_penalty: Annotated[float, Field(ge=0.0)] = Field(
        1.0,
        description="how much dearer acting is when no job slot is idle: at 1 the cost doubles",
    )
    model_store: str | None = Field(
        None,
        description="folder of trained models, or s3://bucket/prefix; "
        "without one the bundled synthetic model predicts",
    )
    holdout: Annotated[float, Field(ge=0.0, le=0.5)] = Field(
        0.05, description="share of users whose predicted jobs are scored, not run"
    )
    holdout_salt: str = Field(
        "1", min_length=1, description="version of the draw; a new one draws a new group"
    )

    # Worker
    workers: PositiveInt = Field(3, description="jobs at once in one worker process")
    cpu_processes: PositiveInt = Field(
        2,
        description="child processes for CPU work in one worker; slots of priorities 9 and 10 add theirs",
    )
    child_memory_mb: PositiveInt = Field(4096, description="address space of a child process, in MiB")
    queue_high: PositiveInt = Field(
        2000, description="jobs buffered per priority before its partitions are paused"
    )
    queue_low: PositiveInt = Field(
        500,
        description="buffered jobs below which they are resumed (a pause refetches ~1,300 records)",
    )
    offset_window: PositiveInt = Field(5000, description="records of one partition in hand at once")
    commit_interval_s: PositiveFloat = Field(1.0, description="seconds between offset commits")
    max_attempts: PositiveInt = Field(5, description="attempts before a job goes to the dead letters")
    backoff_s: PositiveFloat = Field(0.5, description="first delay of a retry; doubles with each attempt")
    backoff_max_s: PositiveFloat = Field(600.0, description="longest delay of a retry")
    lease_s: AtLeastASecond = Field(
        10.0, description="a lease not renewed for so long is anybody's; below the group's session timeout"
    )
    unavailable_ttl_s: PositiveFloat = Field(
        300.0, description="how long a failure that will not heal is cached, so that a fixed input is noticed"
    )
    grace_s: PositiveFloat = Field(30.0, description="seconds that SIGTERM leaves for the work in hand")
    task_concurrency: Annotated[dict[str, int], NoDecode] = Field(
        {}, description="jobs at once of a task type in one worker: caption_generation=1,face_detection=2"
    )
    task_rate: Annotated[dict[str, float], NoDecode] = Field(
        {}, description="starts a second of a task type in one worker: variant_generation=2"
    )
    user_rate: Annotated[float, Field(ge=0.0)] = Field(
        0.0, description="starts a second for one user in one worker, so that none takes all; 0 for no limit"
    )
    shed_age_s: PositiveFloat = Field(
        30.0, description="age of people's waiting work at which predictions are shed, twice it for refreshes"
    )
    shed_depth: PositiveInt = Field(
        20_000,
        description="jobs of one priority waiting for a worker, fetched or not, that sheds predictions",
    )
    group_protocol: Literal["classic", "consumer"] = Field(
        "classic", description="consumer (KIP-848) only on brokers tuned for it"
    )
    handler_modules: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="modules with handlers of your own, separated by commas"
    )

    # Media
    media_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="folders, separated by colons, that a `uri` may point into"
    )
    media_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="hosts, separated by commas, that an https `uri` may name"
    )
    artifact_dir: Path = Field(Path("precompute-artifacts"), description="where thumbnails are written")

    # Cache
    ttl_jitter: Fraction = Field(
        0.1, description="TTLs vary by this share, so that answers do not expire at once"
    )
    stale_s: Annotated[float, Field(ge=0.0)] = Field(
        3600.0, description="how long after its TTL an answer may still be served, marked stale"
    )
    refresh_every_s: Annotated[float, Field(ge=0.0)] = Field(
        30.0, description="seconds between looks for answers to refresh before they expire; 0: never"
    )
    refresh_ahead_s: PositiveFloat = Field(
        300.0, description="how long before its expiry an answer is refreshed"
    )
    refresh_worth: Fraction = Field(
        0.3, description="least probability that an answer is read again, for it to be refreshed"
    )
    refresh_budget_s: Annotated[float, Field(ge=0.0)] = Field(
        600.0, description="computing seconds an hour that proactive refresh may ask for"
    )
    off_peak: str = Field(
        "",
        pattern=r"^(\d{2}:\d{2}-\d{2}:\d{2})?$",
        description="HH:MM-HH:MM, UTC: the window of proactive refresh and of batches that ask for it",
    )
    ledger_ttl_s: AtLeastASecond = Field(86_400.0, description="how long a job's timeline is kept")

    # Web
    host: str = Field("127.0.0.1", description="address the API listens on")
    port: Port = Field(8003, description="port the API listens on")
    auth: Literal["on", "off", "required"] = Field(
        "on",
        description="on: keys are asked for unless it listens on loopback; required: always; off: never",
    )
    oidc_introspection_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="where bearer tokens of an OpenID provider are checked (RFC 7662)",
    )
    oidc_client_id: str | None = Field(None, description="our name there")
    oidc_client_secret: SecretStr | None = Field(None, description="our secret there")
    read_only: bool = Field(False, description="refuse everything that changes something; no console actions")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="names, separated by commas, that requests may call this host by; empty: any with a key",
    )
    rate_limit: Annotated[float, Field(ge=0.0)] = Field(
        1000.0, description="requests a second of one caller, where keys are asked for; 0: no limit"
    )
    max_batch_bytes: PositiveInt = Field(16 * 1024 * 1024, description="largest body of a batch")
    max_batch_rows: PositiveInt = Field(100_000, description="most rows of a batch")
    max_body_bytes: PositiveInt = Field(2 * 1024 * 1024, description="largest request body")
    max_wait_s: PositiveFloat = Field(30.0, description="longest `Prefer: wait`")
    demand_quiet_s: PositiveFloat = Field(
        10.0, description="readers of a missing key join the job that one of them asked for within so long"
    )
    max_waiters: PositiveInt = Field(10_000, description="readers that may wait at once in one API process")

    # Operation
    metrics_host: str = Field("127.0.0.1", description="address of /metrics, /livez and /readyz")
    metrics_port: Port = Field(9464, description="port of /metrics, /livez and /readyz; 0 takes a free one")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")
    log_format: Literal["json", "console"] = Field(
        "json", description="json for machines, console for people"
    )

    @field_validator("media_hosts", "handler_modules", "allowed_hosts", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("media_roots", mode="before")
    @classmethod
    def _split_colons(cls, value: Any) -> Any:
        return tuple(Path(p) for p in value.split(":") if p) if isinstance(value, str) else value

    @field_validator("task_concurrency", "task_rate", mode="before")
    @classmethod
    def _split_pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if any(not separator for _, separator, _ in pairs):
            raise ValueError("reads task=number, separated by commas")
        return {name.strip(): number.strip() for name, _, number in pairs}

    @field_validator("queue_low")
    @classmethod
    def _marks_in_order(cls, value: int, info: Any) -> int:
        high = info.data.get("queue_high")
        if high is not None and value >= high:
            raise ValueError(f"must be below PRECOMPUTE_QUEUE_HIGH ({high})")
        return value

    @field_validator("backoff_max_s")
    @classmethod
    def _backoff_in_order(cls, value: float, info: Any) -> float:
        first = info.data.get("backoff_s")
        if first is not None and value < first:
            raise ValueError(f"must be at least PRECOMPUTE_BACKOFF_S ({first})")
        return value

    @cached_property
    def kafka_security(self) -> KafkaSecurity:
        return KafkaSecurity()

    @cached_property
    def topics(self) -> TopicNames:
        return TopicNames(self.topic_prefix, self.group_streams)


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, overridden by name; raises `ConfigurationError` that names variables."""
    try:
        settings = Settings(**overrides)
        _ = settings.kafka_security
    except ValidationError as exc:
        raise ConfigurationError("\n".join(_lines(exc))) from exc
    return settings


def variable_of(field: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else None
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"{PREFIX}{field.upper()}"


def setting_variables() -> frozenset[str]:
    """Every variable that a setting is read from."""
    names = {f"{PREFIX}KAFKA_{name.upper()}" for name in KafkaSecurity.model_fields}
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names |= set(map(str, alias.choices)) if isinstance(alias, AliasChoices) else {variable_of(name)}
    return frozenset(names)


def _lines(exc: ValidationError) -> list[str]:
    lines = []
    for error in exc.errors(include_url=False):
        where = str(error["loc"][0]) if error["loc"] else ""
        name = where if where.isupper() else variable_of(where)
        prefix = "PRECOMPUTE_KAFKA_" if exc.title == "KafkaSecurity" else ""
        name = f"{prefix}{where.upper()}" if prefix and not where.isupper() else name
        lines.append(f"{name}: {error['msg']}")
    return lines
