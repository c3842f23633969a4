"""What answers say of themselves is true: the model's metrics, the extras, the one decode."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest

from handlers.config import HandlerConfig
from handlers.context import MediaPolicy
from handlers.headlines import load_model
from handlers.inputs import VideoInput
from handlers.local_run import local_context
from handlers.registry import load_handlers
from handlers.schemas import input_schema, result_schemas
from handlers.video import scratch

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference" / "handlers.md"


@pytest.fixture(scope="module")
def trainer():
    spec = importlib.util.spec_from_file_location("train_headlines", ROOT / "tools" / "train_headlines.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_shipped_model_has_the_metrics_it_states(trainer, shared_dir: Path) -> None:
    """Scored by the code that serves, on the weeks after those it was trained on."""
    model = load_model()
    packages = trainer.read_packages(shared_dir / "data" / "upworthy_clean.parquet")
    first_week = int(model.card.metrics["test_from_week"])
    pairs = trainer.make_pairs(packages, range(first_week, 10**6), same_image=True)
    scores = np.zeros(len(packages))
    for index in {*pairs.first.tolist(), *pairs.second.tolist()}:
        scores[index] = model.score(packages[index].headline)
    measured = trainer.measure(scores, pairs)
    for name in ("auc_same_image", "auc_distinguishable"):
        assert measured[name] == pytest.approx(model.card.metrics[name], abs=0.002)
    assert measured["auc_same_image"] >= 0.63
    assert measured["auc_distinguishable"] >= 0.74


@pytest.mark.parametrize(
    ("task", "absent", "extra"),
    [
        ("scene_detection", "scenedetect", "video"),
        ("face_detection", "cv2", "video"),
        ("thumbnail_generation", "PIL", "video"),
        ("caption_generation", "faster_whisper", "video,captions"),
    ],
)
def test_a_missing_extra_is_named(
    task: str, absent: str, extra: str, short_clip: Path, tmp_path: Path
) -> None:
    code = f"""
import sys
sys.modules[{absent!r}] = None
from handlers import MediaPolicy, NotAvailable
from handlers.execution import run_handler
from handlers.local_run import local_context
from handlers.registry import load_handlers
media = MediaPolicy(roots=({str(short_clip.parent)!r},), scratch_dir={str(tmp_path)!r})
try:
    run_handler(load_handlers()[{task!r}], b'{{"uri": "clip.mp4"}}', local_context("v1", media=media))
except NotAvailable as exc:
    sys.stdout.write(str(exc))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert f"pip install 'precompute[{extra}]'" in done.stdout


def test_two_tasks_at_once_decode_once(short_clip: Path, tmp_path: Path, monkeypatch) -> None:
    taken: list[Path] = []
    decode = scratch.take_survey
    both = threading.Barrier(2)

    def count(path: Path, policy: MediaPolicy):
        taken.append(path)
        return decode(path, policy)

    monkeypatch.setattr(scratch, "take_survey", count)
    media = MediaPolicy(roots=(str(short_clip.parent),), scratch_dir=str(tmp_path))
    found = []

    def survey() -> None:
        both.wait(10)
        found.append(scratch.survey_of(VideoInput(uri="clip.mp4"), local_context("v1", media=media)))

    threads = [threading.Thread(target=survey) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(taken) == 1
    assert found[0] == found[1]


def test_every_task_has_schemas() -> None:
    registry = load_handlers()
    assert set(result_schemas(registry)) == set(registry)
    assert input_schema(registry["scene_detection"])["title"] == "scene_detection input"
    assert b"$ref" in msgspec.json.encode(result_schemas(registry))


def test_the_reference_names_every_task_and_setting() -> None:
    text = REFERENCE.read_text()
    media = [name for name in MediaPolicy.__struct_fields__ if name not in ("roots", "hosts")]
    for name in [f"MEDIA_{name.upper()}" for name in media]:
        assert f"`PRECOMPUTE_{name}`" in text, name
    foreign = ("openai_api_key", "anthropic_api_key", "aws_access_key_id", "aws_secret_access_key")
    for name in HandlerConfig.__struct_fields__:
        variable = name.upper() if name in foreign else f"PRECOMPUTE_{name.upper()}"
        assert f"`{variable}`" in text, variable
    for task in load_handlers():
        assert f"`{task}`" in text, task
