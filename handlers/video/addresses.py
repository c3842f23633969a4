"""Which addresses of the internet a download may connect to."""

from __future__ import annotations

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Networks that `is_global` of Python 3.11 passes although they are not the public internet: multicast,
#: NAT64 and 6to4 (both hide a private IPv4 address), Teredo, site-local.
_HIDDEN = tuple(
    ipaddress.ip_network(text)
    for text in (
        "224.0.0.0/4",
        "240.0.0.0/4",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "fec0::/10",
        "ff00::/8",
    )
)


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, and only that."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return is_public(mapped)
    if any(address in net for net in _HIDDEN if net.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int) -> list[Address]:
    """Every address of a host; raises `OSError` where the name does not resolve."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
