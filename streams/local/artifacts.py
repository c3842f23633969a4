"""The jars of a Java program: a pinned list, its download through jgo, and the check of every byte."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from streams.contracts.errors import ConfigurationError, PrecomputeError, UnavailableError
from streams.local.folder import hold
from streams.local.progress import Advance, say, show_download

#: Most of the time of a small jar is its TLS handshakes; more threads than this bring nothing.
_THREADS = 6
_TRIES = 3
_PAUSE_S = 1.0
_TIMEOUT_S = 30
_STAGING = ".download-"


class Jar(msgspec.Struct, frozen=True, kw_only=True):
    """`coordinate` is `group:artifact:version`, `size` in bytes, `sha256` in hex."""

    sha256: str
    size: int
    coordinate: str

    @property
    def filename(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def read_pins(text: str) -> tuple[Jar, ...]:
    """The list of `tools/pin_kafka_jars.py`: `sha256 size coordinate` a line, `#` starts a comment."""
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return tuple(Jar(sha256=digest, size=int(size), coordinate=name) for digest, size, name in rows)


class JarFolder:
    """A folder with exactly the pinned jars. Several processes may ask for it at the same time."""

    def __init__(self, folder: Path, jars: Sequence[Jar], title: str) -> None:
        self.folder = folder
        self.paths = [folder / jar.filename for jar in jars]
        self._jars = jars
        self._title = title

    def provide(self) -> None:
        """Downloads what is missing, then checks everything that is there.

        Raises `ConfigurationError` for a file that is not the pinned one, `UnavailableError` where the
        download fails, each in one line.
        """
        word = partial(say, f"{self._title}: another process is downloading it; waiting")
        with hold(self.folder.with_suffix(".lock"), on_wait=word):
            self.folder.mkdir(parents=True, exist_ok=True)
            missing = [jar for jar in self._jars if not (self.folder / jar.filename).exists()]
            if missing:
                self._download(missing)
        self._check()

    def _download(self, jars: Sequence[Jar]) -> None:
        for left_over in self.folder.glob(_STAGING + "*"):
            shutil.rmtree(left_over, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.folder))
        started = time.monotonic()
        try:
            with show_download(f"downloading {self._title}", sum(jar.size for jar in jars)) as advance:
                fetch = partial(self._fetch, resolve=_resolver(staging, advance))
                with trusting_ssl_cert_file(), ThreadPoolExecutor(_THREADS) as pool:
                    list(pool.map(fetch, jars))
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        say(f"{self._title}: {len(jars)} jars, verified, in {time.monotonic() - started:.0f} s")

    def _fetch(self, jar: Jar, resolve: Callable[[str], Path]) -> None:
        path = _with_retries(partial(resolve, jar.coordinate), jar.filename)
        _check_jar(jar, path, "it was not installed; look at the proxy or the mirror in between")
        path.replace(self.folder / jar.filename)

    def _check(self) -> None:
        foreign = {path.name for path in self.folder.glob("*.jar")} - {jar.filename for jar in self._jars}
        if foreign:
            raise ConfigurationError(
                f"{self.folder / min(foreign)} does not belong to {self._title}; delete it and start again"
            )
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self._check_installed, self._jars))

    def _check_installed(self, jar: Jar) -> None:
        path = self.folder / jar.filename
        _check_jar(jar, path, f"delete {path} and start again to download it anew")


def _check_jar(jar: Jar, path: Path, advice: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise ConfigurationError(
            f"{jar.filename} is not the file this project was tested with: "
            f"sha256 {found[:12]}… instead of {jar.sha256[:12]}…; {advice}"
        )


def _resolver(staging: Path, advance: Advance) -> Callable[[str], Path]:
    """A function from coordinate to downloaded file. jgo knows Maven Central and the user's mirrors of it."""
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 (an extra: only who downloads needs it)
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ImportError as exc:
        raise missing_extra("jgo") from exc

    def follow(_filename: str, _total: int) -> AbstractContextManager[Advance]:
        return nullcontext(advance)

    context: Any = MavenContext(
        resolver=PythonResolver(progress_callback=follow),
        repo_cache=staging,
        local_repos=[],
        remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},
        timeout=_TIMEOUT_S,
    )

    def resolve(coordinate: str) -> Path:
        artifact = context.create_dependency(coordinate).artifact
        artifact.cached_path.unlink(missing_ok=True)  # what a broken-off try left
        return Path(artifact.resolve())

    return resolve


@contextmanager
def trusting_ssl_cert_file() -> Iterator[None]:
    """The HTTP library of jgo knows REQUESTS_CA_BUNDLE only; pip and OpenSSL follow SSL_CERT_FILE as well."""
    bundle = os.environ.get("SSL_CERT_FILE")
    if not bundle or {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} & os.environ.keys():
        yield
        return
    os.environ["REQUESTS_CA_BUNDLE"] = bundle
    try:
        yield
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]


def _with_retries(download: Callable[[], Path], name: str) -> Path:
    """Connections break; a server that says no (`RuntimeError`) is asked again too: mirrors hiccup."""
    for attempt in range(1, _TRIES + 1):
        try:
            return download()
        except PrecomputeError:
            raise
        except (OSError, RuntimeError) as exc:
            if attempt == _TRIES:
                raise UnavailableError(
                    f"cannot download {name} from Maven Central: {exc}; check the network, and behind a "
                    "proxy HTTPS_PROXY and REQUESTS_CA_BUNDLE"
                ) from exc
            time.sleep(_PAUSE_S * attempt)
    raise AssertionError("unreachable")


def missing_extra(library: str) -> ConfigurationError:
    return ConfigurationError(f"{library} is not installed; run: pip install 'precompute[local]'")
