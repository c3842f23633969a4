"""The predictor of the replay: trained on the log's first four fifths, as a nightly training would."""

from __future__ import annotations

import copy
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from predictor.archive import FILES, ModelError, ModelFacts, dump_blend, load_blend
from predictor.blend import Blend
from predictor.dataset import Record
from predictor.forest import ForestConfig
from predictor.replay import outcomes_of, replay_log
from predictor.training import TrainingConfig, name_outcomes, train_blend
from streams.local.state import cache_home

#: Of the whole log; the rest is what is replayed.
TRAINED, VALIDATED = 0.7, 0.1


def trained(records: Sequence[Record], share: float) -> dict[str, bytes]:
    """The model's files, of that last share of the log; kept in the cache folder: training takes a minute."""
    records = sorted(records, key=lambda record: record.at_ms)
    records = records[int(len(records) * (1 - share)) :]
    digest = hashlib.blake2b(repr(records).encode(), digest_size=8).hexdigest()
    folder = cache_home() / "bench" / f"impact-model-{digest}"
    try:
        files = {name: (folder / name).read_bytes() for name in FILES}
        load_blend(files)
    except (OSError, ModelError):
        files = _train(records, share)
        _keep(folder, files)
    return files


def for_replay(files: Mapping[str, bytes], origins: Mapping[str, str]) -> Blend:
    """A copy of its own, that knows each user of the replay as the log's user it was drawn from."""
    blend = load_blend(files)[0]
    windows = blend.state.windows
    for user, origin in origins.items():
        window = windows.get(origin)
        if window is not None:
            windows.put(user, copy.copy(window))
    return blend


def _train(records: Sequence[Record], share: float) -> dict[str, bytes]:
    sys.stdout.write("training the replay's predictor (once)\n")
    sys.stdout.flush()
    outcomes = outcomes_of(records)
    tested = int(len(outcomes) * (1 - TRAINED - VALIDATED) / share)
    validation = int(len(outcomes) * VALIDATED / share)
    train = len(outcomes) - tested - validation
    blend = train_blend(
        replay_log(records),
        name_outcomes(outcomes[: train + validation]),
        TrainingConfig(forest=ForestConfig(jobs=2)),
        train=train,
        validation=validation,
        version="replay",
    )
    facts = ModelFacts(
        created_at=records[-1].at_ms,
        source="a public activity log",
        synthetic=False,
        first_ms=records[0].at_ms,
        last_ms=records[-1].at_ms,
        positions=train + validation,
        measured_on="nothing",
    )
    return dump_blend(blend, facts)


def _keep(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
