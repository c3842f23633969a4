from __future__ import annotations

import pytest
from contract_samples import ids
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.errors import CacheKeyError, ConfigurationError
from streams.contracts.ids import is_id
from streams.contracts.keys import MAX_KEY_LENGTH, CacheKey, KeyPattern
from streams.contracts.tasks import BUILTIN_TASKS, CACHE_TTL, PrecomputeTaskType, TaskCatalogue, TaskSpec

tasks = st.sampled_from(sorted(BUILTIN_TASKS))
keys = st.builds(lambda task, one: CacheKey.of(task, one, BUILTIN_TASKS), tasks, ids)


@given(keys)
def test_a_key_reads_back(key: CacheKey) -> None:
    assert CacheKey.parse(str(key), BUILTIN_TASKS) == key
    assert len(str(key)) <= MAX_KEY_LENGTH


@given(st.text(max_size=40) | st.text("ctr_predion:video*v42", max_size=30))
def test_any_text_is_a_key_or_an_error_of_its_own(text: str) -> None:
    for parse in (CacheKey.parse, KeyPattern.parse):
        try:
            parse(text, BUILTIN_TASKS)
        except CacheKeyError as error:
            assert str(error)  # noqa: PT017 (either outcome is right)


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("v42", "", "task:entity:id"),
        ("ctr_prediction:video", "", "task:entity:id"),
        ("ctr_prediction:video:a:b", "", "task:entity:id"),
        ("ctr:video:v42", "task", "known are scene_detection"),
        ("ctr_prediction:campaign:v42", "entity", "belongs to a video"),
        ("ctr_prediction:video:", "id", "1 to 128"),
        ("ctr_prediction:video:v42\n", "id", "1 to 128"),
        ("ctr_prediction:video:" + "v" * 400, "", "at most"),
    ],
)
def test_a_wrong_key_is_told_which_part(text: str, field: str, said: str) -> None:
    with pytest.raises(CacheKeyError, match=said) as caught:
        CacheKey.parse(text, BUILTIN_TASKS)
    assert caught.value.field == field


@given(keys, keys)
def test_patterns_match_what_they_name(key: CacheKey, other: CacheKey) -> None:
    def matches(text: str, one: CacheKey) -> bool:
        return KeyPattern.parse(text, BUILTIN_TASKS).matches(one)

    assert matches("*", other)
    assert matches(f"{key.task}:*", other) == (other.task == key.task)
    assert matches(f"{key.task}:{key.entity}:*", other) == (other.task == key.task)
    whole_entity = (other.entity, other.entity_id) == (key.entity, key.entity_id)
    assert matches(f"*:{key.entity}:{key.entity_id}", other) == whole_entity
    assert matches(str(key), other) == (other == key)


@given(keys)
def test_exact_keys_are_those_that_match(key: CacheKey) -> None:
    pattern = KeyPattern.parse(f"*:{key.entity}:{key.entity_id}", BUILTIN_TASKS)
    found = pattern.exact_keys(BUILTIN_TASKS)
    assert found is not None
    assert key in found
    assert all(pattern.matches(one) for one in found)
    assert KeyPattern.parse(str(key), BUILTIN_TASKS).exact_keys(BUILTIN_TASKS) == [key]
    assert KeyPattern.parse(f"{key.task}:*", BUILTIN_TASKS).exact_keys(BUILTIN_TASKS) is None


@pytest.mark.parametrize(
    "text",
    ["", "**", "*:*", "*:*:*", "video:*", "*:film:v1", "*:video:a b", "ctr_prediction:campaign:*", "x" * 500],
)
def test_a_wrong_pattern_is_refused(text: str) -> None:
    with pytest.raises(CacheKeyError):
        KeyPattern.parse(text, BUILTIN_TASKS)


def test_only_the_bare_star_is_everything() -> None:
    assert KeyPattern.parse("*", BUILTIN_TASKS).is_everything
    assert not KeyPattern.parse("ctr_prediction:*", BUILTIN_TASKS).is_everything


@given(st.text(max_size=140))
def test_ids_hold_nothing_that_separates(text: str) -> None:
    allowed = 1 <= len(text) <= 128 and all(c.isascii() and (c.isalnum() or c in "._-") for c in text)
    assert is_id(text) == allowed


@pytest.mark.parametrize(
    "spec",
    [{"name": "a:b"}, {"entity": ""}, {"ttl_s": 0}, {"timeout_s": -1.0}],
    ids=lambda spec: next(iter(spec)),
)
def test_a_task_type_says_what_is_wrong_with_it(spec: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="task type"):
        TaskSpec(**{"name": "a", "entity": "video", "ttl_s": 1.0, **spec})  # type: ignore[arg-type]


def test_a_task_type_is_declared_once() -> None:
    spec = TaskSpec(name="a", entity="video", ttl_s=1.0)
    with pytest.raises(ConfigurationError, match="declared twice"):
        TaskCatalogue([spec, spec])


def test_every_built_in_task_has_its_ttl() -> None:
    assert set(CACHE_TTL) == set(PrecomputeTaskType)
    hours = {task.value: ttl / 3600 for task, ttl in CACHE_TTL.items()}
    assert hours["scene_detection"] == 24
    assert hours["ctr_prediction"] == hours["roas_prediction"] == 6
    assert hours["dashboard_data"] == 1
