"""Jars: downloaded once, by one process at a time, and refused unless they are the pinned ones."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from streams.contracts.errors import ConfigurationError, UnavailableError
from streams.local import artifacts
from streams.local.artifacts import Jar, JarFolder, read_pins, trusting_ssl_cert_file
from tests.support.mirror import Mirror, serve_mirror

_CONTENTS = {"one": b"first" * 4000, "two": b"second" * 5000}


def _path(name: str) -> str:
    return f"/com/example/{name}/1.0/{name}-1.0.jar"


def _jar(name: str) -> Jar:
    content = _CONTENTS[name]
    digest = hashlib.sha256(content).hexdigest()
    return Jar(sha256=digest, size=len(content), coordinate=f"com.example:{name}:1.0")


JARS = [_jar(name) for name in _CONTENTS]


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mirror]:
    """A mirror that the user's jgo.conf names in place of Maven Central."""
    with serve_mirror() as served:
        served.files = {_path(name): content for name, content in _CONTENTS.items()}
        config = tmp_path / "jgo.conf"
        config.write_text(f"[repositories]\ncentral = {served.url}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(config))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(artifacts, "_PAUSE_S", 0.01)
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> JarFolder:
    return JarFolder(tmp_path / "jars", JARS, "the program")


def test_missing_jars_are_downloaded_and_present_ones_are_not(mirror: Mirror, folder: JarFolder) -> None:
    folder.provide()
    assert [path.read_bytes() for path in folder.paths] == list(_CONTENTS.values())
    folder.paths[0].unlink()
    mirror.requests.clear()
    folder.provide()
    folder.provide()
    assert mirror.requests == [_path("one")]


def test_nothing_but_the_jars_is_left(mirror: Mirror, folder: JarFolder) -> None:
    (folder.folder / ".download-of-a-killed-process").mkdir(parents=True)
    folder.provide()
    assert sorted(folder.folder.iterdir()) == sorted(folder.paths)


def test_progress_is_told_in_plain_lines_on_stderr(
    mirror: Mirror, folder: JarFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.provide()
    out, err = capsys.readouterr()
    assert out == ""
    assert "downloading the program: 0 MB, once\n" in err
    assert "downloading the program: 100 %\n" in err
    assert "the program: 2 jars, verified, in " in err


def test_a_download_with_other_content_is_refused(mirror: Mirror, folder: JarFolder) -> None:
    mirror.files[_path("two")] = b"something else"
    with pytest.raises(ConfigurationError, match=r"^two-1.0.jar is not the file .*not installed") as refused:
        folder.provide()
    assert "\n" not in str(refused.value)
    assert not folder.paths[1].exists()


def test_a_download_that_breaks_off_is_tried_again_and_then_reported(
    mirror: Mirror, folder: JarFolder
) -> None:
    mirror.files = {_path(name): b"half" for name in _CONTENTS}
    mirror.claimed_length = 1000
    with pytest.raises(UnavailableError, match=r"cannot download .*HTTPS_PROXY"):
        folder.provide()
    assert mirror.requests.count(_path("one")) == 3


def test_a_jar_that_the_repository_does_not_have_is_reported(mirror: Mirror, folder: JarFolder) -> None:
    del mirror.files[_path("one")]
    with pytest.raises(UnavailableError, match=r"cannot download one-1.0.jar .*not found"):
        folder.provide()


def test_a_corrupt_installed_jar_is_refused(mirror: Mirror, folder: JarFolder) -> None:
    folder.provide()
    content = bytearray(_CONTENTS["one"])
    content[100] ^= 1
    folder.paths[0].write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^one-1.0.jar is not the file .*delete .*one-1.0.jar"):
        folder.provide()


def test_a_foreign_jar_is_refused(mirror: Mirror, folder: JarFolder) -> None:
    folder.provide()
    (folder.folder / "evil-1.0.jar").write_bytes(b"evil")
    with pytest.raises(ConfigurationError, match=r"evil-1.0.jar does not belong to the program; delete it"):
        folder.provide()


def test_two_processes_download_once(mirror: Mirror, tmp_path: Path, folder: JarFolder) -> None:
    pins = "".join(f"{jar.sha256} {jar.size} {jar.coordinate}\n" for jar in JARS)
    program = (
        "import sys; from pathlib import Path; from streams.local.artifacts import JarFolder, read_pins\n"
        "JarFolder(Path(sys.argv[1]), read_pins(sys.argv[2]), 'the program').provide()"
    )
    command = [sys.executable, "-c", program, str(folder.folder), pins]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert sorted(mirror.requests) == [_path("one"), _path("two")]
    assert [path.read_bytes() for path in folder.paths] == list(_CONTENTS.values())


def test_a_missing_library_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, mirror: Mirror, folder: JarFolder
) -> None:
    monkeypatch.setitem(sys.modules, "jgo.config", None)
    with pytest.raises(
        ConfigurationError, match=r"jgo is not installed; run: pip install 'precompute\[local\]'"
    ):
        folder.provide()


def test_ssl_cert_file_counts_where_requests_has_no_bundle_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/certificates.pem")
    with trusting_ssl_cert_file():
        assert os.environ["REQUESTS_CA_BUNDLE"] == "/certificates.pem"
    assert "REQUESTS_CA_BUNDLE" not in os.environ
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/own.pem")
    with trusting_ssl_cert_file():
        assert os.environ["REQUESTS_CA_BUNDLE"] == "/own.pem"


def test_the_shipped_list_is_whole() -> None:
    text = resources.files("streams.local").joinpath("kafka-4.3.0.sha256").read_text()
    jars = read_pins(text)
    names = [jar.coordinate.split(":")[1] for jar in jars]
    assert len(set(names)) == len(jars)
    assert {"kafka_2.13", "kafka-clients", "scala-library", "slf4j-simple"} <= set(names)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars)
