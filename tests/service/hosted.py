"""Jina's hosts on the loopback interface, for clients in which their addresses are written down."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import trustme

HOSTS = ("api.jina.ai", "r.jina.ai", "s.jina.ai", "g.jina.ai", "deepsearch.jina.ai", "segment.jina.ai")


class Authority:
    """A throw-away certificate authority, and the certificate of all of Jina's hosts."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.bundle = folder / "authority.pem"
        self._key = folder / "hosts.pem"
        authority.cert_pem.write_to_path(self.bundle)
        authority.issue_cert(*HOSTS, "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(self._key)

    @property
    def server_options(self) -> dict[str, Any]:
        """What a server needs to be one of the hosts."""
        return {"ssl_certfile": self._key, "ssl_version": ssl.PROTOCOL_TLS_SERVER}


@contextmanager
def hosts_at(port: int, authority: Authority) -> Iterator[None]:
    """Names of the hosts lead to this port, and their certificates are trusted."""
    ask = socket.getaddrinfo

    def answer(host: Any, asked_port: Any, *others: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return ask("127.0.0.1", port, *others, **more) if name in HOSTS else ask(host, asked_port, *others, **more)

    trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), str(authority.bundle))
    with mock.patch.object(socket, "getaddrinfo", answer), mock.patch.dict(os.environ, trusted):
        yield
