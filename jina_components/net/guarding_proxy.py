"""A forward proxy on the loopback interface, by which a browser reaches only what the URL guard lets pass.

Names are resolved here, once for each connection, and the connection goes to the address that was checked: what the
browser itself believes a name to be does not matter, so that DNS rebinding has nothing to hold on to.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import ssl
from collections.abc import Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass

import httpx

from jina_components.errors import BlockedURLError, WebError
from jina_components.net.guard import DEFAULT_PORTS, URLGuard
from jina_components.net.passage import Passage, PassageLimits

CONNECT_SECONDS = 10.0
READY_URL = "http://proxy-is-ready.invalid/"  # answered here: who asks for it has the password at hand from then on
_HEAD_SECONDS = 10.0
_HEAD_BYTES = 262_144
_CHUNK = 65_536
_LENGTH = re.compile(r"[0-9]{1,18}")
# RFC 9110, section 7.6.1: these concern one connection, and end here.
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "upgrade")
)

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class _Head:
    """The first line of a message, in its three parts, and the header fields."""

    line: tuple[str, str, str]
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        return next((value for key, value in self.fields if key.lower() == name), "")

    @property
    def length(self) -> int | None:
        """Bytes of the body, where the head says so."""
        declared = self.get("content-length")
        return int(declared) if _LENGTH.fullmatch(declared) and not self.get("transfer-encoding") else None

    def without(self, names: Collection[str]) -> tuple[tuple[str, str], ...]:
        """The fields but those of these names in lower case."""
        return tuple(field for field in self.fields if field[0].lower() not in names)

    def encode(self) -> bytes:
        """The message's head for the next connection, which it ends."""
        kept = [f"{name}: {value}" for name, value in self.without(_HOP_BY_HOP)]
        return "\r\n".join([" ".join(self.line), *kept, "Connection: close", "", ""]).encode("latin-1")


