"""Whether Redis lets us in, and what to change where it does not."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from streams.cache.connection import connect, safe_url
from streams.contracts.errors import ConfigurationError
from streams.settings import Settings

#: For one handshake with a listener that just took our connection.
_HANDSHAKE_WITHIN_S = 2.0


async def require_access(settings: Settings) -> None:
    """Raises `ConfigurationError` where Redis refuses us, for that heals by no waiting.

    A Redis that is away is nobody's mistake: the roles start, wait for it and say so in /readyz.
    """
    client = connect(settings)
    try:
        await client.ping()
    except (RedisError, OSError) as exc:
        reason = refusal(exc, settings)
        if reason is not None:
            raise ConfigurationError(f"the Redis at {safe_url(settings)} {reason}") from exc
    finally:
        await client.aclose()


def refusal(exc: BaseException, settings: Settings) -> str | None:
    """What it does and what mends it; None where it is only away."""
    text = str(exc)
    if isinstance(exc, AuthenticationError):
        return _unknown(settings)
    if isinstance(exc, NoPermissionError):
        return f"refuses a command ({text}); give the user what `precompute access redis` prints"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return (
            f"shows a certificate that is not accepted ({why}); add ?ssl_ca_certs=/path/ca.pem, the "
            "authority of its certificate, to REDIS_URL"
        )
    if text.endswith("No such file or directory.") and "ssl_" in settings.redis_url.get_secret_value():
        return (
            "is not asked: a file that REDIS_URL names (ssl_ca_certs, ssl_certfile, ssl_keyfile) is not there"
        )
    return _protocol(settings)


def _unknown(settings: Settings) -> str:
    parts = urlsplit(settings.redis_url.get_secret_value())
    if parts.password is None:
        return "asks for a password; write it into REDIS_URL: redis://user:password@host:6379/0"
    return f"refuses the user {parts.username or 'default'}; check user and password in REDIS_URL"


def _protocol(settings: Settings) -> str | None:
    """Looks which of the two the listener speaks, where our own did not come through."""
    parts = urlsplit(settings.redis_url.get_secret_value())
    if parts.scheme not in ("redis", "rediss") or parts.hostname is None:
        return None
    speaks_tls = _speaks_tls(parts.hostname, parts.port or 6379)
    if parts.scheme == "redis" and speaks_tls:
        return "speaks TLS; write REDIS_URL with rediss://"
    if parts.scheme == "rediss" and _speaks_plainly(parts.hostname, parts.port or 6379):
        return "speaks no TLS there; name its TLS port in REDIS_URL, or write it with redis://"
    return None


def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    # Nothing is said over this connection: the question is only whether it is one of TLS.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), _HANDSHAKE_WITHIN_S) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:
        return False


def _speaks_plainly(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), _HANDSHAKE_WITHIN_S) as plain:
            plain.sendall(b"PING\r\n")
            # +PONG, or -NOAUTH: either is an answer.
            return plain.recv(1) in (b"+", b"-")
    except OSError:
        return False
