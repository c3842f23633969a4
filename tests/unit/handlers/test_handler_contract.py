from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from handlers import Context, handler
from handlers.contract import EventDeclaration
from handlers.registry import Registry, load_handlers
from streams.contracts.errors import ConfigurationError
from streams.contracts.events import EventData
from streams.contracts.jobs import Why
from streams.contracts.outcomes import NotAvailable
from streams.contracts.tasks import BUILTIN_TASKS


class In(msgspec.Struct):
    x: int = 0


class Out(msgspec.Struct):
    y: int = 0


def plain(value: In, context: Context) -> Out:
    """Says y."""
    return Out(value.x)


async def waits(value: In, context: Context) -> Out:
    return Out(value.x)


def test_a_builtin_task_brings_its_entity_and_ttl() -> None:
    made = handler(task="ctr_prediction", kind="cpu", version="3")(plain)
    assert made.spec == BUILTIN_TASKS["ctr_prediction"]
    assert (made.input_type, made.result_type, made.version) == (In, Out, "3")
    assert made.summary == "Says y."


def test_ttl_and_timeout_may_be_changed() -> None:
    made = handler(task="ctr_prediction", kind="cpu", version="3", ttl_s=5, timeout_s=7)(plain)
    assert (made.spec.ttl_s, made.spec.timeout_s) == (5, 7)
    assert Registry([made]).catalogue["ctr_prediction"].ttl_s == 5


def untyped(value, context):  # type: ignore[no-untyped-def]
    return None


def three(value: In, context: Context, more: int) -> Out:
    return Out(more)


def no_struct(value: dict[str, int], context: Context) -> Out:
    return Out(0)


def no_result(value: In, context: Context) -> None: ...


def wrong_context(value: In, context: In) -> Out:
    return Out(0)


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        (untyped, {}, "context: Context"),
        (three, {}, r"takes \(input, context\)"),
        (no_struct, {}, "its input is annotated with a msgspec.Struct"),
        (no_result, {}, "its result is annotated with a msgspec.Struct"),
        (wrong_context, {}, "context: Context"),
        (plain, {"kind": "io"}, "kind io takes `async def`"),
        (waits, {}, "kind cpu takes a plain `def`"),
        (plain, {"batch_size": 4}, "takes two lists"),
        (plain, {"priority": 11}, "priority is 1 to 10"),
        (plain, {"version": "a b"}, "version 'a b'"),
        (plain, {"entity": None}, "gives entity and ttl_s"),
        (plain, {"needs": ("mine",)}, "needs its own result"),
        (plain, {"memory_mb": 1}, "memory_mb at least 64"),
    ],
)
def test_a_wrong_declaration_stops_the_start_in_one_line(target, options, said) -> None:
    given = {"task": "mine", "kind": "cpu", "version": "1", "entity": "video", "ttl_s": 60} | options
    with pytest.raises(ConfigurationError, match=said) as caught:
        handler(**given)(target)
    assert "\n" not in str(caught.value)


def test_a_builtin_task_keeps_its_entity() -> None:
    with pytest.raises(ConfigurationError, match="belongs to a video"):
        handler(task="ctr_prediction", kind="cpu", version="1", entity="user")


def make(task: str, **options):
    given = {"kind": "cpu", "version": "1", "entity": "video", "ttl_s": 60} | options
    return handler(task=task, **given)(plain)


def test_two_handlers_of_one_task_stop_the_start() -> None:
    with pytest.raises(ConfigurationError, match="task type mine has handlers in"):
        Registry([make("mine"), make("mine")])


def test_needs_must_be_known_of_the_same_entity_and_without_a_circle() -> None:
    with pytest.raises(ConfigurationError, match="needs nothing_such"):
        Registry([make("mine", needs=("nothing_such",))])
    with pytest.raises(ConfigurationError, match="another entity"):
        Registry([make("mine", needs=("dashboard_data",))])
    with pytest.raises(ConfigurationError, match="a -> b -> a"):
        Registry([make("a", needs=("b",)), make("b", needs=("a",))])
    Registry([make("mine", needs=("scene_detection",))])


def test_a_module_registers_tasks_triggers_and_answers() -> None:
    registry = load_handlers(["sample_handlers"])
    assert {"doubling", "batching", "counting", "waiting"} <= set(registry)
    assert set(BUILTIN_TASKS) < set(registry.catalogue)
    assert registry.answers["open_heatmap"] == ("doubling",)
    mine = [one for one in registry.triggers if one.task == "doubling"]
    assert [(one.event_type, one.priority, one.why) for one in mine] == [("video.uploaded", 8, Why.UPLOAD)]


def test_a_module_that_fails_or_declares_nothing_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_module_of_mine.py").write_text("1 / 0")
    (tmp_path / "empty_module_of_mine.py").write_text("")
    for name, said in [
        ("broken_module_of_mine", "does not import: ZeroDivisionError"),
        ("empty_module_of_mine", "declares nothing"),
        ("no_such_module", "does not import"),
    ]:
        with pytest.raises(ConfigurationError, match=f"{name} {said}"):
            load_handlers([name])


def test_a_task_without_a_handler_says_so() -> None:
    with pytest.raises(NotAvailable, match="no handler computes mine here"):
        Registry([]).require("mine")


def test_an_event_of_your_own_needs_event_data() -> None:
    EventDeclaration(type="order.placed", stream="users", data=EventData)
    with pytest.raises(ConfigurationError, match="subclass of EventData"):
        EventDeclaration(type="order.placed", stream="users", data=In)  # type: ignore[arg-type]


def test_loading_the_registry_loads_no_heavy_library() -> None:
    code = (
        "import sys; from handlers.registry import load_handlers; load_handlers();"
        "heavy = {'av', 'cv2', 'numpy', 'PIL', 'scenedetect', 'faster_whisper', 'sqlalchemy', 'httpx'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
