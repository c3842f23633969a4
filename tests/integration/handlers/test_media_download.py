"""Remote video from a server on this machine that misbehaves in every way."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from handlers import MediaPolicy, Reject, Retry
from handlers.config import HandlerConfig
from handlers.execution import run_handler
from handlers.local_run import local_context
from handlers.registry import load_handlers
from handlers.video.addresses import is_public
from handlers.video.download import download


class Server(ThreadingHTTPServer):
    daemon_threads = True
    body = b""
    stop = threading.Event()
    hits: list[str]


class Misbehaviour(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None: ...

    def do_GET(self) -> None:
        self.server.hits.append(self.path)
        getattr(self, "serve_" + self.path.strip("/").replace("/", "_"))()

    def _head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def serve_video(self) -> None:
        self._head(200, Content_Length=len(self.server.body))
        self.wfile.write(self.server.body)

    def serve_films_clip(self) -> None:
        """An object of a bucket: only for who signs."""
        if self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=id/"):
            self.serve_video()
        else:
            self._head(403)

    def serve_missing(self) -> None:
        self._head(404)

    def serve_busy(self) -> None:
        self._head(503)

    def serve_redirect(self) -> None:
        self._head(302, Location="http://169.254.169.254/latest/meta-data/")

    def serve_announced(self) -> None:
        self._head(200, Content_Length=10 * 1024**3)

    def serve_endless(self) -> None:
        self._head(200)
        while not self.server.stop.is_set():
            try:
                self.wfile.write(bytes(65536))
            except OSError:
                return

    def serve_drip(self) -> None:
        self._head(200, Content_Length=1000)
        while not self.server.stop.wait(0.05):
            try:
                self.wfile.write(b"x")
            except OSError:
                return

    def serve_headers(self) -> None:
        """Header bytes, one at a time, for ever: each read is quick."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.server.stop.wait(0.05):
            try:
                self.wfile.write(b"x")
            except OSError:
                return

    def serve_gzip(self) -> None:
        self._head(200, Content_Encoding="gzip")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Misbehaviour)
    server.hits, server.stop = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


def policy_of(server: Server, **changes) -> MediaPolicy:
    given = {"max_download_bytes": 2_000_000, "max_download_s": 1.0} | changes
    return MediaPolicy(internal_hosts=(f"127.0.0.1:{server.server_port}",), **given)


def fetch(server: Server, path: str, target: Path, **changes) -> None:
    download(f"http://127.0.0.1:{server.server_port}/{path}", target, policy_of(server, **changes))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing", "media_missing"),
        ("redirect", "media_not_allowed"),
        ("announced", "media_too_large"),
        ("endless", "media_too_large"),
        ("drip", "media_too_slow"),
        ("headers", "media_too_slow"),
        ("gzip", "media_unreadable"),
    ],
)
def test_every_misbehaviour_has_its_reason(server: Server, tmp_path: Path, path: str, reason: str) -> None:
    with pytest.raises(Reject) as caught:
        fetch(server, path, tmp_path / "x")
    assert caught.value.reason == reason
    assert server.hits == [f"/{path}"]


def test_a_server_that_is_away_or_busy_is_tried_again(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Retry, match="503"):
        fetch(server, "busy", tmp_path / "x")
    policy = MediaPolicy(internal_hosts=("127.0.0.1:1",))
    with pytest.raises(Retry, match="not reachable"):
        download("http://127.0.0.1:1/x", tmp_path / "x", policy)


def test_all_tasks_of_an_upload_share_one_download(server: Server, tmp_path: Path, short_clip: Path) -> None:
    server.body = short_clip.read_bytes()
    media = policy_of(server, max_download_s=20.0, scratch_dir=str(tmp_path / "scratch"))
    context = local_context("v1", media=media, artifact_dir=str(tmp_path / "artifacts"))
    payload = msgspec.json.encode({"uri": f"http://127.0.0.1:{server.server_port}/video"})
    registry = load_handlers()
    scenes = msgspec.json.decode(run_handler(registry["scene_detection"], payload, context))
    made = msgspec.json.decode(run_handler(registry["thumbnail_generation"], payload, context))
    assert scenes["scene_count"] == 5
    assert {one["scene"] for one in made["thumbnails"]} == set(range(5))
    assert server.hits == ["/video"]


def test_objects_of_listed_buckets_are_read_with_a_signature(
    server: Server, tmp_path: Path, short_clip: Path
) -> None:
    server.body = short_clip.read_bytes()
    context = local_context(
        "v1",
        media=MediaPolicy(buckets=("films",), scratch_dir=str(tmp_path / "scratch")),
        config=HandlerConfig(
            s3_endpoint=f"http://127.0.0.1:{server.server_port}",
            aws_access_key_id="id",
            aws_secret_access_key="key",
        ),
    )
    found = load_handlers()["scene_detection"]
    answer = run_handler(found, b'{"uri": "s3://films/clip"}', context)
    assert msgspec.json.decode(answer)["scene_count"] == 5
    for uri in ("s3://others/clip", "s3://films/../others/clip", "s3://films//clip", "s3://films"):
        with pytest.raises(Reject) as caught:
            run_handler(found, msgspec.json.encode({"uri": uri}), context)
        assert caught.value.reason == "media_not_allowed"
    assert server.hits == ["/films/clip"]


LISTED = MediaPolicy(hosts=("cdn.example", "cdn.example:8443"))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
    ],
)
def test_a_listed_name_that_resolves_to_a_private_address_is_not_connected_to(
    tmp_path: Path, address: str
) -> None:
    asked = []

    def resolver(host: str, port: int):
        asked.append((host, port))
        return [ipaddress.ip_address("93.184.216.34"), ipaddress.ip_address(address)]

    with pytest.raises(Reject) as caught:
        download("https://cdn.example/x", tmp_path / "x", LISTED, resolver=resolver)
    assert caught.value.reason == "media_not_allowed"
    assert asked == [("cdn.example", 443)]


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example/x",
        "https://cdn.example:9000/x",
        "https://evil.example/x",
        "https://cdn.example@evil.example/x",
        "https://user:pw@cdn.example/x",
        "https://cdn.example.evil.example/x",
        "https://[::1]/x",
        "https://cdn.example:99999/x",
        "ftp://cdn.example/x",
    ],
)
def test_what_is_not_listed_is_not_resolved(tmp_path: Path, url: str) -> None:
    def resolver(host: str, port: int):
        raise AssertionError(f"{host}:{port} was looked up")

    with pytest.raises(Reject) as caught:
        download(url, tmp_path / "x", LISTED, resolver=resolver)
    assert caught.value.reason == "media_not_allowed"


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("192.168.1.1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("2001::1", False),
        ("64:ff9b::1", False),
        ("2002::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
    ],
)
def test_which_addresses_are_public(text: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(text)) is public
