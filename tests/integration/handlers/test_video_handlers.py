"""The video handlers on real media with known truth."""

from __future__ import annotations

import hashlib
import json
import re
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageChops, ImageStat

from handlers import Reject
from handlers.inputs import VideoInput
from handlers.sample_clip import ClipTruth, make_clip
from handlers.scene_detection import scene_detection
from handlers.video import scratch


def cuts_of(answer: dict) -> list[float]:
    return [scene["start_s"] for scene in answer["scenes"][1:]]


def test_every_cut_of_the_advertisement_is_found_and_no_other(run, truth) -> None:
    answer = run("scene_detection", "composite_ad.mp4")
    known = sorted([*truth["cuts_s"], truth["extra_cut_inside_nasa_clip_s"]])
    assert cuts_of(answer) == pytest.approx(known, abs=0.1)
    assert answer["scenes"][-1]["end_s"] == pytest.approx(truth["duration_s"], abs=0.05)
    assert answer["partial"] is None


def test_no_cut_is_invented(run) -> None:
    assert cuts_of(run("scene_detection", "asl_help.mkv")) == []
    # Neither the fade from black of the cartoon nor the dissolve of the film is a cut; these are.
    assert cuts_of(run("scene_detection", "bbb_0_30.webm")) == pytest.approx(
        [11.792, 15.667, 22.958], abs=0.1
    )
    assert cuts_of(run("scene_detection", "nasa_13013.mp4")) == pytest.approx([8.08], abs=0.1)


def test_faces_are_found_where_there_are_some(run) -> None:
    answer = run("face_detection", "asl_help.mkv")
    assert (answer["frames_with_face"], answer["frames_sampled"]) == (29, 29)
    assert answer["max_faces"] == 1
    for detection in answer["detections"]:
        left, top, width, height = detection["faces"][0]["box_norm"]
        assert 0 <= left <= left + width <= 1
        assert 0 <= top <= top + height <= 1


@pytest.mark.parametrize("name", ["bbb_0_30.webm", "nasa_13013.mp4"])
def test_no_face_is_invented(run, name: str) -> None:
    assert run("face_detection", name)["detections"] == []


def picture_of(thumbnail: dict) -> Image.Image:
    data = Path(unquote(urlsplit(thumbnail["uri"]).path)).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (thumbnail["bytes"], thumbnail["sha256"])
    picture = Image.open(BytesIO(data))
    assert (picture.width, picture.height) == (thumbnail["width"], thumbnail["height"])
    assert picture.format.lower() == thumbnail["format"]
    return picture.convert("RGB")


def test_thumbnails_are_one_per_scene_and_the_best_three(run) -> None:
    answer = run("thumbnail_generation", "composite_ad.mp4")
    made = answer["thumbnails"]
    assert {one["scene"] for one in made} == set(range(6))
    assert sorted(one["rank"] for one in made if one["rank"] and one["format"] == "webp") == [1, 2, 3]
    for one in made:
        grey = picture_of(one).convert("L")
        assert ImageStat.Stat(grey).stddev[0] > 8
        assert one["width"] == 1280
    best = {one["scene"] for one in made if one["rank"]}
    assert len(best) == 3
    assert all(one["presentable"] for one in made if one["rank"])


def test_a_thumbnail_shows_the_time_it_names(run, samples: Path, context) -> None:
    """The re-read frame in full quality is the sampled one."""
    made = run("thumbnail_generation", "composite_ad.mp4")["thumbnails"]
    sampled = {
        round(one.t, 3): one.jpeg
        for one in scratch.survey_of(VideoInput(uri="composite_ad.mp4"), context).samples
    }
    for one in made:
        small = Image.open(BytesIO(sampled[one["t"]])).convert("RGB")
        full = picture_of(one).resize(small.size, Image.Resampling.BOX)
        assert np.asarray(ImageChops.difference(small, full)).mean() < 6


def test_known_faces_are_not_looked_for_again(run, monkeypatch) -> None:
    faces = run("face_detection", "composite_ad.mp4")
    alone = run("thumbnail_generation", "composite_ad.mp4")
    monkeypatch.setattr("handlers.video.thumbnails.find_faces", None)
    monkeypatch.setattr("handlers.video.opening.find_faces", None)
    results = {"face_detection": faces}
    shared = run("thumbnail_generation", "composite_ad.mp4", results=results)
    assert [one["score"] for one in shared["thumbnails"]] == pytest.approx(
        [one["score"] for one in alone["thumbnails"]], abs=0.02
    )
    assert run("hook_analysis", "composite_ad.mp4", results=results)["scores"]["face"] > 0.5


