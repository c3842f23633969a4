"""Versions of the model in a folder: which exist, which one serves, who changed that and why.

STORE/current.json            {"version", "previous"}: replaced in one step
STORE/versions/VERSION/       meta.json, model.onnx, ngram.msgpack: written once
STORE/audit.jsonl             one line per promotion and rollback
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from predictor.archive import FILES, MAX_MODEL_BYTES, META, ModelError, ModelMeta, load_blend, load_meta
from predictor.blend import Blend
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.ids import is_id

#: A version is trained by one process and read by others, perhaps under other users.
_READABLE = 0o755


class Current(msgspec.Struct, frozen=True):
    """Which version serves, and which one served before it."""

    version: str
    previous: str | None = None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the serving version. `at_ms` is milliseconds since the Unix epoch."""

    at_ms: int
    action: str
    version: str
    previous: str | None
    reason: str
    forced: bool = False


class Registry:
    """A folder of versions, safe to read while another process writes."""

    def __init__(self, folder: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._folder = folder
        self._clock = clock

    def add(self, files: Mapping[str, bytes]) -> ModelMeta:
        """Stores a version, checked as if it were loaded; it serves only once promoted."""
        _, meta = load_blend(files)
        if sum(map(len, files.values())) > MAX_MODEL_BYTES:
            raise ModelError(f"model {meta.version} is larger than {MAX_MODEL_BYTES} bytes: use fewer trees")
        target = self._version_folder(meta.version)
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".incoming-"))
        try:
            for name in FILES:
                (scratch / name).write_bytes(files[name])
            scratch.chmod(_READABLE)
            if not target.exists():
                scratch.replace(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return meta

    def versions(self) -> list[ModelMeta]:
        """Every readable version, the oldest first; a broken one is left out."""
        found = []
        for folder in sorted(self._folder.glob("versions/v*")):
            try:
                found.append(load_meta((folder / META).read_bytes()))
            except (ModelError, OSError):
                continue
        return sorted(found, key=lambda meta: meta.created_at)

    def current(self) -> Current | None:
        """What serves, or None where nothing was promoted yet. Cheap: safe to ask every few seconds."""
        try:
            return msgspec.json.decode((self._folder / "current.json").read_bytes(), type=Current)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, OSError) as exc:
            raise ModelError(
                f"{self._folder / 'current.json'} cannot be read ({exc}); promote a version again"
            ) from exc

    def load(self, version: str) -> tuple[Blend, ModelMeta]:
        """The model of a version; raises `ModelError` if it is missing, broken or foreign."""
        folder = self._version_folder(version)
        try:
            if sum((folder / name).stat().st_size for name in FILES) > 2 * MAX_MODEL_BYTES:
                raise ModelError(f"model {version} is too large to be one of ours")
            files = {name: (folder / name).read_bytes() for name in FILES}
        except OSError as exc:
            raise ModelError(f"model {version} cannot be read ({exc}); promote another version") from exc
        blend, meta = load_blend(files)
        if meta.version != version:
            raise ModelError(f"the folder of {version} holds {meta.version}; copy the right files")
        return blend, meta

    def promote(self, version: str, *, reason: str, forced: bool = False) -> Current:
        """Makes a version serve, after loading it once; the change is audited."""
        self.load(version)
        before = self.current()
        if before is not None and before.version == version:
            return before
        return self._switch("promote", Current(version, before.version if before else None), reason, forced)

    def rollback(self, *, reason: str) -> Current:
        """Makes the version before the current one serve again."""
        before = self.current()
        if before is None or before.previous is None:
            raise ModelError("there is no version to go back to; promote one by name")
        self.load(before.previous)
        return self._switch("rollback", Current(before.previous, before.version), reason, forced=True)

    def audit(self) -> list[AuditEntry]:
        """Every change of the serving version, the oldest first."""
        try:
            lines = (self._folder / "audit.jsonl").read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [msgspec.json.decode(line, type=AuditEntry) for line in lines]

    def _switch(self, action: str, current: Current, reason: str, forced: bool) -> Current:  # noqa: FBT001
        entry = AuditEntry(
            at_ms=millis(self._clock.now()),
            action=action,
            version=current.version,
            previous=current.previous,
            reason=reason,
            forced=forced,
        )
        with (self._folder / "audit.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")
        scratch = self._folder / f".current-{os.getpid()}"
        scratch.write_bytes(msgspec.json.encode(current))
        scratch.replace(self._folder / "current.json")
        return current

    def _version_folder(self, version: str) -> Path:
        if not is_id(version) or not version.startswith("v"):
            raise ModelError(f"{version!r} is not a version's name; `precompute predictor show` lists them")
        return self._folder / "versions" / version
