from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from net_server import LocalServer, ServerThread, loopback_fetcher


@pytest.fixture
def start_server() -> Iterator[Callable[..., LocalServer]]:
    thread = ServerThread()
    yield lambda context=None: thread.start(LocalServer(), context)
    thread.stop()


@pytest.fixture
def server(start_server: Callable[..., LocalServer]) -> LocalServer:
    return start_server()


@pytest.fixture
async def fetcher():
    async with loopback_fetcher(timeout=5.0) as made:
        yield made


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch):
    """Makes the running loop resolve names to the given answers in turn; gives the list of names asked."""

    def install(*answers: list[str]) -> list[str]:
        asked: list[str] = []
        remaining = list(answers)

        async def getaddrinfo(host, port, **_):
            asked.append(host)
            return [(None, None, 0, "", (address, port)) for address in remaining.pop(0)]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return asked

    return install
