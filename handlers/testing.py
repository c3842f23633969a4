"""A test kit for handlers of your own: run one as a worker does, and check what every handler promises.

from handlers.testing import HandlerTest

def test_my_handler():
    kit = HandlerTest(my_handler)
    assert kit.run({"video_id": "v1", "uri": "x"})["score"] > 0
    kit.check()
"""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import msgspec

from handlers.context import Context, decode_context, encode_context
from handlers.contract import Handler
from handlers.execution import HandlerError, run_handler, run_io
from handlers.local_run import local_context
from handlers.registry import Registry, declared_in
from streams.contracts.errors import PrecomputeError
from streams.contracts.outcomes import Outcome, Reject

#: Payloads that no handler may answer with an accident.
BAD_PAYLOADS = (b"", b"null", b"[]", b"{", b'{"\xff": 1}', b'{"a": NaN}', b"[" * 5000)


class HandlerTest:
    """Runs one handler on payloads, with bytes going in and out as between a worker and its child."""

    def __init__(self, tested: Handler, context: Context | None = None) -> None:
        Registry([tested])
        self._tested = tested
        self._context = context or local_context("e1")

    def run(self, payload: Any, **changes: Any) -> Any:
        """The result as a reader gets it, or the outcome raised; `changes` are fields of the context."""
        data = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        return msgspec.json.decode(self.run_bytes(data, **changes))

    def run_bytes(self, payload: bytes, **changes: Any) -> bytes:
        context = decode_context(encode_context(msgspec.structs.replace(self._context, **changes)))
        if self._tested.kind == "io":
            return asyncio.run(run_io(self._tested, payload, context))
        return run_handler(self._tested, payload, context)

    def outcome(self, payload: Any, **changes: Any) -> PrecomputeError:
        """What a payload that gives no result gives instead; raises AssertionError where it gives one."""
        try:
            result = self.run(payload, **changes)
        except PrecomputeError as exc:
            return exc
        raise AssertionError(f"{self._tested.task} answered {result!r}")

    def check(self) -> None:
        """What every handler promises: bad payloads are outcomes that pickle, and its schemas can be made.

        Raises AssertionError that says which promise is broken.
        """
        msgspec.json.schema(self._tested.input_type)
        msgspec.json.schema(self._tested.result_type)
        for payload in BAD_PAYLOADS:
            self._check_bad(payload)
        if self._tested.kind == "cpu":
            self._check_found_by_child()

    def _check_bad(self, payload: bytes) -> None:
        try:
            self.run_bytes(payload)
        except HandlerError as exc:
            raise AssertionError(f"{payload[:20]!r} is an accident, not an outcome: {exc}") from exc
        except Outcome as exc:
            _check_pickles(exc)

    def _check_found_by_child(self) -> None:
        module = __import__(self._tested.module, fromlist=["_"])
        names = [one.task for one in declared_in(module)]
        assert self._tested.task in names, f"a child process does not find it in {module.__name__}"


def _check_pickles(outcome: Outcome) -> None:
    again = pickle.loads(pickle.dumps(outcome))  # noqa: S301 - our own bytes
    assert type(again) is type(outcome), f"{type(outcome).__name__} does not survive pickling"
    assert not isinstance(outcome, Reject) or outcome.reason, "a Reject has a reason"
