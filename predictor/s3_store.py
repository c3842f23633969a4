"""Versions of the model in an S3-compatible bucket, without an SDK: signed requests over httpx."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

import httpx
import msgspec

from streams.contracts.clock import SYSTEM_CLOCK, Clock
from streams.contracts.errors import ConfigurationError, UnavailableError
from streams.contracts.sigv4 import S3Keys, sign_request

#: Seconds for one object; a model's largest is some megabytes.
TIMEOUT_S = 30.0
#: A list of names is a few kilobytes a page; more is no answer of a store.
_MAX_LIST_BYTES = 4 * 1024 * 1024
_MAX_ERROR_BYTES = 4096
_XML_NAMES = "{*}"


class S3Config(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket, a prefix without slashes around it, and who asks."""

    bucket: str
    prefix: str
    endpoint: str
    keys: S3Keys

    @classmethod
    def parse(cls, address: str, environ: Mapping[str, str]) -> S3Config:
        """Reads `bucket/prefix` and the variables that the artifact store uses as well."""
        bucket, _, prefix = address.strip("/").partition("/")
        if not bucket:
            raise ConfigurationError("PRECOMPUTE_MODEL_STORE: write s3://bucket/prefix or a folder")
        key_id, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
        if not (key_id and secret):
            raise ConfigurationError(
                "PRECOMPUTE_MODEL_STORE: s3:// needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        region = environ.get("PRECOMPUTE_S3_REGION") or "us-east-1"
        endpoint = environ.get("PRECOMPUTE_S3_ENDPOINT") or f"https://s3.{region}.amazonaws.com"
        keys = S3Keys(key_id=key_id, secret=secret, region=region)
        return cls(bucket=bucket, prefix=prefix.strip("/"), endpoint=endpoint.rstrip("/"), keys=keys)


class S3Store:
    """A `ModelStore` at `endpoint/bucket/prefix/name` (path style, as MinIO also reads)."""

    def __init__(
        self,
        config: S3Config,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock

    def __str__(self) -> str:
        return f"s3://{self._config.bucket}/{self._config.prefix}"

    def read(self, name: str, limit: int) -> bytes | None:
        return self._request("GET", self._object_url(name), limit=limit)

    def write(self, name: str, data: bytes) -> None:
        self._request("PUT", self._object_url(name), data)

    def names(self, prefix: str) -> list[str]:
        base = self._key("")
        found: list[str] = []
        token = ""
        while True:
            asked = {"list-type": "2", "prefix": base + prefix}
            if token:
                asked["continuation-token"] = token
            page = self._page(asked)
            keys = [key.text or "" for key in page.iterfind(f"{_XML_NAMES}Contents/{_XML_NAMES}Key")]
            found += [key.removeprefix(base) for key in keys if key.startswith(base)]
            token = page.findtext(f"{_XML_NAMES}NextContinuationToken") or ""
            if not token:
                return sorted(found)

    def _page(self, asked: Mapping[str, str]) -> ET.Element:
        query = urlencode(sorted(asked.items()), quote_via=quote, safe="")
        answer = self._request("GET", f"{self._config.endpoint}/{self._config.bucket}?{query}")
        data = answer or b""
        # Entities are how a small document grows without bound; a list of names has none.
        if b"<!" in data:
            raise UnavailableError(f"model store {self} does not answer as S3 does; check the endpoint")
        try:
            return ET.fromstring(data)  # noqa: S314 - without entities, and bounded
        except ET.ParseError as exc:
            raise UnavailableError(
                f"model store {self} does not answer as S3 does; check the endpoint"
            ) from exc

    def _request(
        self, method: str, url: str, data: bytes = b"", *, limit: int = _MAX_LIST_BYTES
    ) -> bytes | None:
        digest = hashlib.sha256(data).hexdigest()
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        headers = sign_request(self._config.keys, method, url, digest, now)
        try:
            with (
                httpx.Client(timeout=TIMEOUT_S, trust_env=False, transport=self._transport) as client,
                client.stream(method, url, content=data, headers=headers) as answer,
            ):
                found = _read_at_most(answer, limit + 1 if answer.is_success else _MAX_ERROR_BYTES)
        except httpx.HTTPError as exc:
            raise UnavailableError(
                f"model store {self} does not answer ({type(exc).__name__}); try again"
            ) from exc
        if answer.status_code == httpx.codes.NOT_FOUND and method == "GET" and b"NoSuchBucket" not in found:
            return None
        if not answer.is_success:
            raise UnavailableError(
                f"model store {self} answers {answer.status_code}; check bucket, keys and region"
            )
        return found

    def _key(self, name: str) -> str:
        return f"{self._config.prefix}/{name}" if self._config.prefix else name

    def _object_url(self, name: str) -> str:
        return f"{self._config.endpoint}/{self._config.bucket}/{quote(self._key(name))}"


def _read_at_most(answer: httpx.Response, limit: int) -> bytes:
    found = bytearray()
    for part in answer.iter_bytes():
        found += part
        if len(found) >= limit:
            break
    return bytes(found[:limit])
