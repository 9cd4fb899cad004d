"""A real HTTP server on the loopback interface, in a thread of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from jina_components.net import Fetcher, URLGuard
from jina_components.net.guarding_proxy import stop_listening

LOOPBACK = URLGuard(allow_networks=("127.0.0.0/8",))
# Trusts nobody, and unlike the usual context needs no time to load certificates.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def loopback_fetcher(**settings: Any) -> Fetcher:
    return Fetcher(**{"guard": LOOPBACK, "ssl_context": NO_TLS, **settings})


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Handler = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def http(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A whole response; underscores in header names stand for dashes."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class LocalServer:
    """Answers each path with the next of its responses (the last one for ever), or with a handler."""

    routes: dict[str, list[bytes] | Handler] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    scheme: str = "http"

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        return [request.path for request in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(await _read_request(reader), writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away, as some tests want it to
        finally:
            writer.close()

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        self.received.append(request)
        route = self.routes.get(request.path, [http(404)])
        if callable(route):
            await route(request, writer)
            return False
        writer.write(route.pop(0) if len(route) > 1 else route[0])
        await writer.drain()
        return True


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:-2])}
    return Received(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))


class ServerThread:
    """An event loop in a thread, on which servers run."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.servers: list[asyncio.Server] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.thread.start()

    def start(self, server: LocalServer, context: ssl.SSLContext | None = None) -> LocalServer:
        # No coroutine, for one that is cancelled before its first step does nothing, and would close nothing.
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.writers.append(writer)
            self.loop.create_task(server.serve(reader, writer))

        listening = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(accept, "127.0.0.1", 0, ssl=context), self.loop
        ).result()
        self.servers.append(listening)
        server.port = listening.sockets[0].getsockname()[1]
        server.scheme = "https" if context else "http"
        return server

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._shut_down(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _shut_down(self) -> None:
        for server in self.servers:
            await stop_listening(server)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self.writers:
            writer.transport.abort()  # closing would wait for somebody to take what is unsent
        await asyncio.sleep(0)
