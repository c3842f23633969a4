"""Versions: stored, verified, promoted, taken back; and what asks for a new one."""

from __future__ import annotations

import json
import random

import pytest
from sample_logs import QUICK, history_of, model_files, small_log, trained_blend
from typer.testing import CliRunner

from predictor.archive import FOREST, META, STATE, ModelError, dump_blend, load_blend
from predictor.commands import build_app
from predictor.dataset import Record
from predictor.drift import Adwin
from predictor.facade import ActionPredictor
from predictor.features import FeatureState
from predictor.history import Action, History
from predictor.lifecycle import TrainingSource, compare_on, train_version
from predictor.lift import Group, hit_rate_lift, mean_lift, sample_ratio_p
from predictor.model import Prediction
from predictor.registry import Registry
from predictor.scoring import LiveScorer, score
from predictor.shadow import Shadow, ShadowConfig, Verdict
from streams.contracts.clock import ManualClock
from streams.contracts.errors import ConfigurationError, ContractError


def test_a_stored_blend_predicts_the_same():
    blend, meta = load_blend(model_files())
    again, _ = load_blend(dump_blend(blend, _facts(meta)))
    history = history_of("view_dashboard", "view_campaign_analytics")
    assert again.predict(history, 1_005_000).probabilities == blend.predict(history, 1_005_000).probabilities


def _facts(meta, **changes):
    from predictor.archive import ModelFacts  # noqa: PLC0415 - only here

    values = {name: getattr(meta, name) for name in ModelFacts.__struct_fields__}
    return ModelFacts(**(values | changes))


def _two_versions(tmp_path):
    registry = Registry(tmp_path, clock=ManualClock())
    blend, meta = load_blend(model_files())
    first = registry.add(model_files())
    second = registry.add(dump_blend(blend, _facts(meta, created_at=meta.created_at + 1_000)))
    return registry, first.version, second.version


def test_promotion_and_rollback_are_audited(tmp_path):
    registry, first, second = _two_versions(tmp_path)
    assert registry.current() is None
    assert [meta.version for meta in registry.versions()] == [first, second]
    registry.promote(first, reason="the first")
    registry.promote(second, reason="better", forced=True)
    assert registry.rollback(reason="worse after all").version == first
    audit = registry.audit()
    assert [(e.action, e.version, e.forced) for e in audit] == [
        ("promote", first, False),
        ("promote", second, True),
        ("rollback", first, True),
    ]
    assert audit[-1].reason == "worse after all"
    blend, _ = registry.load(first)
    assert blend.version == first


def test_nothing_to_roll_back_to_is_said(tmp_path):
    with pytest.raises(ModelError, match="promote one by name"):
        Registry(tmp_path).rollback(reason="x")


@pytest.mark.parametrize("name", [META, FOREST, STATE])
def test_a_changed_file_is_refused_and_the_old_version_stays(tmp_path, name):
    registry, first, second = _two_versions(tmp_path)
    registry.promote(first, reason="the first")
    path = tmp_path / "versions" / second / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelError):
        registry.promote(second, reason="broken")
    assert registry.current().version == first


def test_a_missing_file_is_refused(tmp_path):
    registry, first, _ = _two_versions(tmp_path)
    (tmp_path / "versions" / first / FOREST).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        registry.load(first)


@pytest.mark.parametrize("version", ["../../etc", "v1/..", "", "latest"])
def test_a_version_is_a_name_and_not_a_path(tmp_path, version):
    with pytest.raises(ModelError):
        Registry(tmp_path).load(version)


def _forged(**changes) -> dict[str, bytes]:
    files = dict(model_files())
    meta = json.loads(files[META])
    meta.update(changes)
    return files | {META: json.dumps(meta).encode()}


@pytest.mark.parametrize(
    "files",
    [
        _forged(format=99),
        _forged(schema=99),
        _forged(names=["END", "OTHER"]),
        _forged(names=["a", "b"]),
        _forged(spare=10_000),
        _forged(experts={"weights": [1.0], "bias": []}),
        _forged(hashes={}),
        {META: b"{}", FOREST: b"", STATE: b""},
        {},
    ],
)
def test_foreign_models_are_refused(files):
    with pytest.raises(ModelError):
        load_blend(files)


def test_a_pickle_is_refused_even_with_the_right_hash():
    import hashlib  # noqa: PLC0415 - only here
    import pickle  # noqa: PLC0415 - only here

    poison = pickle.dumps({"a": 1})
    hashes = json.loads(model_files()[META])["hashes"]
    for name in (FOREST, STATE):
        digest = hashlib.sha256(poison).hexdigest()
        with pytest.raises(ModelError):
            load_blend(_forged(hashes=hashes | {name: digest}) | {name: poison})


def test_training_stores_a_measured_version(tmp_path):
    registry = Registry(tmp_path)
    meta = train_version(
        small_log(), TrainingSource("invented", synthetic=True), registry, config=QUICK, clock=ManualClock()
    )
    assert meta.synthetic
    assert 0.2 < meta.metrics["top1"] < 0.9
    assert meta.version in [known.version for known in registry.versions()]
    assert meta.last_ms == max(record.at_ms for record in small_log())


