"""A service behind a port: listens, answers, and ends without losing what it took on."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import re
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import HANDLED_SIGNALS

from jina_components.errors import ConfigError
from jina_components.service.calls import Access
from jina_components.service.components import Components
from jina_components.service.logs import LogFormat, logging_config
from jina_components.service.memory import watch_memory
from jina_components.service.telemetry import exported_spans

logger = logging.getLogger(__name__)

_LAST_PORT = 65535
# Connections that may wait to be accepted.
_BACKLOG = 2048
# Seconds that an idle connection is kept: longer than clients and proxies keep theirs, so that they are who closes it.
_KEEP_ALIVE = 75
# Seconds for the head of a request, or for what comes of a body after its answer.
_HEAD_SECONDS = 30.0
# Bytes of a head, or of whatever else of a request is not its body.
_HEAD_BYTES = 64 * 1024
# Seconds in which a client has to take some of what waits for it.
_UNSENT_SECONDS = 60.0
# Seconds that idle connections stay when the service ends, for requests that are on their way.
_LAST_CALL = 1.0
# Seconds that a thread may compute while another waits: a pass of a model has a hundred steps, each of which would wait
# the usual 5 ms for the event loop when requests come in. A tenth more of them are answered.
_SWITCH = 0.0005
# Seconds for requests that were cancelled.
_CANCELLED = 5.0

# An offer of HTTP/2, which Java's client makes with every request: its parser would take the body for that.
_OFFER = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)  # fmt: skip


def serve(
    app: FastAPI,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    uds: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    trusted_proxies: Sequence[str] = (),
    is_open: bool = False,
    log_format: LogFormat = "json",
    drain_seconds: float = 30.0,
    on_listening: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; a second SIGINT ends the process at once.

    It is a program's: it configures logging, to standard error, exports spans where `OTEL_EXPORTER_OTLP_ENDPOINT` says
    so, lets threads take turns more often, and looks after the memory of the process.

    Args:
        app: As `create_app` makes it.
        host: Name or address to listen on; only the loopback interface for a service that needs no keys, unless
            `is_open`.
        port: 0 for any.
        uds: A Unix socket to listen on instead.
        certificate: PEM file of the certificate chain, for https.
        key: PEM file of its key; None where the certificate's file holds it.
        trusted_proxies: Addresses and networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed;
            `*` for everybody's.
        is_open: Whether strangers may use a service that needs no keys.
        log_format: `json`, an object a line, or `text`.
        drain_seconds: How long requests in work may take when the service ends; the rest is cancelled.
        on_listening: Called with the URL when connections are accepted.

    Raises:
        ConfigError: it cannot listen there, or must not; there is no such port; the certificate cannot be used.
        MissingDependencyError: spans are to be exported, and the extra `telemetry` is not installed.
        JinaComponentsError: a model cannot be warmed up, the database or Redis cannot be used.
    """
    if not 0 <= port <= _LAST_PORT:
        raise ConfigError(f"There is no port {port}: ports are 0 to {_LAST_PORT}, 0 for any that is free.")
    access: Access = app.state.access
    components: Components = app.state.components
    if certificate is not None:
        _check_certificate(certificate, key)
    listening = _unix_socket(uds) if uds is not None else _tcp_socket(host, port, is_safe=access.needs_keys or is_open)
    sys.setswitchinterval(_SWITCH)
    with listening, exported_spans():
        config = configured(
            app,
            log_config=logging_config(log_format),
            ssl_certfile=certificate,
            ssl_keyfile=key,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=[*trusted_proxies],
        )
        url = _url(listening, is_tls=certificate is not None)
        server = Server(
            config,
            app,
            drain_seconds=drain_seconds,
            on_listening=lambda: on_listening(url) if on_listening else None,
            beside=lambda: watch_memory(lambda: (components.embedders.held, components.rerankers.held)),
        )
        try:
            server.run(sockets=[listening])
        except SystemExit:  # of uvicorn, where the application cannot start
            if app.state.failure is None:
                raise
    if uds is not None:
        uds.unlink(missing_ok=True)
    if app.state.failure is not None:
        raise app.state.failure


def configured(app: FastAPI, **others: Any) -> uvicorn.Config:  # noqa: ANN401 (those of uvicorn)
    """How uvicorn serves an application, for `Server`."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        access_log=False,  # it would hold URLs
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        **{"proxy_headers": False, **others},
    )


class Connection(HttpToolsProtocol):
    """A connection that holds no more than a head's worth of what is no body, and does not wait for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._loose_bytes = 0
        self._is_in_body = False
        self._head_since: float | None = self.loop.time()
        self._unsent, self._unsent_since = 0, 0.0

    def data_received(self, data: bytes) -> None:
        """Parse, unless too much came that was neither a finished head nor a body; offers to upgrade are ignored."""
        if self._head_since is None and self.is_idle:
            self._head_since = self.loop.time()
        self._loose_bytes += len(data)
        if not self._is_in_body:
            head, end, rest = data.partition(b"\r\n\r\n")
            if _OFFER.search(head):
                data = _OFFER.sub(b"\r\nx-upgrade:", head) + end + rest
        super().data_received(data)
        if self._loose_bytes > _HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Begin a request."""
        self._head_since, self._loose_bytes, self._is_in_body = None, 0, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._loose_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a body."""
        self._loose_bytes, self._is_in_body = 0, False
        super().on_message_complete()

    @property
    def is_idle(self) -> bool:
        """Whether no request is worked on."""
        return self.cycle is None or self.cycle.response_complete

    def shutdown(self) -> None:
        """The answer in work closes the connection. An idle one is kept a moment: a request may be on its way."""
        if not self.is_idle:
            self.cycle.keep_alive = False

    def close_if_idle(self) -> None:
        """Close a connection on which nothing was begun; the second call does not wait for the client."""
        if not self.is_idle or self._loose_bytes:
            return
        if self.transport.is_closing():  # and its client does not answer that TLS ends
            self.transport.abort()
        elif not self.transport.get_write_buffer_size():
            self.transport.close()

    def check(self, now: float) -> None:
        """Close a connection whose client sends its head, or takes its answer, too slowly."""
        if self._head_since is not None and now - self._head_since > _HEAD_SECONDS:
            self.transport.close()
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > _UNSENT_SECONDS:
            self.transport.abort()


