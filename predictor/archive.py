"""A blend as three files and back: parameters as JSON, the forest as ONNX, counts as msgpack.

Nothing here executes what it reads. Every file is checked against the hash in `meta.json`, every size
against the others, before a model is put together.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from predictor.blend import Blend, BlendParts
from predictor.experts import EXPERTS, GLOBAL_EXPERTS, ContextBank
from predictor.features import SCHEMA, FeatureState
from predictor.forest import Forest
from predictor.history import END, OTHER
from predictor.mixture import Pool
from predictor.vocabulary import MAX_NAMES, NOTHING_ID
from streams.contracts.errors import ContractError

META, FOREST, STATE = "meta.json", "model.onnx", "ngram.msgpack"
FILES = (META, FOREST, STATE)

#: Goes up when the files' layout changes.
FORMAT = 1
#: A model is at most this large on disk; users' windows are left out, oldest first, to keep to it.
MAX_MODEL_BYTES = 20 * 1024 * 1024
#: Users' windows take at most this much of it before compression.
_MAX_WINDOW_BYTES = 4 * 1024 * 1024
#: Counts of 20,000 contexts of 250 outcomes for each expert; more is no model of ours.
_MAX_COUNT_BYTES = len(GLOBAL_EXPERTS) * 20_001 * MAX_NAMES * 4


class ModelError(ContractError):
    """A model that cannot be used: broken, foreign, or of another version. The one in use stays."""


class PoolRecord(msgspec.Struct, frozen=True):
    """`Pool` as lists."""

    weights: list[float]
    bias: list[float]


class ModelMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a version. Times are milliseconds since the Unix epoch.

    `synthetic`: it has learned from an invented population only. `metrics` were measured on the
    validation slice, or on what `measured_on` says.
    """

    format: int
    schema: int
    version: str
    created_at: int
    source: str
    synthetic: bool
    first_ms: int
    last_ms: int
    positions: int
    names: list[str]
    spare: int
    experts: PoolRecord
    final: PoolRecord
    hashes: dict[str, str]
    measured_on: str = ""
    metrics: dict[str, float] = {}


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller of `dump_blend` knows of a model."""

    created_at: int
    source: str
    synthetic: bool
    first_ms: int
    last_ms: int
    positions: int
    measured_on: str = ""
    metrics: dict[str, float] = {}


class _State(msgspec.Struct, frozen=True, kw_only=True):
    names: list[str]
    rows: list[dict[int, int]]
    used: int
    counts: bytes
    outcomes: bytes
    windows: dict[str, bytes]


def dump_blend(blend: Blend, facts: ModelFacts) -> dict[str, bytes]:
    """The files of a version, which is named after its time and content."""
    files = {FOREST: blend.parts.forest.onnx, STATE: _dump_state(blend.state)}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    names = blend.state.vocabulary.names[: blend.state.trained]
    meta = ModelMeta(
        format=FORMAT,
        schema=SCHEMA,
        version=f"v{facts.created_at // 1000}-{_digest(hashes)}",
        names=names,
        spare=blend.state.width - blend.state.trained,
        experts=_record(blend.parts.experts),
        final=_record(blend.parts.final),
        hashes=hashes,
        **msgspec.structs.asdict(facts),
    )
    return {META: msgspec.json.format(msgspec.json.encode(meta)) + b"\n", **files}


def load_meta(data: bytes) -> ModelMeta:
    """Reads `meta.json`; raises `ModelError` where it is not one this version can use."""
    try:
        meta = msgspec.json.decode(data, type=ModelMeta)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ModelError(f"{META} is not a model's description ({exc}); train the model again") from exc
    if (meta.format, meta.schema) != (FORMAT, SCHEMA):
        raise ModelError(
            f"model {meta.version} has format {meta.format} and feature schema {meta.schema}, this version "
            f"reads {FORMAT} and {SCHEMA}; train the model again"
        )
    trained = len(meta.names)
    pools = ((meta.experts, len(EXPERTS)), (meta.final, len(EXPERTS) + 1))
    sound = (
        meta.names[:2] == [END, OTHER]
        and len(set(meta.names)) == trained
        and 0 <= meta.spare <= MAX_NAMES - trained
        and all(_is_sound(pool, opinions, trained) for pool, opinions in pools)
    )
    if not sound:
        raise ModelError(f"{META} of model {meta.version} contradicts itself; train the model again")
    return meta


def load_blend(files: Mapping[str, bytes]) -> tuple[Blend, ModelMeta]:
    """Puts a model together from its files; raises `ModelError` on anything that does not fit."""
    if missing := [name for name in FILES if name not in files]:
        raise ModelError(f"the model lacks {', '.join(missing)}; copy the whole folder or train it again")
    meta = load_meta(files[META])
    for name in (FOREST, STATE):
        if hashlib.sha256(files[name]).hexdigest() != meta.hashes.get(name):
            raise ModelError(
                f"{name} of model {meta.version} is not the file that was trained (its hash differs); "
                "copy it again or train the model again"
            )
    state = _load_state(files[STATE], meta)
    try:
        forest = Forest(files[FOREST])
    except ContractError as exc:
        raise ModelError(f"model {meta.version}: {exc}") from exc
    if len(forest.classes) == 0 or forest.classes.min() < 0 or forest.classes.max() >= state.trained:
        raise ModelError(f"the forest of model {meta.version} has classes that the model does not name")
    parts = BlendParts(_pool(meta.experts), forest, _pool(meta.final))
    return Blend(state, parts, version=meta.version), meta


def _dump_state(state: FeatureState) -> bytes:
    bank = state.bank
    windows: dict[str, bytes] = {}
    room = _MAX_WINDOW_BYTES
    for user, window in reversed(list(state.windows.items())):
        room -= len(window)
        if room < 0:
            break
        windows[user] = bytes(window)
    return msgspec.msgpack.encode(
        _State(
            names=state.vocabulary.names,
            rows=bank.rows,
            used=bank.used,
            counts=zlib.compress(bank.counts[: bank.used].astype("<f4").tobytes(), 6),
            outcomes=bank.outcomes.astype("<f4").tobytes(),
            windows=dict(reversed(windows.items())),
        )
    )


def _load_state(data: bytes, meta: ModelMeta) -> FeatureState:
    refusal = f"{STATE} of model {meta.version} does not fit the model; train it again"
    try:
        stored = msgspec.msgpack.decode(data, type=_State)
        unpacker = zlib.decompressobj()
        counts = np.frombuffer(unpacker.decompress(stored.counts, _MAX_COUNT_BYTES), "<f4")
        outcomes = np.frombuffer(stored.outcomes, "<f4").astype(np.float32)
    except (msgspec.DecodeError, UnicodeDecodeError, zlib.error, ValueError) as exc:
        raise ModelError(f"{refusal} ({exc})") from exc
    state = FeatureState(meta.names, spare=meta.spare)
    for name in stored.names[state.trained :]:
        state.vocabulary.learn(name)
    if (
        state.vocabulary.names != stored.names
        or len(stored.rows) != len(GLOBAL_EXPERTS)
        or stored.used < 1
        or counts.size != stored.used * state.width
        or outcomes.size != state.width
        or not (_are_counts(counts) and _are_counts(outcomes))
        or any(not 0 < row < stored.used for rows in stored.rows for row in rows.values())
        or any(state.width <= seen < NOTHING_ID for window in stored.windows.values() for seen in set(window))
    ):
        raise ModelError(refusal)
    # `astype` copies: what was read is not to be written to.
    rows = counts.astype(np.float32).reshape(stored.used, state.width)
    state.bank = ContextBank.restore(stored.rows, rows, outcomes)
    for user, window in stored.windows.items():
        state.windows.put(user, window)
    return state


def _are_counts(values: Any) -> bool:
    return bool(np.isfinite(values).all() and (values >= 0).all())


def _is_sound(pool: PoolRecord, opinions: int, outcomes: int) -> bool:
    return len(pool.weights) == opinions and len(pool.bias) == outcomes and _pool(pool).is_bounded()


def _record(pool: Pool) -> PoolRecord:
    return PoolRecord(pool.weights.tolist(), pool.bias.tolist())


def _pool(record: PoolRecord) -> Pool:
    return Pool(np.array(record.weights, np.float32), np.array(record.bias, np.float32))


def _digest(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(sorted(hashes.values())).encode()).hexdigest()[:8]
