"""What an operator is told about Redis's memory."""

from __future__ import annotations

import pytest

from streams.cache.memory import SAFE_POLICIES, CacheMemory


@pytest.mark.parametrize("policy", SAFE_POLICIES)
def test_a_safe_policy_is_worth_a_word_only_when_it_is_full(policy: str) -> None:
    assert CacheMemory(used=5, most=10, policy=policy).problem is None
    assert "full" in str(CacheMemory(used=10, most=10, policy=policy).problem)


@pytest.mark.parametrize(
    "policy",
    ["volatile-ttl", "volatile-lfu", "volatile-random", "allkeys-lru", "allkeys-lfu", "allkeys-random"],
)
def test_another_one_is_named_with_what_to_set_instead(policy: str) -> None:
    problem = CacheMemory(used=1, most=10, policy=policy).problem
    assert problem is not None
    assert policy in problem
    assert all(safe in problem for safe in SAFE_POLICIES)


def test_without_a_limit_nothing_is_ever_evicted() -> None:
    memory = CacheMemory(used=10, most=0, policy="allkeys-lru")
    assert memory.problem is None
    assert str(memory) == "10 bytes, no limit"
