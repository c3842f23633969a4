"""One running system for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.sample_clip import ClipTruth, make_clip
from tests.support.system import SystemUnderTest


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipTruth:
    """A short real video with known cuts."""
    return make_clip(tmp_path_factory.mktemp("media") / "clip.mp4", seconds=6)


@pytest.fixture(scope="session")
def system(
    kafka: str, valkey: str, clip: ClipTruth, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SystemUnderTest]:
    folder = tmp_path_factory.mktemp("e2e")
    roots = [Path(clip.path).parent]
    with SystemUnderTest(folder, kafka, valkey, media_roots=roots) as running:
        running.start("streams", "worker", "api")
        yield running
