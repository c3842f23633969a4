"""Settings: names nobody reads, values that do not go together, what travels in the clear."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from streams.doctor.findings import Notes
from streams.doctor.variables import unknown_variables
from streams.kafka.config import checked
from streams.settings import Settings

#: The worker's session timeout (streams/work/intake.py): a lease must end before its partition moves on.
_SESSION_TIMEOUT_S = 15.0


class ConfigurationLook:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __call__(self, notes: Notes) -> None:
        self._names(notes)
        checked(self._settings.kafka_security)
        self._in_the_clear(notes)
        self._values(notes)

    def _names(self, notes: Notes) -> None:
        unknown = unknown_variables(os.environ)
        for one in unknown:
            remedy = (
                f"rename it to {one.meant}" if one.meant else "remove it, or see docs/reference/settings.md"
            )
            notes.warn("names", f"{one.name} is set, but nothing of precompute reads it", remedy)
        if not unknown:
            notes.ok("names", "every PRECOMPUTE_* variable that is set is read")

    def _in_the_clear(self, notes: Notes) -> None:
        settings = self._settings
        protocol = settings.kafka_security.security_protocol
        hosts = [server.rsplit(":", 1)[0] for server in settings.kafka_bootstrap_servers.split(",")]
        if not protocol.endswith("SSL") and not all(map(is_local, hosts)):
            sent = "passwords and records travel" if protocol.startswith("SASL") else "records travel"
            notes.warn(
                "Kafka's connection",
                f"{sent} unencrypted ({protocol})",
                "set PRECOMPUTE_KAFKA_SECURITY_PROTOCOL to SASL_SSL or SSL",
            )
        parts = urlsplit(settings.redis_url.get_secret_value())
        if "redis" in parts.scheme and "rediss" not in parts.scheme and not is_local(parts.hostname or ""):
            notes.warn(
                "Redis's connection", f"unencrypted ({parts.scheme}://)", "write REDIS_URL with rediss://"
            )
        if settings.auth == "off" and not is_local(settings.host):
            notes.warn(
                "keys",
                f"the API on {settings.host} asks nobody for a key",
                "unset PRECOMPUTE_AUTH and run `precompute keys create`, or keep its network closed",
            )

    def _values(self, notes: Notes) -> None:
        settings = self._settings
        if settings.lease_s >= _SESSION_TIMEOUT_S:
            notes.fail(
                "leases",
                f"PRECOMPUTE_LEASE_S={settings.lease_s:g} is not below the session timeout of 15 s",
                "set it to 10: a dead worker's keys would stay locked after its partitions moved on",
            )
        if (
            not settings.media_roots
            and not settings.media_hosts
            and "PRECOMPUTE_MEDIA_BUCKETS" not in os.environ
        ):
            notes.warn(
                "media",
                "no folder, host or bucket is allowed: every video is refused",
                "set PRECOMPUTE_MEDIA_ROOTS, _HOSTS or _BUCKETS for the workers",
            )
        else:
            notes.ok("values", "go together")


def is_local(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host in ("", "localhost")
