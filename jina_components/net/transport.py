"""Connections: a guarded network backend, and one connection pool for each event loop."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable
from types import TracebackType
from typing import Self

import httpcore
import httpx

from jina_components.net.guard import DEFAULT_PORTS, URLGuard
from jina_components.net.pool import Pool


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects over TCP to addresses that the guard has checked, and to nothing else.

    A name is resolved once and the socket opened to a checked address, while httpcore goes on to verify TLS
    and to pool connections by the name. A second DNS answer is never asked for.
    """

    def __init__(self, guard: URLGuard) -> None:
        self._guard = guard
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A stream to the first checked address that answers; they share `timeout` seconds equally."""
        addresses = await self._guard.resolve(host, port)
        share = None if timeout is None else timeout / len(addresses)
        failures: list[Exception] = []
        for address in addresses:
            try:
                return await self._backend.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failures.append(error)
        raise failures[0]


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over a pool whose only way out is a `GuardedBackend`; proxies are not used."""

    def __init__(self, guard: URLGuard, ssl_context: ssl.SSLContext | None = None) -> None:
        self._pool = Pool(GuardedBackend(guard), ssl_context or _usual_tls())


class ProxiedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport through a proxy, for one fetch.

    The guard checks the addresses of the proxy, which is connected to, and of the target, which is not: the proxy
    resolves its name again.
    """

    def __init__(self, guard: URLGuard, proxy: str, ssl_context: ssl.SSLContext | None = None) -> None:
        url, tls = httpx.URL(proxy), ssl_context or _usual_tls()
        self._guard = guard
        self._pool = httpcore.AsyncHTTPProxy(
            proxy_url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/"),
            proxy_auth=(url.username.encode(), url.password.encode()) if url.userinfo else None,
            ssl_context=tls,
            proxy_ssl_context=tls if url.scheme == "https" else None,
            network_backend=GuardedBackend(guard),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Check the target, then send the request by way of the proxy."""
        port = request.url.port or DEFAULT_PORTS[request.url.scheme]
        await self._guard.resolve(request.url.raw_host.decode(), port)
        return await super().handle_async_request(request)


class Connections:
    """One transport for each event loop that asks, since a connection belongs to the loop it was opened on.

    A loop that ends closes its transport (`asyncio.run` does; PEP 525), and so does `aclose`.

    Args:
        open_transport: Makes a transport; called on the first request of each loop.
    """

    def __init__(self, open_transport: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._open = open_transport
        self._pools: dict[asyncio.AbstractEventLoop, tuple[httpx.AsyncBaseTransport, AsyncGenerator[None, None]]] = {}

    def __reduce__(self) -> tuple[type[Connections], tuple[Callable[[], httpx.AsyncBaseTransport]]]:
        return Connections, (self._open,)

    async def transport(self) -> httpx.AsyncBaseTransport:
        """The transport of the running loop."""
        loop = asyncio.get_running_loop()
        if pool := self._pools.get(loop):
            return pool[0]
        for closed in [known for known in list(self._pools) if known.is_closed()]:
            self._pools.pop(closed, None)
        transport = self._open()
        lifetime = _lifetime(transport)
        self._pools[loop] = transport, lifetime
        await anext(lifetime)
        return transport

    async def aclose(self) -> None:
        """Close all connections; those of other loops are closed by their loop, soon after."""
        _, lifetime = self._pools.pop(asyncio.get_running_loop(), (None, None))
        self._pools.clear()
        if lifetime is not None:
            await lifetime.aclose()


class Connected:
    """A client with connections: closes them at the end of an `async with` block."""

    _connections: Connections

    async def aclose(self) -> None:
        """Close the connections; a later call opens new ones."""
        await self._connections.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


async def _lifetime(transport: httpx.AsyncBaseTransport) -> AsyncGenerator[None, None]:
    # A loop finalizes the async generators that began on it: when they are dropped, and at its shutdown.
    try:
        yield
    finally:
        await transport.aclose()


@functools.cache
def _usual_tls() -> ssl.SSLContext:
    """TLS settings shared by all transports: loading the certificates takes tens of milliseconds."""
    return httpx.create_ssl_context()
