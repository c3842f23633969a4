"""How the local broker and cache are closed: TLS, who may come in, what each may do."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

#: The broker's own user, which no access list binds; also the common name of its certificate.
BROKER_USER = "broker"
_KEYSTORE = "server.pem"
#: The common name of a certificate is its user's name.
_NAME_OF_SUBJECT = "RULE:^(?:.*,)?CN=([^,]+).*$/$1/,DEFAULT"
_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files: who signs, a server's or client's certificate, its key (PKCS#8, not encrypted)."""

    ca: Path
    certificate: Path
    key: Path


class BrokerSecurity(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The one listener of a local broker.

    With `SASL_SSL` the `users` (name: password) come in by password; with `SSL` whoever holds a certificate
    of the CA does, its common name being the user. `authorizer` refuses each what no access list allows.
    The certificate of `tls` must be for 127.0.0.1 and have the common name `broker`.
    """

    tls: TlsFiles
    protocol: Literal["SSL", "SASL_SSL"] = "SASL_SSL"
    mechanisms: tuple[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], ...] = ("SCRAM-SHA-512",)
    users: Mapping[str, str] = {}
    authorizer: bool = False

    @cached_property
    def broker_password(self) -> str:
        return secrets.token_hex(16)

    @property
    def _passwords(self) -> dict[str, str]:
        return {BROKER_USER: self.broker_password, **self.users}

    def properties(self, broker: str, folder: Path) -> dict[str, str]:
        """What goes into server.properties; writes the key store into the server's `folder`."""
        store = folder / _KEYSTORE
        store.touch(mode=0o600)
        store.write_text(self.tls.key.read_text() + self.tls.certificate.read_text())
        asks = "required" if self.protocol == "SSL" else "none"
        return {
            "advertised.listeners": f"{self.protocol}://{broker}",
            "listener.security.protocol.map": f"{self.protocol}:{self.protocol},CONTROLLER:SSL",
            "inter.broker.listener.name": self.protocol,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": _KEYSTORE,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.tls.ca),
            "ssl.principal.mapping.rules": _NAME_OF_SUBJECT,
            f"listener.name.{self.protocol.lower()}.ssl.client.auth": asks,
            "listener.name.controller.ssl.client.auth": "required",
            **(self._login() if self.protocol == "SASL_SSL" else {}),
            **(_AUTHORIZER if self.authorizer else {}),
        }

    def format_arguments(self) -> list[str]:
        """For the tool that prepares the storage: passwords of SCRAM are kept there."""
        kept = [name for name in self.mechanisms if name != "PLAIN" and self.protocol == "SASL_SSL"]
        return [
            argument
            for mechanism in kept
            for user, password in self._passwords.items()
            for argument in ("--add-scram", f"{mechanism}=[name={user},password={password}]")
        ]

    def admin_config(self) -> dict[str, str]:
        """For a confluent-kafka client that comes as the broker's own user."""
        conf = {"security.protocol": self.protocol, "ssl.ca.location": str(self.tls.ca)}
        if self.protocol == "SSL":
            return conf | {
                "ssl.certificate.location": str(self.tls.certificate),
                "ssl.key.location": str(self.tls.key),
            }
        return conf | {
            "sasl.mechanism": self.mechanisms[0],
            "sasl.username": BROKER_USER,
            "sasl.password": self.broker_password,
        }

    def _login(self) -> dict[str, str]:
        own = f'username="{BROKER_USER}" password="{self.broker_password}"'
        known = "".join(f' user_{name}="{password}"' for name, password in self._passwords.items())
        modules = {
            f"listener.name.sasl_ssl.{name.lower()}.sasl.jaas.config": (
                f"{_LOGIN_MODULES[name]} required {own}{known if name == 'PLAIN' else ''};"
            )
            for name in self.mechanisms
        }
        return {
            "sasl.enabled.mechanisms": ",".join(self.mechanisms),
            "sasl.mechanism.inter.broker.protocol": self.mechanisms[0],
            **modules,
        }


_AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{BROKER_USER}",
    "allow.everyone.if.no.acl.found": "false",
}


class CacheSecurity(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """TLS alone on the cache's port; `users` are rules of ACL SETUSER by name (`>password ~pc:* +@read`).

    Where there are users, the default one, that nobody named, is off.
    """

    tls: TlsFiles | None = None
    users: Mapping[str, str] = {}

    @cached_property
    def admin_password(self) -> str:
        return secrets.token_hex(16)

    def directives(self, port: int) -> dict[str, str]:
        """What goes into valkey.conf."""
        if self.tls is None:
            return {}
        return {
            "port": "0",
            "tls-port": str(port),
            "tls-cert-file": str(self.tls.certificate),
            "tls-key-file": str(self.tls.key),
            "tls-ca-cert-file": str(self.tls.ca),
            "tls-auth-clients": "no",
        }

    def access_list(self) -> str:
        """The file of users, with an `admin` of the broker's own kind."""
        users = {"admin": f">{self.admin_password} ~* &* +@all", **self.users}
        return "user default off\n" + "".join(f"user {name} on {rules}\n" for name, rules in users.items())
