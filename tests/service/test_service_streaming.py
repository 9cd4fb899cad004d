"""Streams of events: silence, failures and ends, without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.background import BackgroundTask

from jina_components.errors import WebError
from jina_components.service import streaming
from jina_components.service.streaming import stream


class Source:
    """Gives two events, silence between them for as long as nobody says go on, and fails where it is told to."""

    def __init__(self, *, fails_at: int = 9) -> None:
        self.go_on = asyncio.Event()
        self.has_ended = False
        self._fails_at = fails_at

    async def events(self) -> AsyncGenerator[bytes, None]:
        try:
            async with asyncio.timeout(60):  # of the task that entered it
                for number in range(2):
                    if number == self._fails_at:
                        raise WebError("It broke.")
                    yield f"{number}".encode()
                    await self.go_on.wait()
        finally:
            self.has_ended = True


async def receive() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


class Client:
    """Notes what it is sent, and tells a source to go on once there was silence."""

    def __init__(self, source: Source) -> None:
        self.pieces: list[bytes] = []
        self.was_silent = asyncio.Event()
        self._source = source

    async def send(self, message: dict[str, Any]) -> None:
        if piece := message.get("body"):
            self.pieces.append(piece)
            if piece.startswith(b":"):
                self.was_silent.set()

    async def ask(self, background: BackgroundTask | None = None) -> None:
        answer = await stream(self._source.events(), background=background)
        await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, self.send)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "SILENCE", 0.001)


async def test_comments_come_between_events_alone() -> None:
    source, done = Source(), []
    client = Client(source)
    asking = asyncio.create_task(client.ask(BackgroundTask(lambda: done.append(True))))
    await client.was_silent.wait()
    source.go_on.set()
    await asking
    assert (client.pieces[0], client.pieces[-1]) == (b"0", b"1")
    assert set(client.pieces[1:-1]) == {b": keep-alive\n\n"}
    assert source.has_ended
    assert done == [True]


async def test_what_fails_before_the_first_event_is_raised() -> None:
    source = Source(fails_at=0)
    with pytest.raises(WebError):
        await stream(source.events())
    assert source.has_ended


async def test_what_fails_later_cuts_the_stream_off() -> None:
    source = Source(fails_at=1)
    source.go_on.set()
    client = Client(source)
    with pytest.raises(WebError):
        await client.ask()
    assert client.pieces == [b"0"]
    assert source.has_ended


async def test_the_source_ends_with_its_stream() -> None:
    source = Source()
    client = Client(source)
    asking = asyncio.create_task(client.ask())
    await client.was_silent.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert source.has_ended


async def test_the_source_ends_where_nobody_waits_for_its_first_event() -> None:
    has_begun, has_ended = asyncio.Event(), False

    async def events() -> AsyncGenerator[bytes, None]:
        nonlocal has_ended
        try:
            has_begun.set()
            await asyncio.Event().wait()
            yield b""
        finally:
            has_ended = True

    asking = asyncio.create_task(stream(events()))
    await has_begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert has_ended