class Server(uvicorn.Server):
    """Uvicorn's, which ends gracefully.

    Args:
        config: As `configured` makes it.
        app: What it serves.
        drain_seconds: How long requests in work may take when the server ends.
        on_listening: Called when connections are accepted.
        beside: What to do beside, until the end.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        app: FastAPI,
        *,
        drain_seconds: float,
        on_listening: Callable[[], None],
        beside: Callable[[], Coroutine[None, None, None]] | None = None,
    ) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._on_listening = on_listening
        self._beside = beside
        self._task: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self._beside is not None:
            self._task = asyncio.create_task(self._beside())
        self._on_listening()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end."""
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in self._connections():
                connection.check(now)
        return await super().on_tick(counter) or self._app.state.failure is not None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer what was asked, cancel what takes too long, and close everything."""
        state = self._app.state
        state.ready, state.ending = False, True
        logger.info("The service ends; requests in work: %d.", len(self.server_state.tasks))
        waiting = self._stop_listening(sockets or [])
        for connection in self._connections():
            connection.shutdown()
        try:
            async with asyncio.timeout(self._drain_seconds):
                await asyncio.gather(*map(self._connect, waiting), return_exceptions=True)
                await self._drain()
        except TimeoutError:
            await self._cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.lifespan.shutdown()

    def _stop_listening(self, sockets: list[socket.socket]) -> list[socket.socket]:
        """The connections that nobody has accepted yet, which closing the sockets alone would reset."""
        spare = [listening.dup() for listening in sockets]
        for server in self.servers:
            server.close()
        for listening in sockets:
            listening.close()
        waiting: list[socket.socket] = []
        for listening in spare:
            with listening, suppress(BlockingIOError):
                listening.setblocking(False)
                while True:
                    waiting.append(listening.accept()[0])
        return waiting

    async def _connect(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: Connection(self.config, self.server_state, self.lifespan.state), accepted, ssl=self.config.ssl
        )

    async def _drain(self) -> None:
        last_call = asyncio.get_running_loop().time() + _LAST_CALL
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.05)
            if (now := asyncio.get_running_loop().time()) > last_call:
                last_call = now + _LAST_CALL
                for connection in self._connections():
                    connection.close_if_idle()

    async def _cancel(self) -> None:
        tasks = [*self.server_state.tasks]
        logger.warning("Cancelled after %g seconds; requests in work: %d.", self._drain_seconds, len(tasks))
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCELLED)
        await asyncio.sleep(0.05)  # for what was written
        for connection in self._connections():
            connection.transport.abort()

    def _connections(self) -> list[Connection]:
        return [each for each in self.server_state.connections if isinstance(each, Connection)]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the server, not the process: what called it may go on."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (as signals have it)
        """End; at once when Ctrl-C is pressed again, whatever threads are busy with."""
        if self.should_exit and sig == signal.SIGINT:
            os._exit(128 + sig)
        self.should_exit = True


def _check_certificate(certificate: Path, key: Path | None) -> None:
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except OSError as error:  # which those of ssl are too
        why = error.strerror or error
        raise ConfigError(f"The certificate {certificate} and its key cannot be used: {why}.") from error


def _tcp_socket(host: str, port: int, *, is_safe: bool) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigError: it cannot, or strangers could reach a service that needs no keys.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        if not is_safe and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
            raise ConfigError(
                f"Without keys, everybody who reaches {host} could use the service: pass --keys, listen on 127.0.0.1 "
                "or on a Unix socket behind a proxy that knows its users, or pass --open-to-network."
            )
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on port {port} of {host}: {error.strerror or error}. Choose another."
        ) from error


def _unix_socket(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket() and not _is_heard(path):
            path.unlink()  # of a process that was killed
        listening.bind(str(path))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError(f"Cannot listen on {path}: {error.strerror or error}.") from error
    return listening


def _is_heard(path: Path) -> bool:
    """Whether a process listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trying:
        try:
            trying.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def _url(listening: socket.socket, *, is_tls: bool) -> str:
    if listening.family == socket.AF_UNIX:
        return f"unix:{listening.getsockname()}"
    host, port = listening.getsockname()[:2]
    return f"http{'s' * is_tls}://{f'[{host}]' if ':' in host else host}:{port}"
