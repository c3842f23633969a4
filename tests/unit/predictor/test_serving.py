"""The model in use: shipped, exchanged while it serves, never replaced by a broken one."""

from __future__ import annotations

import logging

import pytest
from sample_logs import history_of, model_files

from predictor.archive import FOREST, load_blend
from predictor.blend import Blend
from predictor.bundled import load_bundled
from predictor.history import Action, History
from predictor.ngram import Ngram
from predictor.registry import Registry
from predictor.serving import ServingModel


def test_a_fresh_installation_predicts_sensibly_and_says_what_it_knows():
    model, meta = load_bundled()
    assert meta.synthetic
    assert model.predict(History("new"), 0).top[0] == "view_dashboard"
    assert model.predict(history_of("upload_video"), 1_000_000).top[0] == "view_video_analysis"
    assert len(model.state.windows) == 0


def test_without_a_store_the_shipped_model_serves():
    serving = ServingModel(None)
    assert isinstance(serving.model, Blend)
    assert serving.prepare() is None


def _promote(folder) -> str:
    registry = Registry(folder)
    version = registry.add(model_files()).version
    registry.promote(version, reason="a test")
    return version


def test_a_promoted_version_takes_over_with_its_users(tmp_path):
    serving = ServingModel(tmp_path)
    history = history_of("view_dashboard", user="odd")
    for _ in range(40):
        serving.observe(history, Action("export_report", 1_001_000))
        serving.observe(history, Action("view_dashboard", 1_002_000))
    version = _promote(tmp_path)
    ready = serving.prepare()
    assert ready is not None
    assert serving.version != version
    before = ready.predict(history, 1_000_000).probability_of("export_report")
    assert serving.swap(ready) == version == serving.version
    assert serving.predict(history, 1_000_000).probability_of("export_report") > before + 0.05
    assert serving.prepare() is None


def test_a_broken_version_is_refused_once_and_the_old_one_stays(tmp_path, caplog):
    serving = ServingModel(tmp_path)
    before = serving.version
    version = _promote(tmp_path)
    (tmp_path / "versions" / version / FOREST).write_bytes(b"not a forest")
    with caplog.at_level(logging.WARNING):
        assert serving.prepare() is None
        assert serving.prepare() is None
    assert serving.version == before
    assert len(caplog.records) == 1
    assert version in caplog.text


def test_without_the_extra_the_ngram_serves(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "predictor.bundled", None)
    serving = ServingModel(None)
    assert isinstance(serving.model, Ngram)
    history = history_of("view_dashboard", user="u")
    serving.observe(history, Action("view_roas", 1_001_000))
    assert serving.predict_many([history], 1_000_000)[0].version == "ngram"
    blend = load_blend(model_files())[0]
    serving.swap(blend)
    assert blend.state.windows.get("u") is not None


@pytest.mark.parametrize("name", ["predict", "predict_many", "observe", "version"])
def test_it_is_a_model(name):
    assert hasattr(ServingModel(None), name)
