"""Where Redis is: a single server, one behind Sentinel, or a cluster; with or without TLS."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec
from redis.asyncio.connection import parse_url

from streams.contracts.errors import ConfigurationError

_PORTS = {"cluster": 6379, "sentinel": 26379}
_FORMS = (
    "it reads redis://, rediss:// or unix://, redis+sentinel://host:port,host:port/SERVICE/DB or "
    "redis+cluster://host:port,host:port (rediss+... with TLS), for example redis://127.0.0.1:6379/0, and a "
    "password's special characters are written as %XX"
)

Kind = Literal["single", "sentinel", "cluster"]


class RedisAddress(msgspec.Struct, frozen=True):
    """`options` are redis-py's: of the login, of TLS, and whatever else stood behind the question mark.

    `sentinel_options` are for the sentinels themselves, which have a login of their own.
    """

    kind: Kind
    url: str
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    options: dict[str, Any] = {}
    sentinel_options: dict[str, Any] = {}


def parse_address(url: str, name: str = "REDIS_URL") -> RedisAddress:
    """Raises `ConfigurationError` that names the setting `name`, never a part of the password."""
    try:
        parts = urlsplit(url)
        base, _, kind = parts.scheme.partition("+")
        if kind == "cluster":
            return RedisAddress("cluster", url, _hosts(parts, kind), options=_options(parts, base))
        if kind == "sentinel":
            return _sentinel(parts, base)
        parse_url(url)
    except ValueError:
        # The library's message quotes parts of the address, and with it of a password.
        raise ConfigurationError(f"{name} is no address of a Redis; {_FORMS}") from None
    return RedisAddress("single", url)


def safe_address(url: str) -> str:
    """The address without its login and its options, for logs and people."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    port = "" if ":" in hosts or not hosts or "+" in parts.scheme else ":6379"
    return f"{parts.scheme}://{hosts}{port}{parts.path}"


def _sentinel(parts: SplitResult, base: str) -> RedisAddress:
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("no service")
    options = _options(parts, base)
    own = {
        name.removeprefix("sentinel_"): options.pop(name)
        for name in ("sentinel_username", "sentinel_password")
        if name in options
    }
    tls = {name: value for name, value in options.items() if name.startswith("ssl")}
    return RedisAddress(
        "sentinel",
        parts.geturl(),
        _hosts(parts, "sentinel"),
        service,
        {**options, "db": int(db or 0)},
        {**tls, **own},
    )


def _hosts(parts: SplitResult, kind: str) -> tuple[tuple[str, int], ...]:
    found = []
    for one in parts.netloc.rpartition("@")[2].split(","):
        host, _, port = one.rpartition(":") if ":" in one else (one, "", "")
        if not host:
            raise ValueError("no host")
        found.append((host, int(port) if port else _PORTS[kind]))
    return tuple(found)


def _options(parts: SplitResult, base: str) -> dict[str, Any]:
    """The login and what stands behind the question mark, read as redis-py reads it."""
    login, at, _ = parts.netloc.rpartition("@")
    one = parts._replace(scheme=base, netloc=f"{login}{at}host", path="", fragment="")
    options: dict[str, Any] = {**parse_url(one.geturl())}
    del options["host"]
    return {**options, "ssl": True} if options.pop("connection_class", None) is not None else options
