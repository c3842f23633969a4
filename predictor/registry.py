"""Versions of the model in a store: which exist, which one serves, who changed that and why.

STORE/current.json            {"version", "previous"}: replaced in one step
STORE/versions/VERSION/       meta.json, model.onnx, ngram.msgpack: written once, meta.json last
STORE/audit/TIME-VERSION.json one object per promotion and rollback
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from predictor.archive import (
    FILES,
    FOREST,
    MAX_MODEL_BYTES,
    META,
    STATE,
    ModelError,
    ModelMeta,
    load_blend,
    load_meta,
)
from predictor.blend import Blend
from predictor.store import ModelStore, open_store
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.ids import is_id

_CURRENT, _VERSIONS, _AUDIT = "current.json", "versions/", "audit/"
#: What names the serving version, or records a change, is a line; more is not ours.
_MAX_RECORD_BYTES = 64 * 1024
#: Names and weights of 250 outcomes stay far below.
_MAX_META_BYTES = 1024 * 1024


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
    """The versions in a store (its address, or a `ModelStore`); safe to read while another process writes."""

    def __init__(self, store: str | Path | ModelStore, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._store = open_store(store) if isinstance(store, str | Path) else store
        self._clock = clock

    def add(self, files: Mapping[str, bytes]) -> ModelMeta:
        """Stores a version, checked as if it were loaded; it serves only once promoted."""
        _, meta = load_blend(files)
        if sum(map(len, files.values())) > MAX_MODEL_BYTES:
            raise ModelError(f"model {meta.version} is larger than {MAX_MODEL_BYTES} bytes: use fewer trees")
        folder = _folder_of(meta.version)
        if self._store.read(folder + META, _MAX_META_BYTES) is None:
            # The description comes last: what is not described is no version yet.
            for name in (FOREST, STATE, META):
                self._store.write(folder + name, files[name])
        return meta

    def versions(self) -> list[ModelMeta]:
        """Every readable version, the oldest first; a broken one is left out."""
        found = []
        for name in self._store.names(_VERSIONS):
            if not name.endswith(f"/{META}"):
                continue
            data = self._store.read(name, _MAX_META_BYTES)
            try:
                found.append(load_meta(data or b""))
            except ModelError:
                continue
        return sorted(found, key=lambda meta: meta.created_at)

    def current(self) -> Current | None:
        """What serves, or None where nothing was promoted yet. Cheap: safe to ask every few seconds."""
        data = self._store.read(_CURRENT, _MAX_RECORD_BYTES)
        if data is None:
            return None
        try:
            return msgspec.json.decode(data, type=Current)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ModelError(
                f"{_CURRENT} in {self._store} cannot be read ({exc}); promote a version again"
            ) from exc

    def load(self, version: str) -> tuple[Blend, ModelMeta]:
        """The model of a version; raises `ModelError` if it is missing, broken or foreign."""
        folder = _folder_of(version)
        files = {}
        for name in FILES:
            data = self._store.read(folder + name, MAX_MODEL_BYTES)
            if data is None:
                raise ModelError(
                    f"model {version} cannot be read: {self._store} has no {name} of it; promote another one"
                )
            if len(data) > MAX_MODEL_BYTES:
                raise ModelError(f"{name} of model {version} is too large to be one of ours")
            files[name] = data
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
        """Every change of the serving version, the oldest first; raises `ModelError` on a broken record."""
        entries = []
        for name in self._store.names(_AUDIT):
            data = self._store.read(name, _MAX_RECORD_BYTES)
            try:
                entries.append(msgspec.json.decode(data or b"", type=AuditEntry))
            except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                raise ModelError(
                    f"{name} in {self._store} is no record of a change ({exc}); remove it"
                ) from exc
        return entries

    def _switch(self, action: str, current: Current, reason: str, forced: bool) -> Current:  # noqa: FBT001
        entry = AuditEntry(
            at_ms=millis(self._clock.now()),
            action=action,
            version=current.version,
            previous=current.previous,
            reason=reason,
            forced=forced,
        )
        # The record first: a change that is not recorded must not happen.
        number = len(self._store.names(_AUDIT))
        name = f"{_AUDIT}{entry.at_ms:013d}-{number:06d}-{current.version}.json"
        self._store.write(name, msgspec.json.encode(entry))
        self._store.write(_CURRENT, msgspec.json.encode(current))
        return current


def _folder_of(version: str) -> str:
    if not is_id(version) or not version.startswith("v"):
        raise ModelError(f"{version!r} is not a version's name; `precompute predictor show` lists them")
    return f"{_VERSIONS}{version}/"
