"""An S3-compatible bucket without an SDK: signed requests, PUT over httpx."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import httpx

from handlers.artifacts import Artifact
from handlers.config import HandlerConfig
from streams.contracts.errors import ConfigurationError
from streams.contracts.outcomes import Retry
from streams.contracts.sigv4 import S3Keys, sign_request

#: Seconds for one object; a thumbnail is a tenth of a megabyte.
TIMEOUT_S = 20.0


class S3Store:
    """Objects at `endpoint/bucket/prefix/<folder>/<sha256><suffix>` (path style, as MinIO also reads)."""

    def __init__(self, config: HandlerConfig, *, transport: httpx.BaseTransport | None = None) -> None:
        parts = urlsplit(config.artifact_store)
        if parts.scheme != "s3" or not parts.netloc:
            raise ConfigurationError("PRECOMPUTE_ARTIFACT_STORE: reads `folder` or `s3://bucket/prefix`")
        check_keys(config)
        self._config = config
        self._bucket = parts.netloc
        self._prefix = parts.path.strip("/")
        self._transport = transport

    @classmethod
    def of(cls, config: HandlerConfig) -> S3Store:
        return cls(config)

    def put(self, data: bytes, *, folder: str, suffix: str, media_type: str) -> Artifact:
        digest = hashlib.sha256(data).hexdigest()
        key = "/".join(part for part in (self._prefix, folder, f"{digest[:32]}{suffix}") if part)
        url = object_url(self._config, self._bucket, key)
        headers = {"content-type": media_type} | sign(self._config, "PUT", url, digest, datetime.now(UTC))
        try:
            with httpx.Client(timeout=TIMEOUT_S, trust_env=False, transport=self._transport) as client:
                answer = client.put(url, content=data, headers=headers)
        except httpx.HTTPError as exc:
            raise Retry(f"artifact store: {type(exc).__name__}") from exc
        if answer.status_code == 429 or answer.status_code >= 500:
            raise Retry(f"artifact store answers {answer.status_code}")
        if not answer.is_success:
            raise ConfigurationError(
                f"artifact store answers {answer.status_code}: check bucket, keys and region"
            )
        return Artifact(uri=f"s3://{self._bucket}/{key}", bytes=len(data), sha256=digest)


def check_keys(config: HandlerConfig) -> None:
    if not (config.aws_access_key_id and config.aws_secret_access_key):
        raise ConfigurationError("s3:// needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


def endpoint_of(config: HandlerConfig) -> str:
    return config.s3_endpoint or f"https://s3.{config.s3_region}.amazonaws.com"


def object_url(config: HandlerConfig, bucket: str, key: str) -> str:
    """The address of an object, path style."""
    return f"{endpoint_of(config)}/{bucket}/{quote(key)}"


def sign(config: HandlerConfig, method: str, url: str, digest: str, now: datetime) -> dict[str, str]:
    """The headers of a request signed with the keys of the settings; `digest` is the body's SHA-256."""
    keys = S3Keys(
        key_id=config.aws_access_key_id, secret=config.aws_secret_access_key, region=config.s3_region
    )
    return sign_request(keys, method, url, digest, now)
