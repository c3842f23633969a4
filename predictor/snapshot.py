"""An n-gram as bytes and back: msgpack, because a pickle runs code when it is loaded."""

from __future__ import annotations

import math

import msgspec

from predictor.ngram import Counts, Ngram, NgramConfig
from predictor.vocabulary import LOGIN_ID
from streams.contracts.errors import ContractError

#: Goes up when the meaning of a field changes; a snapshot of another format is refused.
FORMAT = 1


class NgramSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """`contexts[k]` maps a packed context of length k to its outcomes' counts, by the ids of `names`."""

    format: int
    config: NgramConfig
    names: list[str]
    contexts: list[dict[int, dict[int, float]]]
    windows: dict[str, bytes]
    observed: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(NgramSnapshot)


def dump_ngram(ngram: Ngram, *, with_users: bool = True) -> bytes:
    """The whole state; without users it tells nothing of any single person."""
    snapshot = NgramSnapshot(
        format=FORMAT,
        config=ngram.config,
        names=ngram.vocabulary.names,
        contexts=[{key: counts.following for key, counts in level.items()} for level in ngram.contexts],
        windows={user: bytes(window) for user, window in ngram.windows.items()} if with_users else {},
        observed=ngram.observed,
    )
    return _encoder.encode(snapshot)


def load_ngram(data: bytes) -> Ngram:
    """Reads what `dump_ngram` wrote; raises `ContractError` on anything else."""
    try:
        snapshot = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ContractError(f"this is not an n-gram snapshot ({exc}); train the model again") from exc
    if snapshot.format != FORMAT:
        raise ContractError(
            f"the n-gram snapshot has format {snapshot.format}, this version reads {FORMAT}; train it again"
        )
    ngram = Ngram(snapshot.config)
    for name in snapshot.names[len(ngram.vocabulary) :]:
        ngram.vocabulary.learn(name)
    if ngram.vocabulary.names != snapshot.names or len(snapshot.contexts) != len(ngram.contexts):
        raise ContractError("the n-gram snapshot contradicts itself: names or contexts; train it again")
    size = len(snapshot.names)
    ngram.contexts = [
        {key: _counts(following, size) for key, following in level.items()} for level in snapshot.contexts
    ]
    ngram.contexts[0].setdefault(0, Counts())
    for user, window in snapshot.windows.items():
        if any(seen >= size and seen != LOGIN_ID for seen in window):
            raise ContractError("a user's window in the n-gram snapshot has an unknown id; train it again")
        ngram.windows.put(user, window)
    ngram.observed = snapshot.observed
    return ngram


def _counts(following: dict[int, float], size: int) -> Counts:
    counts = Counts()
    for outcome, count in following.items():
        if not 0 <= outcome < size or not (math.isfinite(count) and count >= 0):
            raise ContractError("a count in the n-gram snapshot is impossible; train it again")
        counts.add(outcome, count)
    return counts
