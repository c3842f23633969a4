"""What a handler is told besides its input: limits, folders, deadlines, other results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from handlers.config import PREFIX, HandlerConfig, read_settings
from streams.contracts.errors import ConfigurationError
from streams.contracts.history import Action

MIB = 1024 * 1024


class MediaPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Which media may be read, and how much of it. Everything outside is a `Reject`, never a crash."""

    #: Folders a local path must resolve into; none means that no local path is read.
    roots: tuple[str, ...] = ()
    #: Hosts (`name` or `name:port`) an https address may name; each must resolve to public addresses.
    hosts: tuple[str, ...] = ()
    #: Buckets an s3:// address may name, read with the keys of the artifact store.
    buckets: tuple[str, ...] = ()
    #: Hosts of your own network, which may resolve to private addresses and may be plain http.
    internal_hosts: tuple[str, ...] = ()
    #: Where downloads and shared decodes are kept for a while; "" takes the system's temporary folder.
    scratch_dir: str = ""
    max_scratch_bytes: int = 2048 * MIB
    max_download_bytes: int = 256 * MIB
    #: Seconds a whole download may take: a server that drips is cut off.
    max_download_s: float = 60.0
    max_duration_s: float = 600.0
    #: The longer side and the area of a picture: 4K, lying or standing.
    max_side: int = 3840
    max_pixels: int = 3840 * 2160
    #: Ten minutes at 60 frames a second.
    max_frames: int = 36_000
    max_fps: float = 120.0

    def __post_init__(self) -> None:
        for name in ("max_download_bytes", "max_download_s", "max_duration_s", "max_side", "max_pixels"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"media policy: {name} must be above zero")
        if self.max_frames <= 0 or self.max_fps <= 0:
            raise ConfigurationError("media policy: max_frames and max_fps must be above zero")


def load_media_policy(
    environ: Mapping[str, str], *, roots: tuple[str, ...] = (), hosts: tuple[str, ...] = ()
) -> MediaPolicy:
    """The policy of the settings: each limit is the variable `PRECOMPUTE_MEDIA_<FIELD>`.

    `roots` and `hosts` are read elsewhere. Raises `ConfigurationError` that names the variable.
    """
    limits = [name for name in MediaPolicy.__struct_fields__ if name not in ("roots", "hosts")]
    names = {name: f"{PREFIX}MEDIA_{name.upper()}" for name in limits}
    return MediaPolicy(roots=roots, hosts=hosts, **read_settings(MediaPolicy, environ, names))


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One job's surroundings. Times are wall-clock seconds since the Unix epoch.

    `results` holds, by task name, the results of the tasks in the handler's `needs`; one that could not be
    computed is absent. `history` is the user's actions, oldest first.
    """

    job_id: str
    key: str
    user_id: str
    now: float
    deadline: float
    media: MediaPolicy = MediaPolicy()
    artifact_dir: str = ""
    results: dict[str, Any] = {}
    history: tuple[Action, ...] = ()
    #: W3C traceparent of the job's span, where somebody records it: services of one's own continue the trace.
    traceparent: str | None = None
    config: HandlerConfig = HandlerConfig()

    @property
    def entity_id(self) -> str:
        """The id at the end of the cache key."""
        return self.key.rpartition(":")[2]

    def remaining_s(self) -> float:
        """Seconds until the job is stopped; negative when it is late."""
        return self.deadline - time.time()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Context)


def encode_context(context: Context) -> bytes:
    """The context as bytes, for a child process."""
    return _encoder.encode(context)


def decode_context(data: bytes) -> Context:
    return _decoder.decode(data)
