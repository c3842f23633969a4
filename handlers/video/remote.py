"""Remote locations: https from listed hosts, s3 from listed buckets."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from handlers.context import Context
from handlers.video.download import download
from handlers.video.refusal import OUTSIDE, refuse

_EMPTY = hashlib.sha256(b"").hexdigest()


def fetch(location: str, target: Path, context: Context) -> None:
    """Writes what stands at an address to `target`; raises as `download` does."""
    if location.lower().startswith("s3://"):
        _fetch_object(location, target, context)
    else:
        download(location, target, context.media)


def _fetch_object(location: str, target: Path, context: Context) -> None:
    from handlers.s3 import check_keys, endpoint_of, object_url, sign  # noqa: PLC0415 - httpx loads with it

    parts = urlsplit(location)
    if parts.netloc not in context.media.buckets:
        raise refuse(OUTSIDE, f"bucket {parts.netloc} is not listed in PRECOMPUTE_MEDIA_BUCKETS")
    if {"", ".", ".."} & set(parts.path.removeprefix("/").split("/")):
        raise refuse(OUTSIDE, "a key with an empty part or dots for a part is not read")
    check_keys(context.config)
    url = object_url(context.config, parts.netloc, parts.path.removeprefix("/"))
    headers = sign(context.config, "GET", url, _EMPTY, datetime.now(UTC))
    # The endpoint is the operator's own word: it may be plain http and may stand in the own network.
    trusted = msgspec.structs.replace(
        context.media, internal_hosts=(urlsplit(endpoint_of(context.config)).netloc,)
    )
    download(url, target, trusted, headers=headers)
