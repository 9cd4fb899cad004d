"""A load of HTTP requests that costs little: bare connections that are kept, requests made beforehand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count


@dataclass
class Load:
    """What came of a load.

    Attributes:
        latencies: Seconds of each request, in the order that they ended.
        seconds: Of all.
        last: Body of the last answer.
    """

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    last: bytes = b""


class AnswerError(Exception):
    """An answer that is no success; its first bytes."""


def send(port: int, requests: Sequence[bytes], *, clients: int, seconds: float = 0, total: int = 0) -> Load:
    """Send requests in turn from so many connections at once, each the next when its last was answered.

    Args:
        port: On the loopback interface.
        requests: Taken round and round.
        clients: Connections.
        seconds: To go on for; 0 to send `total` requests.
        total: Requests in all; 0 for as many as `seconds` allow.

    Raises:
        AnswerError: a request was not answered with 200.
    """
    return asyncio.run(_send(port, requests, clients, seconds, total))


async def _send(port: int, requests: Sequence[bytes], clients: int, seconds: float, total: int) -> Load:
    load, numbers, started = Load(), count(), time.perf_counter()

    def due() -> Iterator[bytes]:
        while (number := next(numbers)) < total if total else time.perf_counter() - started < seconds:
            yield requests[(number if total else next(numbers)) % len(requests)]

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for request in due():
                begun = time.perf_counter()
                writer.write(request)
                load.last = await _answer(reader)
                load.latencies.append(time.perf_counter() - begun)
        finally:
            writer.close()
            await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(clients)))
    load.seconds = time.perf_counter() - started
    return load


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 200"):
        raise AnswerError(body[:300])
    return body
