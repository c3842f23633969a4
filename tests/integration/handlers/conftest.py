from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handlers import Context, MediaPolicy
from handlers.execution import run_handler
from handlers.local_run import local_context
from handlers.registry import load_handlers
from handlers.sample_clip import make_clip

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def samples(shared_dir: Path) -> Path:
    """Real media with known truth."""
    return shared_dir / "samples"


@pytest.fixture(scope="session")
def truth(samples: Path) -> dict[str, Any]:
    return json.loads((samples / "composite_ad.truth.json").read_text())


@pytest.fixture(scope="session")
def session_scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One scratch folder: what a test has decoded another does not decode again."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of video with five scenes; tests copy it."""
    return Path(make_clip(tmp_path_factory.mktemp("short") / "clip.mp4", seconds=6).path)


@pytest.fixture
def context(samples: Path, session_scratch: Path, tmp_path: Path) -> Context:
    media = MediaPolicy(roots=(str(samples),), scratch_dir=str(session_scratch))
    return local_context("v1", media=media, artifact_dir=str(tmp_path / "artifacts"))


@pytest.fixture
def run(context: Context) -> Run:
    """Runs a cpu handler on a sample: `run(task, "composite_ad.mp4")`."""
    registry = load_handlers()

    def run_task(task: str, uri: str, **changes: Any) -> dict[str, Any]:
        payload = msgspec.json.encode({"uri": uri})
        changed = msgspec.structs.replace(context, **changes)
        return msgspec.json.decode(run_handler(registry[task], payload, changed))

    return run_task
