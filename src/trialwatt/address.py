"""host:port in one text, and apart again: the address of IPv6, which has colons, is in brackets."""

from __future__ import annotations


def joined(host: str, port: int) -> str:
    """As it stands in a URL: 10.0.0.7:8080, [fd00::7]:8080."""
    return f"{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """A host as it stands before a port. An address of IPv6 has two colons and more."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def parted(address: str) -> tuple[str, int]:
    """Host, as a socket takes it, and port. Raises ValueError where there is no port."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)