class GuardingProxy:
    """Forwards HTTP requests and CONNECT tunnels (RFC 9110, section 9.3.6) of those who hold a `Passage`.

    Everybody else on the machine gets a 407. Belongs to the event loop it was started on.

    Args:
        guard: What may be reached.
        ssl_context: For a further proxy that is spoken to over TLS; None for the usual one.
    """

    def __init__(self, guard: URLGuard, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._ssl_context = ssl_context
        self._passages: dict[str, Passage] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port it listens on, of 127.0.0.1; 0 when it does not."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES)

    async def aclose(self) -> None:
        """Stop listening and end all connections."""
        if self._server is not None:
            server, self._server = self._server, None
            await stop_listening(server)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # a transport that is closed closes its socket in the loop's next turn

    def open(self, *, limits: PassageLimits, upstream: str = "") -> Passage:
        """A way out for one job.

        Args:
            limits: What the job may use.
            upstream: URL of an http(s) proxy to go through, user and password included, or empty. It must itself
                pass the guard, and is asked for tunnels to the addresses checked here, to port 80 too.
        """
        passage = Passage(limits=limits, upstream=upstream)
        self._passages[passage.username] = passage
        return passage

    def end(self, passage: Passage) -> None:
        """End the job's connections; its password is worth nothing from now on."""
        self._passages.pop(passage.username, None)
        passage.shut("the job is over")

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # No coroutine, for one that is cancelled before its first step does nothing, and would close nothing.
        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            writer.transport.abort()  # closing would wait for the peer to take what is unsent

        task = asyncio.get_running_loop().create_task(self._handle(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(end)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A lost or ended connection is an everyday event here, and nobody is left to tell.
        with suppress(OSError, EOFError):
            await self._serve(reader, writer)
            writer.close()
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = await _read_head(reader)
        passage = self._passage_of(head)
        if passage is None:
            await _answer(writer, 407, "Authentication is needed.", "Proxy-Authenticate: Basic realm=guard\r\n")
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (this is a coroutine of one)
        passage.enter(task)
        method, target, _ = head.line
        if target == READY_URL:
            await _answer(writer, 200, "")
            return
        tunnel = method == "CONNECT"
        try:
            url = self._guard.check(_tunnelled(target) if tunnel else target)
            forward = await self._prepared(passage, head, url, tunnel=tunnel, client=(reader, writer))
        except WebError as error:
            passage.record(target, error)
            status = 403 if isinstance(error, BlockedURLError) else 502
            await _answer(writer, status, error.message)
            return
        await forward

    async def _prepared(
        self, passage: Passage, head: _Head, url: str, *, tunnel: bool, client: _Streams
    ) -> Coroutine[None, None, None]:
        """The forwarding, once there is a connection."""
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
        if not tunnel and parsed.scheme != "http":
            raise BlockedURLError(f"{url} is refused: it must come through a tunnel.", url)
        if not tunnel and head.get("transfer-encoding"):
            raise WebError(f"{url} cannot be sent: a body of unknown length is not supported.", url)
        passage.admit(host)
        server = await self._connect(passage, host, parsed.port or DEFAULT_PORTS[parsed.scheme])
        if tunnel:
            return _tunnel(passage, client, server)
        # RFC 9112, section 3.2.2: the host that was checked, and not one of another name at the same address.
        fields = (("Host", parsed.netloc.decode("ascii")), *head.without(("host",)))
        request = _Head((head.line[0], parsed.raw_path.decode("ascii"), "HTTP/1.1"), fields)
        return _exchange(passage, request, client, server)

    async def _connect(self, passage: Passage, host: str, port: int) -> _Streams:
        addresses = await self._guard.resolve(host, port)
        if not passage.upstream:
            return await _dial(host, addresses, port)
        proxy = httpx.URL(passage.upstream)
        proxy_host = proxy.raw_host.decode("ascii")
        if proxy.scheme not in DEFAULT_PORTS:
            raise WebError(f"A proxy must be an http or https URL, not {proxy.scheme!r}.")
        proxy_port = proxy.port or DEFAULT_PORTS[proxy.scheme]
        self._guard.check(f"{proxy.scheme}://{proxy.netloc.decode('ascii')}/")
        context = (self._ssl_context or httpx.create_ssl_context()) if proxy.scheme == "https" else None
        streams = await _dial(proxy_host, await self._guard.resolve(proxy_host, proxy_port), proxy_port, context)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await _ask_tunnel(proxy, addresses[0], port, streams)
        except BaseException as error:
            streams[1].transport.abort()
            if isinstance(error, OSError | EOFError):
                raise WebError(f"The proxy {proxy_host}:{proxy_port} gives no tunnel to {host} ({error}).") from error
            raise
        return streams

    def _passage_of(self, head: _Head) -> Passage | None:
        scheme, _, packed = head.get("proxy-authorization").partition(" ")
        try:
            username, _, password = base64.b64decode(packed, validate=True).decode("ascii").partition(":")
        except ValueError:
            return None
        passage = self._passages.get(username)
        if scheme.lower() != "basic" or passage is None or not hmac.compare_digest(password, passage.password):
            return None
        return passage


async def stop_listening(server: asyncio.Server) -> None:
    """Close a server once its callback has every connection that was accepted; one of TLS may still shake hands.

    A connection that is on its way there when its server closes would stay open: CPython issue 109564.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(2):  # turns of the loop: a transport is made, and the callback is called
        await asyncio.sleep(0)
    server.close()


def _tunnelled(authority: str) -> str:
    """A URL for what a tunnel leads to, which is told from it by its port: http at 80, else https."""
    return f"http://{authority}/" if authority.endswith(":80") else f"https://{authority}/"


async def _read_head(reader: asyncio.StreamReader) -> _Head:
    try:
        first, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")[:-4].split("\r\n")
    except asyncio.LimitOverrunError as error:
        raise ConnectionError(f"the head of its message exceeds {_HEAD_BYTES:,} bytes") from error
    method, _, rest = first.partition(" ")
    target, _, version = rest.partition(" ")
    pairs = (line.partition(":") for line in fields)
    return _Head((method, target, version), tuple((name.strip(), value.strip()) for name, _, value in pairs))


async def _answer(writer: asyncio.StreamWriter, status: int, message: str, fields: str = "") -> None:
    body = message.encode()
    head = (
        f"HTTP/1.1 {status} Guarded\r\n{fields}Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()


async def _dial(host: str, addresses: tuple[str, ...], port: int, context: ssl.SSLContext | None = None) -> _Streams:
    """A connection to the first of the addresses that answers; they share the time equally."""
    failure: Exception | None = None
    for address in addresses:
        try:
            async with asyncio.timeout(CONNECT_SECONDS / len(addresses)):
                return await asyncio.open_connection(
                    address, port, limit=_HEAD_BYTES, ssl=context, server_hostname=host if context else None
                )
        except (OSError, TimeoutError) as error:
            failure = error
    reason = str(failure) or type(failure).__name__
    raise WebError(f"{host}:{port} cannot be reached ({reason}); check the URL and the network.") from failure


async def _ask_tunnel(proxy: httpx.URL, address: str, port: int, streams: _Streams) -> None:
    """Have a further proxy open a tunnel.

    Raises:
        ConnectionError: it refuses.
    """
    reader, writer = streams
    target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.userinfo:
        secret = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {secret}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await writer.drain()
    status = (await _read_head(reader)).line[1]
    if not status.startswith("2"):
        raise ConnectionError(f"it answered {status}")


async def _tunnel(passage: Passage, client: _Streams, server: _Streams) -> None:
    try:
        client[1].write(b"HTTP/1.1 200 Connected\r\n\r\n")
        async with asyncio.TaskGroup() as both:
            both.create_task(_forward(passage, client[0], server[1]))
            both.create_task(_forward(passage, server[0], client[1]))
    except* OSError:
        pass  # one side is gone, and so is the other now
    finally:
        server[1].transport.abort()


async def _exchange(passage: Passage, request: _Head, client: _Streams, server: _Streams) -> None:
    """One request and its response; neither connection carries another, which might be for another host."""
    server[1].write(request.encode())
    try:
        await _pump(passage, client[0], server[1], request.length or 0)
        async with asyncio.TaskGroup() as both:
            answer = both.create_task(_respond(passage, request, server, client[1]))
            gone = both.create_task(_read_out(client[0]))
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            answer.cancel()
    except* (OSError, EOFError):
        pass  # one side is gone, and so is the other now
    finally:
        server[1].transport.abort()


async def _read_out(reader: asyncio.StreamReader) -> None:
    """Wait for the end of a stream, of which nothing more is wanted."""
    while await reader.read(_CHUNK):
        pass


async def _respond(passage: Passage, request: _Head, server: _Streams, client: asyncio.StreamWriter) -> None:
    while True:
        head = await _read_head(server[0])
        encoded = head.encode()
        passage.count(len(encoded))
        if not head.line[1].startswith("1"):  # an interim response, of which no browser minds the lack
            break
    client.write(encoded)
    is_bodiless = request.line[0] == "HEAD" or head.line[1] in ("204", "304")
    await _pump(passage, server[0], client, 0 if is_bodiless else head.length)


async def _pump(
    passage: Passage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int | None = None
) -> None:
    """Carry `size` bytes, or all that come."""
    while size != 0 and (chunk := await reader.read(_CHUNK if size is None else min(size, _CHUNK))):
        size = None if size is None else size - len(chunk)
        passage.count(len(chunk))
        writer.write(chunk)
        await writer.drain()


async def _forward(passage: Passage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _pump(passage, reader, writer)
    if writer.can_write_eof():
        writer.write_eof()
