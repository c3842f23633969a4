"""The client's parts that need no server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.cache.backplane import BackplaneMessage
from streams.cache.fetching import Floors
from streams.client import FakePrecompute, Precompute, PrecomputeSync
from streams.client.asking import Asker
from streams.client.breaker import CircuitBreaker
from streams.client.config import ClientConfig
from streams.client.early import is_due
from streams.client.gateway import ApiGateway, Asked, DemandError
from streams.client.memory import Memory
from streams.client.metrics import ClientMetrics
from streams.client.reading import check_key, to_result
from streams.client.result import Result, ResultState
from streams.contracts.clock import SYSTEM_CLOCK, ManualClock
from streams.contracts.errors import CacheKeyError, ConfigurationError, ContractError, UnavailableError
from tests.support.answers import stored_answer

KEY = "ctr_prediction:video:v1"
PLACE = (KEY, None)


def result(clock: ManualClock, ttl_s: float = 60.0) -> Result[int]:
    now = clock.now()
    return Result(
        key=KEY, state=ResultState.FRESH, value=1, computed_at=now, expires_at=now + ttl_s, clock=clock
    )


def test_importing_the_client_loads_nothing_but_its_three_libraries() -> None:
    code = (
        "import sys, streams.client; "
        "heavy = {'structlog', 'pydantic', 'fastapi', 'orjson', 'confluent_kafka', 'httpx'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


class TestMemory:
    def test_serves_within_its_time_and_not_after(self) -> None:
        clock = ManualClock()
        memory = Memory(1.0, 10, clock)
        memory.is_heard = True
        memory.put(PLACE, result(clock))
        assert memory.fresh[PLACE][1] == pytest.approx(clock.monotonic() + 1.0)

    def test_an_answer_that_expires_sooner_ends_sooner(self) -> None:
        clock = ManualClock()
        memory = Memory(10.0, 10, clock)
        memory.is_heard = True
        memory.put(PLACE, result(clock, ttl_s=0.5))
        assert memory.fresh[PLACE][1] == pytest.approx(clock.monotonic() + 0.5)

    def test_keeps_nothing_fresh_while_the_backplane_is_silent(self) -> None:
        clock = ManualClock()
        memory = Memory(1.0, 10, clock)
        memory.put(PLACE, result(clock))
        assert not memory.fresh
        assert memory.copy(PLACE, 60.0) is not None

    def test_a_copy_that_is_too_old_is_none(self) -> None:
        clock = ManualClock()
        memory = Memory(1.0, 10, clock)
        memory.put(PLACE, result(clock))
        clock.advance(61)
        assert memory.copy(PLACE, 60.0) is None

    def test_forgets_the_oldest_at_its_bound(self) -> None:
        clock = ManualClock()
        memory = Memory(1.0, 2, clock)
        memory.is_heard = True
        for number in range(3):
            memory.put((f"ctr_prediction:video:v{number}", None), result(clock))
        assert [place[0][-2:] for place in memory.fresh] == ["v1", "v2"]

    @pytest.mark.parametrize(
        ("message", "goes"),
        [
            (BackplaneMessage("ctr_prediction", "*", "*", 0), True),
            (BackplaneMessage("*", "video", "v1", 0), True),
            (BackplaneMessage("*", "*", "*", 0), True),
            (BackplaneMessage("*", "video", "v2", 0), False),
            (BackplaneMessage("hook_analysis", "*", "*", 0), False),
        ],
    )
    def test_an_invalidation_takes_what_it_means(self, message: BackplaneMessage, goes: bool) -> None:
        assert message.matches(KEY) is goes

    def test_what_it_cannot_read_empties_it(self) -> None:
        clock = ManualClock()
        memory = Memory(1.0, 2, clock)
        memory.is_heard = True
        memory.put(PLACE, result(clock))
        memory.hear(b"\xff not ours")
        assert not memory.fresh


class TestBreaker:
    def test_opens_after_failures_in_a_row_and_lets_one_call_try(self) -> None:
        clock = ManualClock()
        breaker = CircuitBreaker(2, 1.0, clock)
        breaker.fail()
        breaker.enter()
        breaker.fail()
        with pytest.raises(UnavailableError):
            breaker.enter()
        clock.advance(1.0)
        breaker.enter()
        with pytest.raises(UnavailableError):
            breaker.enter()

    def test_a_success_closes_it(self) -> None:
        clock = ManualClock()
        breaker = CircuitBreaker(1, 1.0, clock)
        breaker.fail()
        clock.advance(1.0)
        breaker.enter()
        breaker.succeed()
        breaker.enter()
        assert not breaker.is_open
        assert breaker.times_opened == 1


class TestEarlyRefresh:
    def test_never_with_beta_zero(self) -> None:
        assert not is_due(stored_answer(KEY, 1, compute_ms=1e9), 0, beta=0.0, draw=1e-9)

    def test_always_once_it_expired(self) -> None:
        stored = stored_answer(KEY, 1)
        assert is_due(stored, stored.expires_at, beta=1.0, draw=0.99)

    @given(draw=st.floats(1e-9, 0.999), left=st.integers(1, 10_000))
    def test_is_the_likelier_the_longer_it_takes(self, draw: float, left: int) -> None:
        quick = stored_answer(KEY, 1, compute_ms=1.0)
        slow = stored_answer(KEY, 1, compute_ms=1000.0)
        now = min(quick.expires_at, slow.expires_at) - left
        assert is_due(slow, now, beta=1.0, draw=draw) >= is_due(quick, now, beta=1.0, draw=draw)


class TestResults:
    def test_older_than_wanted_is_stale(self) -> None:
        clock = ManualClock(start=time.time())
        stored = stored_answer(KEY, {"ctr": 0.1}, age_s=30)
        assert (
            to_result(KEY, stored, None, max_age=10, now=clock.now(), clock=clock).state is ResultState.STALE
        )
        assert (
            to_result(KEY, stored, None, max_age=60, now=clock.now(), clock=clock).state is ResultState.FRESH
        )

    def test_another_type_than_the_answers_is_an_error_that_names_the_key(self) -> None:
        with pytest.raises(ContractError, match=KEY):
            to_result(KEY, stored_answer(KEY, "text"), int, max_age=None, now=0.0, clock=ManualClock())

    @pytest.mark.parametrize("key", ["", "a:b", "a:b:c:d", "a:b:c\n", "a:b:é", "a:b:*", "a:b:" + "x" * 129])
    def test_a_key_of_the_wrong_shape_is_refused(self, key: str) -> None:
        with pytest.raises(CacheKeyError):
            check_key(key)


class TestFloors:
    @given(floor=st.integers(1, 10**13), every=st.integers(1, 10**13), started=st.integers(0, 10**13))
    def test_what_began_at_or_before_the_floor_is_gone(self, floor: int, every: int, started: int) -> None:
        data = b"1p" + b"0" * 19 + f"{started:014d}".encode() + b"rest"
        text = f"ctr_prediction={floor}\n*={every}".encode()
        found = Floors().apply([KEY], [text, data])
        assert (found == [data]) is (started > max(floor, every))


class ScriptedGateway(ApiGateway):
    def __init__(self, answers: Sequence[Asked] | Exception) -> None:
        super().__init__("http://127.0.0.1:1", None)
        self.calls: list[list[str]] = []
        self._answers = answers

    async def ask(self, keys: Sequence[str], **_: bool) -> list[Asked]:
        self.calls.append(list(keys))
        if isinstance(self._answers, Exception):
            raise self._answers
        return list(self._answers)


class TestAsking:
    async def test_many_readers_of_a_key_ask_once(self) -> None:
        gateway = ScriptedGateway([Asked(KEY, "job")])
        asker = Asker(gateway, ClientMetrics(), ManualClock())
        for _ in range(3):
            assert await asker.ask([KEY], refresh=False, urgent=True) == [Asked(KEY, "job")]
        assert gateway.calls == [[KEY]]
        await asker.close()

    async def test_a_failure_is_a_reason_and_the_next_reader_asks_again(self) -> None:
        gateway = ScriptedGateway(UnavailableError("away"))
        asker = Asker(gateway, ClientMetrics(), ManualClock())
        assert await asker.ask([KEY], refresh=False, urgent=True) == [Asked(KEY, None, "api_away")]
        await asker.ask([KEY], refresh=False, urgent=True)
        assert len(gateway.calls) == 2
        await asker.close()

    async def test_a_refusal_is_told_apart(self) -> None:
        asker = Asker(ScriptedGateway(DemandError("no")), ClientMetrics(), ManualClock())
        assert (await asker.ask([KEY], refresh=False, urgent=True))[0].reason == "refused"
        await asker.close()

    async def test_without_an_api_nothing_is_asked(self) -> None:
        asker = Asker(None, ClientMetrics(), ManualClock())
        assert (await asker.ask([KEY], refresh=False, urgent=True))[0].reason == "no_api_url"


@pytest.mark.parametrize(
    "fields",
    [{"memory_ttl_s": -1}, {"hard_timeout_s": 0}, {"soft_timeout_s": -0.1}, {"memory_entries": 0}],
)
def test_a_wrong_configuration_names_its_field(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(fields))):
        ClientConfig(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["http://x", "redis+sentinel://127.0.0.1:1", "redis+cluster://", "redis://127.0.0.1:no"]
)
def test_a_wrong_address_is_refused_before_anything_connects(url: str) -> None:
    with pytest.raises(ConfigurationError, match="redis_url"):
        Precompute(redis_url=url)


async def test_a_wish_that_there_is_not_is_refused_whether_memory_has_the_answer_or_not() -> None:
    client, fake = Precompute(memory_ttl_s=60), FakePrecompute()
    known = stored_answer(KEY, 1)
    result = to_result(KEY, known, None, max_age=None, now=known.computed_at / 1000, clock=SYSTEM_CLOCK)
    fake.put(KEY, 1)
    for _ in range(2):
        with pytest.raises(TypeError, match="max_agee"):
            await client.get(KEY, max_agee=1)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="max_agee"):
            await fake.get(KEY, max_agee=1)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="max_agee"):
            await client.get_many([KEY], max_agee=1)  # type: ignore[call-arg]
        client._memory.is_heard = True
        client._memory.put((KEY, None), result)
    assert await client.get(KEY, max_age=60) is result


@pytest.mark.parametrize("has_it", [False, True])
def test_the_twin_refuses_it_too(has_it: bool) -> None:
    known = stored_answer(KEY, 1)
    result = to_result(KEY, known, None, max_age=None, now=known.computed_at / 1000, clock=SYSTEM_CLOCK)
    with PrecomputeSync(memory_ttl_s=60) as client:
        if has_it:
            client._client._memory.is_heard = True
            client._client._memory.put((KEY, None), result)
            assert client.get(KEY, max_age=60) is result
        with pytest.raises(TypeError, match="max_agee"):
            client.get(KEY, max_agee=1)  # type: ignore[call-overload]
