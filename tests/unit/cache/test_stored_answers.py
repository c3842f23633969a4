from __future__ import annotations

import msgspec
import pytest
import zstandard
from cache_samples import fresh_key, job, stored
from hypothesis import given
from hypothesis import strategies as st

from streams.cache.codec import (
    COMPRESS_ABOVE,
    HEADER_BYTES,
    decode_stored,
    encode_stored,
    time_digits,
)
from streams.contracts.errors import ContractError
from streams.contracts.results import StoredResult

results = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: value is not None)
times = st.integers(0, 10**14 - 1)


def answer(result: object, *, version: int = 1, started_at: int = 5, expires_at: int = 9) -> StoredResult:
    return stored(job(fresh_key(), version), started_at=started_at, expires_at=expires_at, result=result)


@given(results, st.integers(0, 2**63 - 1), times, times)
def test_an_answer_survives_redis(result: object, version: int, started_at: int, expires_at: int) -> None:
    one = answer(result, version=version, started_at=started_at, expires_at=expires_at)
    data = encode_stored(one)
    assert decode_stored(data) == one
    head = data[:HEADER_BYTES].decode("ascii")
    assert (int(head[2:21]), int(head[21:35]), int(head[35:49])) == (version, started_at, expires_at)
    assert head[49:].rstrip() == one.job_id


def test_large_answers_are_packed_and_small_ones_are_not() -> None:
    small, large = answer("x"), answer("x" * 20 * COMPRESS_ABOVE)
    assert encode_stored(small)[1:2] == b"p"
    assert encode_stored(large)[1:2] == b"z"
    assert len(encode_stored(large)) < COMPRESS_ABOVE


@given(
    st.binary(max_size=300) | st.binary(max_size=80).map(lambda tail: encode_stored(answer("x"))[:73] + tail)
)
def test_foreign_bytes_are_refused_and_never_a_crash(data: bytes) -> None:
    with pytest.raises(ContractError):
        decode_stored(data)


@pytest.mark.parametrize("encoding", [b"p", b"z"])
def test_a_body_nested_without_end_is_refused(encoding: bytes) -> None:
    head = encode_stored(answer("x"))[:HEADER_BYTES]
    body = b'{"result":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    packed = zstandard.compress(body) if encoding == b"z" else body
    with pytest.raises(ContractError):
        decode_stored(head[:1] + encoding + head[2:] + packed)


def test_a_body_that_unpacks_to_more_than_anybody_reads_is_refused() -> None:
    head = encode_stored(answer("x"))[:HEADER_BYTES]
    bomb = zstandard.compress(bytes(65 * 1024 * 1024))
    with pytest.raises(ContractError):
        decode_stored(head[:1] + b"z" + head[2:] + bomb)


@given(times, times)
def test_digits_compare_as_their_numbers(one: int, other: int) -> None:
    assert (time_digits(one) < time_digits(other)) == (one < other)


@pytest.mark.parametrize("number", [-1, 10**14])
def test_a_number_that_does_not_fit_is_an_error(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        time_digits(number)


def test_an_answer_has_a_result_or_a_reason() -> None:
    one = job(fresh_key())
    refused = stored(one, started_at=1, expires_at=2, reason="rejected")
    assert decode_stored(encode_stored(refused)) == refused
    assert not refused.is_available
    with pytest.raises(ValueError, match="never both or neither"):
        stored(one, started_at=1, expires_at=2, result=None)
    with pytest.raises(ValueError, match="never both or neither"):
        msgspec.structs.replace(refused, result=msgspec.Raw(b"1"))
