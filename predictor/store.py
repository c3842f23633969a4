"""Where versions of the model live: a folder, or a prefix of an S3-compatible bucket.

Both keep small named objects of bytes. Nothing that is read is executed; `predictor.archive` checks it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from streams.contracts.errors import UnavailableError

#: A version is trained by one process and read by others, perhaps under other users.
_READABLE = 0o644
#: `PRECOMPUTE_MODEL_STORE` may have passed through a path, which folds the two slashes into one.
_S3_SCHEMES = ("s3://", "s3:/")


class ModelStore(Protocol):
    """Objects by name (`versions/v1-abc/meta.json`). Raises `UnavailableError` where the store is away."""

    def read(self, name: str, limit: int) -> bytes | None:
        """The object's bytes, or None where there is none; of a larger object the first `limit` + 1."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Writes or replaces an object in one step: a reader sees the old one or the new one."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Every object's name that begins with `prefix` (which ends with /), sorted."""
        ...


class FolderStore:
    """Objects as files below a folder, which need not exist before the first is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def read(self, name: str, limit: int) -> bytes | None:
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise UnavailableError(f"model store {self}: {name} cannot be read ({exc}); check it") from exc

    def write(self, name: str, data: bytes) -> None:
        target = self._folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, scratch = tempfile.mkstemp(dir=target.parent, prefix=".incoming-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                Path(scratch).chmod(_READABLE)
                Path(scratch).replace(target)
            finally:
                Path(scratch).unlink(missing_ok=True)
        except OSError as exc:
            raise UnavailableError(f"model store {self}: {name} cannot be written ({exc}); check it") from exc

    def names(self, prefix: str) -> list[str]:
        found = (path for path in (self._folder / prefix).rglob("*") if path.is_file())
        names = [path.relative_to(self._folder).as_posix() for path in found]
        return sorted(name for name in names if not Path(name).name.startswith("."))


def open_store(location: str | Path, environ: Mapping[str, str] | None = None) -> ModelStore:
    """The store at a folder, or at `s3://bucket/prefix` with the keys of the environment.

    Raises `ConfigurationError` where an address or its keys are missing.
    """
    text = str(location)
    scheme = next((scheme for scheme in _S3_SCHEMES if text.startswith(scheme)), None)
    if scheme is None:
        return FolderStore(Path(location))
    from predictor.s3_store import S3Config, S3Store  # noqa: PLC0415 - httpx loads only where it is used

    return S3Store(S3Config.parse(text.removeprefix(scheme), os.environ if environ is None else environ))
