from __future__ import annotations

import gc
import socket

import pytest
from local_server import loopback_fetcher


@pytest.fixture
async def fetcher():
    async with loopback_fetcher(timeout=5.0) as made:
        yield made


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch):
    """Makes the system resolve names to the given answers in turn; gives the list of names asked."""

    def install(*answers: list[str]) -> list[str]:
        asked: list[str] = []
        remaining = list(answers)

        def getaddrinfo(host, port, **_):
            asked.append(host)
            return [(None, None, 0, "", (address, port)) for address in remaining.pop(0)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return install


@pytest.fixture(scope="module", autouse=True)
def what_is_left_open_is_told_here():
    """Not by a later test, in which garbage happens to be collected."""
    yield
    gc.collect()
