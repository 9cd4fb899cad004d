from __future__ import annotations

import asyncio

import pytest
from local_server import loopback_fetcher


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
