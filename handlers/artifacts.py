"""Where handlers put files: a folder by default, an S3-compatible bucket by setting."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

import msgspec

from handlers.context import Context


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file: where it is, how long, and what it must hash to."""

    uri: str
    bytes: int
    sha256: str


class ArtifactStore(Protocol):
    """Keeps files under names made of their content, so that writing twice is writing once."""

    def put(self, data: bytes, *, folder: str, suffix: str, media_type: str) -> Artifact:
        """Stores `data`; raises `Retry` where the store is away."""
        ...


class FolderStore:
    """Files in a folder: `root/<folder>/<sha256><suffix>`, written whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes, *, folder: str, suffix: str, media_type: str) -> Artifact:
        del media_type  # a folder has none
        digest = hashlib.sha256(data).hexdigest()
        path = self._root / folder / f"{digest[:32]}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.write_bytes(data)
        part.replace(path)
        return Artifact(uri=path.resolve().as_uri(), bytes=len(data), sha256=digest)


def open_store(context: Context) -> ArtifactStore:
    """The store of the settings: `PRECOMPUTE_ARTIFACT_STORE` is `folder` or `s3://bucket/prefix`."""
    if context.config.artifact_store.startswith("s3://"):
        from handlers.s3 import S3Store  # noqa: PLC0415 - httpx loads only where it is used

        return S3Store.of(context.config)
    return FolderStore(Path(context.artifact_dir or "precompute-artifacts"))
