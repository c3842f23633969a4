"""Hostile media end in reasons: nothing dies, nothing outside the roots is read."""

from __future__ import annotations

import os
from pathlib import Path

import av
import msgspec
import pytest

from handlers import Context, MediaPolicy, Reject
from handlers.execution import run_handler
from handlers.local_run import local_context
from handlers.registry import load_handlers

TASKS = ("scene_detection", "face_detection", "hook_analysis", "thumbnail_generation", "caption_generation")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty.mp4", "media_unreadable"),
        ("text.mp4", "media_unreadable"),
        ("truncated.mp4", "media_unreadable"),
        ("truncated_nomoov.mp4", "media_unreadable"),
        ("audio_only.mp4", "media_no_video"),
        ("huge_dims.mp4", "media_too_large"),
        ("hi_fps.mp4", "media_too_large"),
        ("long_static.mp4", "media_too_long"),
        ("nothing_there.mp4", "media_missing"),
    ],
)
@pytest.mark.parametrize("task", TASKS)
def test_every_hostile_sample_has_its_reason(run, task: str, name: str, reason: str) -> None:
    with pytest.raises(Reject) as caught:
        run(task, f"hostile/{name}")
    assert caught.value.reason == reason
    assert str(caught.value).startswith("uri: ")


@pytest.fixture
def folder(tmp_path: Path, short_clip: Path) -> Path:
    """A root with a video in it, beside a secret that is not."""
    root = tmp_path / "media"
    root.mkdir()
    for copy in (root / "clip.mp4", tmp_path / "secret.mp4"):
        copy.write_bytes(short_clip.read_bytes())
    return root


@pytest.fixture
def local(folder: Path, tmp_path: Path):
    context = local_context(
        "v1", media=MediaPolicy(roots=(str(folder),), scratch_dir=str(tmp_path / "scratch"))
    )
    found = load_handlers()["scene_detection"]

    def run_on(uri: str, changed: Context = context):
        return msgspec.json.decode(run_handler(found, msgspec.json.encode({"uri": uri}), changed))

    return run_on


def reason_of(local, uri: str) -> str:
    with pytest.raises(Reject) as caught:
        local(uri)
    return caught.value.reason


def test_paths_inside_the_root_are_read(local, folder: Path) -> None:
    for uri in ("clip.mp4", str(folder / "clip.mp4"), (folder / "clip.mp4").as_uri(), "./clip.mp4"):
        assert local(uri)["scene_count"] == 5


def test_nothing_outside_the_root_is_read(local, folder: Path) -> None:
    (folder / "link.mp4").symlink_to(folder.parent / "secret.mp4")
    (folder / "out").symlink_to(folder.parent)
    for uri in (
        "../secret.mp4",
        str(folder.parent / "secret.mp4"),
        f"{folder}/../secret.mp4",
        "link.mp4",
        "out/secret.mp4",
        "/etc/passwd",
        "file:///etc/passwd",
        "file://other.machine/clip.mp4",
        f"{folder}-and-more/clip.mp4",
    ):
        assert reason_of(local, uri) == "media_not_allowed", uri


def test_words_of_the_decoder_are_only_names(local, folder: Path) -> None:
    """FFmpeg would follow each of these; here each is the name of a file that is not there."""
    secret = folder.parent / "secret.mp4"
    for uri in (
        f"concat:{secret}",
        f"subfile,,start,0,end,9,,:{secret}",
        f"crypto:{secret}",
        "pipe:0",
        "fd:0",
    ):
        assert reason_of(local, uri) in {"media_missing", "media_not_allowed"}, uri


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/x",
        "ftp://h/x",
        "rtmp://h/x",
        "https://unlisted.example/x",
        "s3://b/x",
        "gopher://h/",
    ],
)
def test_addresses_that_are_not_listed_are_refused(local, uri: str) -> None:
    assert reason_of(local, uri) == "media_not_allowed"


def test_an_empty_or_broken_location_names_the_field(local) -> None:
    for uri in ("", "a\x00b", "a\nb", "x" * 5000):
        assert reason_of(local, uri) == "bad_input"


def test_without_roots_no_path_is_read(local, context: Context) -> None:
    with pytest.raises(Reject, match="PRECOMPUTE_MEDIA_ROOTS"):
        local("clip.mp4", msgspec.structs.replace(context, media=MediaPolicy()))


def test_a_pipe_or_a_folder_is_no_video(local, folder: Path) -> None:
    os.mkfifo(folder / "pipe.mp4")
    (folder / "folder.mp4").mkdir()
    assert reason_of(local, "pipe.mp4") == "media_not_allowed"
    assert reason_of(local, "folder.mp4") in {"media_not_allowed", "media_missing"}


PLAYLISTS = {
    "concat.mp4": "ffconcat version 1.0\nfile {clip}\n",
    "unsafe.mp4": "ffconcat version 1.0\nfile '{secret}'\nduration 3\n",
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{secret}\n#EXT-X-ENDLIST\n",
    "dash.mp4": '<?xml version="1.0"?><MPD><Period><BaseURL>{secret}</BaseURL></Period></MPD>',
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_disguised_playlist_is_unreadable(local, folder: Path, name: str) -> None:
    text = PLAYLISTS[name].format(clip=folder / "clip.mp4", secret=folder.parent / "secret.mp4")
    (folder / name).write_text(text)
    assert reason_of(local, name) == "media_unreadable"


def test_a_video_that_grows_beyond_the_limits_on_the_way_is_refused(
    local, folder: Path, context: Context
) -> None:
    policy = MediaPolicy(roots=(str(folder),), scratch_dir=context.media.scratch_dir, max_frames=100)
    for limit in (
        {"max_frames": 100},
        {"max_duration_s": 3.0},
        {"max_pixels": 1000},
        {"max_side": 640},
        {"max_fps": 10.0},
    ):
        changed = msgspec.structs.replace(
            context, media=msgspec.structs.replace(policy, **({"max_frames": 36_000} | limit))
        )
        with pytest.raises(Reject) as caught:
            local("clip.mp4", changed)
        assert caught.value.reason in {"media_too_long", "media_too_large"}


def test_a_recording_that_is_turned_is_shown_upright(local, folder: Path) -> None:
    """A phone films lying down and says so in the display matrix."""
    turned = folder / "turned.mp4"
    with av.open(str(folder / "clip.mp4")) as source, av.open(str(turned), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    data = bytearray(turned.read_bytes())
    plain = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
    quarter = bytes.fromhex(
        "00000000 00010000 00000000 ffff0000 00000000 00000000 00000000 00000000 40000000"
    )
    at = data.index(b"tkhd")
    place = data.index(plain, at)
    data[place : place + len(plain)] = quarter
    turned.write_bytes(data)
    answer = local("turned.mp4")
    assert (answer["width"], answer["height"]) == (720, 1280)
