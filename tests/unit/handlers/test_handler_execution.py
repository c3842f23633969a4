from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle

import msgspec
import pebble
import pytest
import sample_handlers

from handlers import Action, Context, NotAvailable, Reject, Retry, Skip
from handlers.context import MediaPolicy, decode_context, encode_context
from handlers.execution import HandlerError, run_cpu, run_cpu_batch, run_io
from streams.contracts.errors import PrecomputeError

CONTEXT = Context(
    job_id="j1",
    key="doubling:video:v1",
    user_id="u1",
    now=1_700_000_000.0,
    deadline=1_700_000_120.0,
    media=MediaPolicy(roots=("/media",)),
    results={"scene_detection": {"scene_count": 2}},
    history=(Action("login", 1000),),
)
WIRE = encode_context(CONTEXT)


def run(task: str, payload: bytes) -> dict:
    return msgspec.json.decode(run_cpu(task, "sample_handlers", payload, WIRE))


def test_a_context_survives_the_wire_and_pickling() -> None:
    assert decode_context(WIRE) == CONTEXT
    assert pickle.loads(pickle.dumps(CONTEXT)) == CONTEXT
    assert CONTEXT.entity_id == "v1"


def test_bytes_in_json_out() -> None:
    assert run("doubling", b'{"value": 21, "unknown": 1}')["value"] == 42


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b'{"value": "x"}', "value: Expected `int`"),
        (b'{"value": -1}', "value: Expected `int` >= 0"),
        (b"{}", "payload: Object missing required field `value`"),
        (b'{"value": NaN}', "payload: not JSON"),
        (b"", "payload: not JSON"),
        (b"[" * 100_000, "payload: "),
        (b'{"value": 1, "mode": "\xff"}', "payload: "),
    ],
)
def test_a_payload_that_does_not_fit_is_bad_input_naming_the_field(payload: bytes, said: str) -> None:
    with pytest.raises(Reject) as caught:
        run("doubling", payload)
    assert caught.value.reason == "bad_input"
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("mode", "kind", "attributes"),
    [
        ("reject", Reject, {"reason": "odd"}),
        ("retry", Retry, {"after_s": 3.0}),
        ("skip", Skip, {}),
        ("import", NotAvailable, {"reason": "not_available"}),
        ("memory", Reject, {"reason": "too_large"}),
        ("bug", HandlerError, {}),
    ],
)
def test_outcomes_keep_their_type_and_words_through_pickling(mode: str, kind: type, attributes: dict) -> None:
    with pytest.raises(PrecomputeError) as caught:
        run("doubling", msgspec.json.encode({"value": 1, "mode": mode}))
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is kind
    assert str(again) == str(caught.value)
    assert {name: getattr(again, name) for name in attributes} == attributes


def test_a_missing_module_names_the_extra_to_install() -> None:
    with pytest.raises(NotAvailable, match=r"pip install 'precompute\[numbers\]'"):
        run("doubling", b'{"value": 1, "mode": "import"}')


def test_a_bug_carries_its_traceback() -> None:
    with pytest.raises(HandlerError, match="ZeroDivisionError") as caught:
        run("doubling", b'{"value": 1, "mode": "bug"}')
    assert "sample_handlers.py" in caught.value.trace


def test_a_module_or_task_that_is_not_there_is_not_available() -> None:
    with pytest.raises(NotAvailable, match="does not import"):
        run_cpu("doubling", "no_such_module", b"{}", WIRE)
    with pytest.raises(NotAvailable, match="has no handler of tripling"):
        run_cpu("tripling", "sample_handlers", b"{}", WIRE)


def test_a_class_is_made_once_per_process() -> None:
    first = run("counting", b'{"value": 1}')["value"]
    assert run("counting", b'{"value": 1}')["value"] == first + 1


def test_a_batch_answers_in_order_and_fails_item_by_item() -> None:
    answers = run_cpu_batch(
        "batching", "sample_handlers", [b'{"value": 1}', b'{"value": "x"}', b'{"value": 5}'], [WIRE] * 3
    )
    assert [type(answer) for answer in answers] == [bytes, Reject, bytes]
    assert msgspec.json.decode(answers[2])["value"] == 7
    assert run("batching", b'{"value": 1}')["value"] == 2


async def test_an_io_handler_runs_on_the_loop() -> None:
    assert msgspec.json.decode(await run_io(sample_handlers.waiting, b'{"value": 3}', CONTEXT))["value"] == 3
    with pytest.raises(Retry):
        await run_io(sample_handlers.waiting, b'{"value": 3, "mode": "timeout"}', CONTEXT)


async def test_cancellation_is_not_an_outcome() -> None:
    task = asyncio.create_task(run_io(sample_handlers.waiting, b'{"value": 3}', CONTEXT))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_outcomes_cross_a_process_pool() -> None:
    with pebble.ProcessPool(max_workers=1, context=multiprocessing.get_context("spawn")) as pool:
        fine = pool.schedule(run_cpu, args=("doubling", "sample_handlers", b'{"value": 4}', WIRE))
        bad = pool.schedule(
            run_cpu, args=("doubling", "sample_handlers", b'{"value": 1, "mode": "reject"}', WIRE)
        )
        answer = msgspec.json.decode(fine.result(timeout=30))
        assert answer["value"] == 8
        assert answer["pid"] != os.getpid()
        with pytest.raises(Reject, match="no such number") as caught:
            bad.result(timeout=30)
        assert caught.value.reason == "odd"
