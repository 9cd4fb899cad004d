"""The URL guard: which URLs and addresses a fetch of somebody else's URL may reach (SSRF protection)."""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

import httpx

from jina_components.errors import BlockedURLError, ConfigError, WebError
from jina_components.net.names import addresses_of
from jina_components.types import shorten

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

DEFAULT_PORTS = {"http": 80, "https": 443}

# IANA special-purpose registries (RFC 6890 and updates), spelled out because `is_global` differs between
# Python versions. The first match names the reason; the last three leave only 2000::/3, global unicast.
_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud platform"),  # Azure's wire server, on a public address
        ("169.254.0.0/16", "link-local or cloud metadata"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b:1::/48", "local-use NAT64"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "unique-local or cloud metadata"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("::/3", "reserved"),
        ("4000::/2", "reserved"),
        ("8000::/1", "reserved"),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class URLGuard:
    """Lets a URL pass when it is http(s) and every address behind its host is on the public Internet.

    IPv4 addresses inside IPv6 ones are seen through or refused. What cannot be seen is a NAT64 under a prefix
    of the network operator's own (RFC 6052), whose addresses look like any other.

    Attributes:
        allow_networks: Networks that may be reached although they are not public, in CIDR form:
            `("127.0.0.0/8", "::1")` for tests, the ranges of an intranet.
        allow_ports: The only ports that may be reached, or None for any.

    Raises:
        ConfigError: a network or a port cannot be read.
    """

    allow_networks: tuple[str, ...] = ()
    allow_ports: tuple[int, ...] | None = None
    _networks: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.allow_networks, str):
            raise ConfigError(f"allow_networks must be a tuple, got a str: pass ({self.allow_networks!r},).")
        try:
            networks = tuple(ipaddress.ip_network(network) for network in self.allow_networks)
            ports = None if self.allow_ports is None else tuple(int(port) for port in self.allow_ports)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"allow_networks takes CIDR networks, allow_ports numbers: {error}.") from error
        object.__setattr__(self, "allow_networks", tuple(self.allow_networks))
        object.__setattr__(self, "allow_ports", ports)
        object.__setattr__(self, "_networks", networks)

    def check(self, url: str) -> str:
        """`url` normalised (IDNA host, no trailing dot, no fragment), if nothing offline speaks against it.

        A host that is an address in any notation (`2130706433`, `0x7f.1`, `[::ffff:127.0.0.1]`) is checked
        here; the addresses of a name are checked when it is resolved.

        Raises:
            BlockedURLError: scheme, user information, host, port or literal address is refused.
        """
        try:
            parsed = httpx.URL(url)
            host = parsed.raw_host.decode("ascii").removesuffix(".")
            shown = str(parsed.copy_with(userinfo=b"", host=host, fragment=None))
        except (httpx.InvalidURL, ValueError) as error:
            raise BlockedURLError(f"{shorten(url, 200)!r} is not a valid URL: {error}.", url) from error
        if reason := self._objection(parsed, host):
            raise BlockedURLError(f"{shown!r} is refused: {reason}.", shown)
        return shown

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """Addresses of `host` in the system's order of preference, all of them checked.

        Connect to one of these and to nothing else: if the name were resolved again, the answer could differ
        from the one checked (DNS rebinding).

        Raises:
            BlockedURLError: any of the addresses is refused.
            WebError: the name does not resolve.
        """
        try:
            found = await addresses_of(host, port)
        except (OSError, UnicodeError) as error:
            raise WebError(
                f"The host name {host!r} does not resolve ({error}); check its spelling and the network."
            ) from error
        addresses = tuple(dict.fromkeys(found))
        for address in addresses:
            if reason := self._address_objection(ipaddress.ip_address(address)):
                raise BlockedURLError(f"{host} is refused: {reason}.")
        return addresses

    def _objection(self, url: httpx.URL, host: str) -> str | None:
        if url.scheme not in DEFAULT_PORTS:
            return f"only http and https are fetched, not {url.scheme!r}"
        if url.userinfo:
            return "it carries a user name or password; pass credentials as a header instead"
        port = DEFAULT_PORTS[url.scheme] if url.port is None else url.port
        if not 0 < port < 65536 or (self.allow_ports is not None and port not in self.allow_ports):
            return f"port {port} is not allowed; see URLGuard(allow_ports=…)"
        if "%" in host or (":" not in host and not _HOST_NAME.fullmatch(host)):
            return f"{shorten(host)!r} is not a host name"
        literal = _literal(host)
        return self._address_objection(literal) if literal else None

    def _address_objection(self, address: Address) -> str | None:
        reached = _unwrap(address)
        if any(reached in network for network in self._networks):
            return None
        reason = next((why for network, why in _REFUSED if reached in network), None)
        if reason is None and _is_isatap(reached):
            reason = "ISATAP"
        return reason and f"{address} is no public address ({reason}); see URLGuard(allow_networks=…)"


def _literal(host: str) -> Address | None:
    """The address that `host` spells in any notation the resolver would read as one, or None for a name."""
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    with suppress(OSError):
        return IPv4Address(socket.inet_aton(host))
    return None


def _unwrap(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped or NAT64 (RFC 6052) address leads to; else the address itself."""
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_isatap(address: Address) -> bool:
    """Whether the interface identifier embeds an IPv4 address the way of RFC 5214, under any prefix."""
    return address.version == 6 and (int(address) >> 32) & 0xFDFFFFFF == 0x00005EFE
