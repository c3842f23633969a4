"""What handlers declare, as data: the streams role and the API read it without importing any handler.

`precompute handlers manifest > handlers.json` writes it where the handlers are installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import msgspec

from handlers.contract import Handler
from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import Why
from streams.contracts.tasks import BUILTIN_TASKS, TaskCatalogue, TaskSpec
from streams.contracts.triggers import Trigger

_WHY = {
    "video.uploaded": Why.UPLOAD,
    "campaign.created": Why.CAMPAIGN,
    "user.logged_in": Why.LOGIN,
    "entity.changed": Why.CHANGED,
}


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One handler's declaration; times in seconds."""

    spec: TaskSpec
    version: str
    kind: str
    module: str
    extra: str | None = None
    needs: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    priority: int = 5
    answers: tuple[str, ...] = ()


class Manifest:
    """The declarations of one installation. Immutable."""

    def __init__(self, entries: Iterable[ManifestEntry]) -> None:
        self.entries: Mapping[str, ManifestEntry] = MappingProxyType({one.spec.name: one for one in entries})

    @classmethod
    def of(cls, handlers: Iterable[Handler]) -> Manifest:
        return cls(_entry(one) for one in handlers)

    @cached_property
    def catalogue(self) -> TaskCatalogue:
        """The task types: the built-in ones, whether they have a handler or not, and those declared here."""
        own = [one.spec for name, one in self.entries.items() if name not in BUILTIN_TASKS]
        known = self.entries
        built_in = [known[name].spec if name in known else spec for name, spec in BUILTIN_TASKS.items()]
        return TaskCatalogue([*built_in, *own])

    @cached_property
    def triggers(self) -> tuple[Trigger, ...]:
        """What the handlers' own `on` asks for, beside the built-in triggers."""
        return tuple(
            Trigger(event_type, one.spec.name, one.priority, _WHY.get(event_type, Why.ACTED))
            for one in self.entries.values()
            for event_type in one.on
        )

    @cached_property
    def answers(self) -> Mapping[str, tuple[str, ...]]:
        """Tasks by the action they answer, from the handlers' `answers`."""
        table: dict[str, tuple[str, ...]] = {}
        for one in self.entries.values():
            for action in one.answers:
                table[action] = (*table.get(action, ()), one.spec.name)
        return MappingProxyType(table)

    def with_ttls(self, ttls: Mapping[str, float]) -> Manifest:
        """The same with other TTLs, by task; raises `ConfigurationError` for a task nobody declares."""
        check_ttls(ttls, self.catalogue)
        return Manifest(
            msgspec.structs.replace(one, spec=with_ttl(one.spec, ttls)) for one in self.entries.values()
        )

    def encode(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(list(self.entries.values())), indent=2)


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest file; raises `ConfigurationError` that says what is wrong with it."""
    try:
        return Manifest(msgspec.json.decode(path.read_bytes(), type=list[ManifestEntry]))
    except OSError as exc:
        raise ConfigurationError(f"handler manifest {path}: {exc.strerror}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"handler manifest {path}: {exc}") from exc


def with_ttl(spec: TaskSpec, ttls: Mapping[str, float]) -> TaskSpec:
    ttl_s = ttls.get(spec.name)
    return spec if ttl_s is None else msgspec.structs.replace(spec, ttl_s=ttl_s)


def check_ttls(ttls: Mapping[str, float], catalogue: TaskCatalogue) -> None:
    """Raises `ConfigurationError` for the TTL of a task type that does not exist."""
    for task in ttls:
        if task not in catalogue:
            raise ConfigurationError(
                f"PRECOMPUTE_TASK_TTL_S: unknown task type {task!r}; known are {', '.join(catalogue)}"
            )


def _entry(one: Handler) -> ManifestEntry:
    return ManifestEntry(
        spec=one.spec,
        version=one.version,
        kind=one.kind,
        module=one.module,
        extra=one.extra,
        needs=one.needs,
        on=one.on,
        priority=one.priority,
        answers=one.answers,
    )
