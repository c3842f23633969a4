"""Which handlers this installation has: the built-in ones, entry points, and modules named in a setting."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType

from handlers.config import HandlerConfig, load_handler_config
from handlers.contract import EventDeclaration, Handler
from handlers.http_service import load_http_handlers
from handlers.manifest import Manifest, check_ttls, read_manifest, with_ttl
from streams.contracts.errors import ConfigurationError
from streams.contracts.events import add_event_type
from streams.contracts.outcomes import NotAvailable
from streams.contracts.tasks import TaskCatalogue
from streams.contracts.triggers import Trigger

#: A package registers its module of handlers under this group.
ENTRY_POINT_GROUP = "precompute.handlers"

BUILTIN_MODULES: tuple[str, ...] = (
    "handlers.scene_detection",
    "handlers.face_detection",
    "handlers.hook_analysis",
    "handlers.thumbnail_generation",
    "handlers.caption_generation",
    "handlers.ctr_prediction",
    "handlers.variant_generation",
    "handlers.variant_scoring",
    "handlers.roas_prediction",
    "handlers.dashboard_data",
    "handlers.campaign_analytics",
)


class Registry(Mapping[str, Handler]):
    """Handlers by task name. Immutable; its catalogue also knows built-in tasks without a handler."""

    def __init__(self, handlers: Iterable[Handler], events: Iterable[EventDeclaration] = ()) -> None:
        known: dict[str, Handler] = {}
        for one in handlers:
            other = known.get(one.task)
            if other is not None and other is not one:
                raise ConfigurationError(
                    f"task type {one.task} has handlers in {other.module} and in {one.module}; rename one"
                )
            known[one.task] = one
        self._handlers = MappingProxyType(known)
        self.events: tuple[EventDeclaration, ...] = _distinct_events(events)
        self.manifest = Manifest.of(known.values())
        _check_needs(self)

    def __getitem__(self, task: str) -> Handler:
        return self._handlers[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers)

    def __len__(self) -> int:
        return len(self._handlers)

    def require(self, task: str) -> Handler:
        """The handler of a task; raises `NotAvailable` that says how to get one."""
        found = self._handlers.get(task)
        if found is None:
            raise NotAvailable(
                f"no handler computes {task} here; name a module that has one in PRECOMPUTE_HANDLER_MODULES"
            )
        return found

    @property
    def catalogue(self) -> TaskCatalogue:
        """The task types, those without a handler included."""
        return self.manifest.catalogue

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """What the handlers' own `on` asks for, beside the built-in triggers."""
        return self.manifest.triggers

    @property
    def answers(self) -> Mapping[str, tuple[str, ...]]:
        """Tasks by the action they answer, from the handlers' `answers`."""
        return self.manifest.answers


def load_handlers(modules: Sequence[str] = (), *, environ: Mapping[str, str] = os.environ) -> Registry:
    """Imports the built-in modules, those of entry points and `modules`, and registers what they declare.

    An HTTP service of `PRECOMPUTE_HTTP_HANDLERS` takes the place of a built-in handler. Raises
    `ConfigurationError` in one line for a module that does not import, that has no handler, or that declares
    a name twice.
    """
    config = load_handler_config(environ)
    services = _http_handlers(config, environ)
    replaced = {one.task for one in services}
    built_in = [one for name in BUILTIN_MODULES for one in declared_in(_import(name))]
    handlers = [*services, *(one for one in built_in if one.task not in replaced)]
    events: list[EventDeclaration] = []
    for name in dict.fromkeys([*_entry_point_modules(), *modules]):
        module = _import(name)
        found = declared_in(module)
        declared = _events_in(module)
        if not found and not declared:
            raise ConfigurationError(f"handler module {name} declares nothing; decorate a function in it")
        handlers += found
        events += declared
    for event in events:
        add_event_type(event.type, event.data, event.stream)
    registry = Registry(handlers, events)
    ttls = config.ttls
    if not ttls:
        return registry
    check_ttls(ttls, registry.catalogue)
    return Registry(
        [dataclasses.replace(one, spec=with_ttl(one.spec, ttls)) for one in registry.values()], events
    )


def load_manifest(modules: Sequence[str] = (), *, environ: Mapping[str, str] = os.environ) -> Manifest:
    """What the handlers declare, for a role that runs none.

    With `PRECOMPUTE_HANDLER_MANIFEST` no handler is imported: `modules` then name only those with event types
    of your own. Raises `ConfigurationError` in one line.
    """
    config = load_handler_config(environ)
    if not config.handler_manifest:
        return load_handlers(modules, environ=environ).manifest
    for name in modules:
        for event in _events_in(_import(name)):
            add_event_type(event.type, event.data, event.stream)
    return read_manifest(Path(config.handler_manifest)).with_ttls(config.ttls)


def _http_handlers(config: HandlerConfig, environ: Mapping[str, str]) -> list[Handler]:
    path = config.http_handlers
    return load_http_handlers(Path(path), environ) if path else []


def declared_in(module: ModuleType) -> list[Handler]:
    """The handlers a module declares; one it merely imported belongs to its own module."""
    values = vars(module).values()
    return [value for value in values if isinstance(value, Handler) and value.module == module.__name__]


def _events_in(module: ModuleType) -> list[EventDeclaration]:
    return [value for value in vars(module).values() if isinstance(value, EventDeclaration)]


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ConfigurationError:
        raise
    except Exception as exc:
        raise ConfigurationError(
            f"handler module {name} does not import: {type(exc).__name__}: {exc}"
        ) from exc


def _entry_point_modules() -> list[str]:
    return sorted(point.module for point in entry_points(group=ENTRY_POINT_GROUP))


def _distinct_events(events: Iterable[EventDeclaration]) -> tuple[EventDeclaration, ...]:
    known: dict[str, EventDeclaration] = {}
    for event in events:
        if known.setdefault(event.type, event) is not event:
            raise ConfigurationError(f"event type {event.type} is declared twice; rename one")
    return tuple(known.values())


def _check_needs(registry: Registry) -> None:
    for one in registry.values():
        for need in one.needs:
            spec = registry.catalogue.get(need)
            if spec is None:
                raise ConfigurationError(f"handler of {one.task} needs {need}, which is no task type")
            if spec.entity != one.spec.entity:
                raise ConfigurationError(f"handler of {one.task} needs {need}, which is of another entity")
        _check_cycle(registry, one.task, ())


def _check_cycle(registry: Registry, task: str, path: tuple[str, ...]) -> None:
    if task in path:
        raise ConfigurationError(f"handlers need each other in a circle: {' -> '.join((*path, task))}")
    for need in registry[task].needs if task in registry else ():
        _check_cycle(registry, need, (*path, task))