def test_too_small_a_log_is_said():
    records = [Record("u", str(i // 3), i * 1000, "ab"[i % 2]) for i in range(60)]
    with pytest.raises(ContractError, match="too few"):
        train_version(records, TrainingSource("tiny"), Registry(None))  # type: ignore[arg-type]


def test_a_model_is_no_better_than_itself():
    found = compare_on(
        small_log(),
        trained_blend(),
        trained_blend(),
        after_ms=0,
        config=ShadowConfig(min_events=500, resamples=100),
    )
    assert found.verdict is Verdict.NO_GAIN
    assert found.gain == pytest.approx(0.0)


def _prediction(p: float) -> Prediction:
    return Prediction(["a", "END"], [p, 1 - p], "v")


def test_shadow_verdicts():
    config = ShadowConfig(min_events=200, resamples=200)
    draw = random.Random(1)
    better, uncalibrated = Shadow(config), Shadow(config)
    for i in range(400):
        outcome = "a" if draw.random() < 0.7 else "END"
        if i == 150:
            assert better.compare().verdict is Verdict.TOO_EARLY
        better.add(_prediction(0.5), _prediction(0.7), outcome)
        uncalibrated.add(_prediction(0.7), _prediction(0.7), outcome)
    found = better.compare()
    assert found.verdict is Verdict.BETTER
    assert 0 < found.low < found.gain < found.high
    assert uncalibrated.compare().verdict is Verdict.NO_GAIN


def test_a_gain_without_calibration_is_not_promoted():
    shadow = Shadow(ShadowConfig(min_events=200, resamples=100))
    for i in range(300):
        outcome = "a" if i % 2 else "END"
        sure = 0.98 if outcome == "a" else 0.4
        shadow.add(_prediction(0.5), _prediction(sure), outcome)
    assert shadow.compare().verdict is Verdict.CALIBRATION_REGRESSED


def test_shadow_settings_are_checked():
    with pytest.raises(ConfigurationError):
        ShadowConfig(min_events=1)


def test_adwin_notices_a_change_and_forgets_what_was_before():
    draw, adwin = random.Random(0), Adwin()
    assert not any(adwin.add(draw.gauss(1.0, 0.3)) for _ in range(3_000))
    noticed = [i for i in range(1_000) if adwin.add(draw.gauss(1.6, 0.3))]
    assert noticed
    assert noticed[0] < 200
    assert adwin.mean == pytest.approx(1.6, abs=0.1)


def test_adwin_keeps_its_sums_exact_and_its_memory_small():
    draw, adwin = random.Random(3), Adwin()
    values = [draw.random() for _ in range(5_000)]
    for value in values:
        adwin.add(value)
    kept = values[-adwin.width :]
    assert adwin.mean == pytest.approx(sum(kept) / len(kept))
    assert sum(len(row) for row in adwin._rows) < 80


def test_adwin_seldom_cries_wolf():
    draw = random.Random(5)
    alarms = sum(
        any(adwin.add(draw.random()) for _ in range(2_000)) for adwin in [Adwin() for _ in range(20)]
    )
    assert alarms <= 2


def test_live_scores_are_means_over_the_window():
    scorer = LiveScorer(window=2)
    scorer.add(_prediction(0.1), "a")
    scorer.add(_prediction(0.8), "a")
    scorer.add(_prediction(0.6), "END")
    found = scorer.scores()
    assert (found.n, found.top1, found.top3) == (2, 0.5, 1.0)
    assert found.calibration_error == pytest.approx((0.2 + 0.6) / 2)
    assert LiveScorer().scores().n == 0


def test_live_bins_say_how_sure_and_how_often_right():
    scorer = LiveScorer()
    assert [one.count for one in scorer.bins()] == [0] * 15
    scorer.add(_prediction(0.8), "a")
    scorer.add(_prediction(0.8), "END")
    full = [one for one in scorer.bins() if one.count]
    assert [(one.count, one.accuracy) for one in full] == [(2, 0.5)]
    assert full[0].confidence == pytest.approx(0.8)


def test_an_unknown_outcome_is_scored_as_other():
    prediction = Prediction(["END", "OTHER"], [0.25, 0.75], "v")
    assert score(prediction, "brand_new").hit
    assert score(_prediction(0.5), "brand_new").loss > 10


def test_lift_has_an_interval_and_a_check():
    lift = hit_rate_lift(Group(950, 10_000, 8_000), Group(50, 500, 250), 0.05)
    assert lift.difference == pytest.approx(0.3)
    assert lift.low < lift.difference < lift.high
    assert lift.trustworthy
    assert not hit_rate_lift(Group(950, 100, 80), Group(200, 50, 25), 0.05).trustworthy
    assert hit_rate_lift(Group(0, 0, 0), Group(0, 0, 0), 0.05) is None


def test_sample_ratio_matches_the_chi_square_table():
    # 10.828 is the 0.001 quantile of chi-square with one degree of freedom.
    n = 10_000
    off = (10.828 * n * 0.05 * 0.95) ** 0.5
    assert sample_ratio_p(int(n * 0.95 - off), int(n * 0.05 + off), 0.05) == pytest.approx(0.001, rel=0.2)
    assert sample_ratio_p(0, 0, 0.05) == 1.0


def test_a_mean_difference_has_its_interval():
    difference, low, high = mean_lift((100, 2.0, 1.0), (100, 1.0, 1.0))
    assert difference == pytest.approx(1.0)
    assert (high - low) / 2 == pytest.approx(1.96 * 0.02**0.5, rel=1e-3)


def test_adopted_users_keep_their_windows_by_name():
    old = FeatureState(["END", "OTHER", "a", "b"])
    history = History("u")
    for i, name in enumerate("abba"):
        old.observe(history, Action(name, i))
        history.append(Action(name, i))
    new = FeatureState(["END", "OTHER", "b"])
    new.adopt_users(old)
    assert list(new.windows.get("u")) == [255, 1, 2, 2, 1]


def test_the_facade_predicts_and_learns():
    predictor = ActionPredictor(clock=ManualClock())
    first = predictor.predict(["view_dashboard"])
    assert first[0]["action"] == "view_campaign_analytics"
    for _ in range(60):
        predictor.update(["view_dashboard"], "brand_new")
    assert predictor.predict(["view_dashboard"])[0]["action"] == "brand_new"
    with_times = [{"action": "view_dashboard", "at_ms": 1}, {"action": "view_roas", "at_ms": 2}]
    assert predictor.predict(with_times)[0]["action"] == "view_dashboard"
    with pytest.raises(ContractError, match="`action`"):
        predictor.predict([{"name": "x"}])


@pytest.fixture
def log_file(tmp_path):
    path = tmp_path / "log.csv"
    rows = [f"{r.user},{r.session},{r.at_ms / 1000},{r.action}" for r in small_log()]
    path.write_text("\n".join(["user,session,ts,action", *rows]))
    return path


def _run(*arguments):
    return CliRunner().invoke(build_app(lambda: list(small_log())), [str(a) for a in arguments])


def test_commands_train_show_promote_and_roll_back(tmp_path, log_file):
    store = tmp_path / "store"
    trained = _run("train", "--from", "csv", "--file", log_file, "--store", store, "--json")
    assert trained.exit_code == 0, trained.output
    first = json.loads(trained.stdout)["version"]
    shown = json.loads(_run("show", "--store", store, "--json").stdout)
    assert shown["current"]["version"] == first
    assert first in _run("show", "--store", store).stdout
    blend, meta = load_blend(model_files())
    second = Registry(store).add(dump_blend(blend, _facts(meta))).version
    refused = _run("promote", second, "--reason", "x", "--store", store)
    assert refused.exit_code == 2
    forced = _run("promote", second, "--force", "--reason", "a test", "--store", store)
    assert forced.exit_code == 0
    assert _run("rollback", "--reason", "a test", "--store", store).exit_code == 0
    assert Registry(store).current().version == first


def test_promotion_without_force_needs_enough_newer_events(tmp_path, log_file):
    registry, first, second = _two_versions(tmp_path / "store")
    registry.promote(first, reason="the first")
    found = _run("promote", second, "--reason", "x", "--on", log_file, "--store", tmp_path / "store")
    assert found.exit_code == 1
    assert "too_early" in found.output


def test_export_writes_what_train_reads(tmp_path):
    target = tmp_path / "log.parquet"
    assert _run("export", target, "--from", "topic").exit_code == 0
    from predictor.dataset import read_log  # noqa: PLC0415 - only here

    assert read_log(target) == list(small_log())


def test_evaluate_prints_the_agreed_shape(log_file):
    found = json.loads(_run("evaluate", "--csv", log_file, "--split", "70/10/20", "--json").stdout)
    assert {"top1", "top3", "log_loss", "ece", "n_test", "baselines"} <= set(found)
    assert set(found["baselines"]) == {"prior", "markov1", "markov2", "ngram", "forest"}
    assert found["top1"] > found["baselines"]["prior"]["top1"]


@pytest.mark.parametrize("split", ["70/30", "a/b/c", "70/10/30", "0/50/50"])
def test_wrong_splits_are_refused(log_file, split):
    found = _run("evaluate", "--csv", log_file, "--split", split)
    assert found.exit_code == 1
    assert "70/10/20" in found.output


def test_wrong_use_is_said(tmp_path):
    assert _run("train", "--from", "csv", "--store", tmp_path).exit_code == 2
    assert CliRunner().invoke(build_app(), ["train", "--store", str(tmp_path)]).exit_code == 2
    missing = _run("evaluate", "--csv", tmp_path / "none.csv")
    assert missing.exit_code == 1
    assert "none.csv" in missing.output


def test_current_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "current.json").write_bytes(b"{")
    with pytest.raises(ModelError, match="promote a version again"):
        Registry(tmp_path).current()