def test_one_decode_serves_all_tasks(run, tmp_path: Path, context, monkeypatch) -> None:
    media = msgspec.structs.replace(context.media, scratch_dir=str(tmp_path / "scratch"))
    run("scene_detection", "asl_help.mkv", media=media)
    monkeypatch.setattr(scratch, "take_survey", None)
    for task in ("face_detection", "hook_analysis", "caption_generation", "thumbnail_generation"):
        run(task, "asl_help.mkv", media=media)


def test_a_hook_is_measured_and_claims_nothing(run) -> None:
    answer = run("hook_analysis", "composite_ad.mp4")
    assert answer["calibration"] == "none"
    assert answer["measures"]["face_time_ratio"] == 1
    assert answer["measures"]["sound_onset_s"] == pytest.approx(0, abs=0.5)
    scores = [one for one in answer["scores"].values() if one is not None]
    assert all(0 <= one <= 1 for one in scores)
    black = run("hook_analysis", "bbb_0_30.webm")
    assert black["scores"]["first_frame"] == 0
    assert black["hook_score"] < answer["hook_score"]
    silent = run("hook_analysis", "asl_help.mkv")
    assert silent["scores"]["sound"] is None


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def word_errors(said: str, heard: str) -> int:
    """Levenshtein distance in words."""
    truth, found = words(said), words(heard)
    row = list(range(len(found) + 1))
    for i, word in enumerate(truth, start=1):
        last, row[0] = row[0], i
        for j, other in enumerate(found, start=1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


@pytest.mark.parametrize("name", ["composite_ad.mp4", "nasa_13013.mp4"])
def test_speech_is_written_down(run, truth, name: str) -> None:
    answer = run("caption_generation", name)
    heard = " ".join(cue["text"] for cue in answer["cues"])
    assert word_errors(truth["speech"], heard) <= 0.05 * len(words(truth["speech"]))
    assert answer["vtt"].count("-->") == answer["srt"].count("-->") == len(answer["cues"])
    for cue in answer["cues"]:
        assert 0 <= cue["start_s"] < cue["end_s"] <= 15.1


@pytest.mark.parametrize(("name", "audio"), [("bbb_0_30.webm", True), ("asl_help.mkv", False)])
def test_music_and_silence_give_no_cue(run, name: str, audio: bool) -> None:
    answer = run("caption_generation", name)
    assert (answer["cues"], answer["source"], answer["has_audio"]) == ([], "none", audio)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipTruth:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def test_the_sample_clip_has_the_cuts_it_says(clip: ClipTruth, run, context) -> None:
    media = msgspec.structs.replace(context.media, roots=(str(Path(clip.path).parent),))
    answer = run("scene_detection", clip.path, media=media)
    assert cuts_of(answer) == clip.cuts_s
    assert (answer["width"], answer["height"], answer["fps"]) == (1280, 720, 25)
    assert run("face_detection", clip.path, media=media)["max_faces"] == clip.faces
    captions = run("caption_generation", clip.path, media=media)
    assert (captions["has_audio"], captions["cues"]) == (True, [])


def test_the_sample_clip_is_always_the_same(clip: ClipTruth, tmp_path: Path) -> None:
    again = make_clip(tmp_path / "clip.mp4")
    assert Path(again.path).read_bytes() == Path(clip.path).read_bytes()
    assert json.loads(msgspec.json.encode(again))["cuts_s"] == clip.cuts_s


def test_a_truncated_video_is_partial(run) -> None:
    answer = run("scene_detection", "hostile/truncated.mkv")
    assert "of 1.93 s" in answer["partial"]
    assert 0 < answer["frames"] < 58


def test_an_answer_fits_its_declared_type(run) -> None:
    msgspec.convert(run("scene_detection", "asl_help.mkv"), scene_detection.result_type)


def test_a_changed_file_is_another_video(
    tmp_path: Path, clip: ClipTruth, short_clip: Path, run, context
) -> None:
    media = msgspec.structs.replace(context.media, roots=(str(tmp_path),))
    target = tmp_path / "video.mp4"
    target.write_bytes(Path(clip.path).read_bytes())
    first = run("scene_detection", "video.mp4", media=media)
    target.write_bytes(short_clip.read_bytes())
    assert run("scene_detection", "video.mp4", media=media)["duration_s"] < first["duration_s"]
    target.unlink()
    with pytest.raises(Reject) as caught:
        run("scene_detection", "video.mp4", media=media)
    assert caught.value.reason == "media_missing"


def test_the_scratch_folder_stays_within_its_size(tmp_path: Path, short_clip: Path, run, context) -> None:
    scratch_dir = tmp_path / "scratch"
    media = msgspec.structs.replace(
        context.media, roots=(str(tmp_path),), scratch_dir=str(scratch_dir), max_scratch_bytes=1
    )
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(short_clip.read_bytes())
        run("scene_detection", name, media=media)
    assert len([one for one in scratch_dir.iterdir() if one.is_dir()]) == 1
