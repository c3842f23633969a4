"""Running one handler: bytes in, bytes out, every failure a typed outcome that survives pickling."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

import msgspec

from handlers.context import Context, decode_context
from handlers.contract import Handler
from handlers.registry import declared_in
from streams.contracts.errors import ConfigurationError, PrecomputeError
from streams.contracts.outcomes import NotAvailable, Outcome, Reject, Retry

#: A stack of a library's recursion can be megabytes; its end names the place.
MAX_TRACE_CHARS = 4000


class HandlerError(PrecomputeError):
    """A handler raised something it did not mean to: an attempt failed, the next may not.

    `trace` is the end of its traceback, for the log; the message is one line.
    """

    def __init__(self, message: str, *, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


def run_cpu(task: str, module: str, payload: bytes, context: bytes) -> bytes:
    """Runs a cpu handler in this process (a child of the pool) and returns its result as JSON.

    `payload` is the job's JSON, `context` comes from `encode_context`. Raises `Reject` (also `NotAvailable`),
    `Retry`, `Skip` or `HandlerError`; all of them pickle.
    """
    found = _find(task, module)
    with memory_cap(found.memory_mb):
        return run_handler(found, payload, decode_context(context))


@contextlib.contextmanager
def memory_cap(memory_mb: int | None) -> Iterator[None]:
    """Bounds this process's address space for the block; never above the bound it has already."""
    if memory_mb is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    bounds = [bound for bound in (memory_mb * 1024 * 1024, soft, hard) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def run_cpu_batch(
    task: str, module: str, payloads: Sequence[bytes], contexts: Sequence[bytes]
) -> list[bytes | PrecomputeError]:
    """Runs one batch of a cpu handler; the answers come in order, an item's failure in its place.

    An input that does not decode fails alone; an exception of the handler fails every other item.
    """
    found = _find(task, module)
    answers, inputs = _decode_batch(found, payloads)
    try:
        chosen = [decode_context(contexts[index]) for index in inputs]
        with memory_cap(found.memory_mb):
            results = _guard(found, lambda: _call_batch(found, list(inputs.values()), chosen))
        for index, result in zip(inputs, results, strict=True):
            answers[index] = encode_result(result)
    except PrecomputeError as exc:
        for index in inputs:
            answers[index] = exc
    return answers


def _decode_batch(
    found: Handler, payloads: Sequence[bytes]
) -> tuple[list[bytes | PrecomputeError], dict[int, Any]]:
    """A place for each answer, taken where an input does not decode; and the other inputs, by place."""
    answers: list[bytes | PrecomputeError] = [b""] * len(payloads)
    inputs: dict[int, Any] = {}
    for index, payload in enumerate(payloads):
        try:
            inputs[index] = decode_input(found, payload)
        except Reject as exc:
            answers[index] = exc
    return answers, inputs


async def run_io(found: Handler, payload: bytes, context: Context) -> bytes:
    """Runs an io handler on the running loop; outcomes as for `run_cpu`. Cancellation passes through."""
    value = decode_input(found, payload)
    try:
        if found.batch_size > 1:
            result = (await found.function([value], [context]))[0]
        else:
            result = await found.function(value, context)
    except asyncio.CancelledError:
        raise
    except BaseException as exc:
        raise outcome_of(found, exc) from exc
    return encode_result(result)


async def run_io_batch(
    found: Handler, payloads: Sequence[bytes], contexts: Sequence[Context]
) -> list[bytes | PrecomputeError]:
    """Runs one batch of an io handler; as `run_cpu_batch`. Cancellation passes through."""
    answers, inputs = _decode_batch(found, payloads)
    try:
        results = await found.function(list(inputs.values()), [contexts[index] for index in inputs])
        for index, result in zip(inputs, results, strict=True):
            answers[index] = encode_result(result)
    except asyncio.CancelledError:
        raise
    except BaseException as exc:  # noqa: BLE001 (each job of the batch gets it as its outcome)
        outcome = outcome_of(found, exc)
        for index in inputs:
            answers[index] = outcome
    return answers


def run_handler(found: Handler, payload: bytes, context: Context) -> bytes:
    """Runs a cpu handler that is at hand; outcomes as for `run_cpu`."""
    value = decode_input(found, payload)
    if found.batch_size > 1:
        return encode_result(_guard(found, lambda: _call_batch(found, [value], [context]))[0])
    return encode_result(_guard(found, lambda: found.function(value, context)))


def decode_input(found: Handler, payload: bytes) -> Any:
    """The handler's typed input; raises `Reject` with reason `bad_input` that names the field."""
    try:
        return msgspec.json.decode(payload, type=found.input_type)
    except msgspec.ValidationError as exc:
        message, _, path = str(exc).partition(" - at `$")
        field = path.rstrip("`").lstrip(".") or "payload"
        raise Reject(f"{field}: {message}", reason="bad_input") from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Reject(f"payload: not JSON: {exc}", reason="bad_input") from exc


def encode_result(result: Any) -> bytes:
    """A result as JSON, a number that is not finite as null; raises `HandlerError` where there is none."""
    if result is None:
        raise HandlerError("the handler returned None; it raises Skip where there is nothing to compute")
    return msgspec.json.encode(result)


def outcome_of(found: Handler, exc: BaseException) -> PrecomputeError:
    """What a handler's exception means for its job."""
    if isinstance(exc, Outcome | HandlerError):
        return exc
    if isinstance(exc, ConfigurationError):
        return NotAvailable(f"{found.task}: {exc}")
    if isinstance(exc, ImportError):
        return NotAvailable(_missing(found, exc))
    if isinstance(exc, MemoryError):
        return Reject(f"{found.task} ran out of memory on this input", reason="too_large")
    if isinstance(exc, TimeoutError):
        return Retry(f"{found.task}: {exc or 'timed out'}")
    trace = "".join(traceback.format_exception(exc))[-MAX_TRACE_CHARS:]
    return HandlerError(f"{found.task}: {type(exc).__name__}: {exc}"[:1000], trace=trace)


def _find(task: str, module: str) -> Handler:
    try:
        found = [one for one in declared_in(import_module(module)) if one.task == task]
    except Exception as exc:
        raise NotAvailable(f"handler module {module} does not import: {exc}") from exc
    if not found:
        raise NotAvailable(f"{module} has no handler of {task}")
    return found[0]


def _missing(found: Handler, exc: ImportError) -> str:
    if found.extra is None:
        return f"{found.task} needs the module {exc.name}, which is not installed"
    return f"{found.task} needs the {found.extra} extra: pip install 'precompute[{found.extra}]' ({exc})"


def _guard(found: Handler, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except BaseException as exc:
        raise outcome_of(found, exc) from exc


def _call_batch(found: Handler, inputs: list[Any], contexts: list[Context]) -> list[Any]:
    results: list[Any] = list(found.function(inputs, contexts))
    if len(results) != len(inputs):
        raise HandlerError(f"{found.task} returned {len(results)} results for {len(inputs)} inputs")
    return results
