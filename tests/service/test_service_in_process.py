"""The application called within its process: streamed, cancelled when the client goes, and failing as it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from jina_components.service.in_process import InProcess

gone: list[str] = []


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/fails":
        raise RuntimeError("No answer from here.")
    if scope["path"] == "/silent":
        return
    body = (await receive())["body"]
    start = {"type": "http.response.start", "status": 201, "headers": [(b"x-client", scope["client"][0].encode())]}
    await send(start)
    if scope["path"] == "/breaks":
        raise RuntimeError("Broken off.")
    if scope["path"] == "/cut":
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        return
    if scope["path"] == "/echo":
        await send({"type": "http.response.body", "body": scope["query_string"] + b" " + body})
        return
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    assert (await receive())["type"] == "http.disconnect"
    gone.append(scope["path"])
    await send({"type": "http.response.body", "body": b"last"})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=InProcess(application, "192.0.2.7"), base_url="http://service") as client:
        yield client


async def test_request_and_answer_are_whole(client: httpx.AsyncClient) -> None:
    answer = await client.post("/echo?a=b%20c", content=b"the body")
    assert (answer.status_code, answer.text) == (201, "a=b%20c the body")
    assert answer.headers["x-client"] == "192.0.2.7"


async def test_pieces_come_before_the_end_and_leaving_is_noticed(client: httpx.AsyncClient) -> None:
    gone.clear()
    async with client.stream("GET", "/waits") as answer:
        async for piece in answer.aiter_bytes():
            assert piece == b"first"
            break
    assert gone == ["/waits"]


async def test_a_client_that_is_cancelled_has_gone(client: httpx.AsyncClient) -> None:
    gone.clear()
    asking = asyncio.create_task(client.get("/waits"))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert gone == ["/waits"]


@pytest.mark.parametrize(("path", "told"), [("/fails", "No answer from here."), ("/breaks", "Broken off.")])
async def test_what_the_application_raises_is_raised(client: httpx.AsyncClient, path: str, told: str) -> None:
    with pytest.raises(RuntimeError, match=told):
        await client.get(path)


@pytest.mark.parametrize("path", ["/silent", "/cut"])
async def test_an_answer_that_is_not_whole_is_none(client: httpx.AsyncClient, path: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="cut its answer off"):
        await client.get(path)


async def test_what_fails_in_the_middle_of_an_answer_of_the_service(service_app: FastAPI) -> None:
    """It is cut off there too, as over a network, and not taken for a whole one."""

    @service_app.get("/half")
    async def half() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"some"
            raise OSError("The disk is gone.")

        return StreamingResponse(pieces())

    async with httpx.AsyncClient(transport=InProcess(service_app), base_url="http://localhost") as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/half")


async def test_a_client_that_is_cancelled_again_and_again_has_gone(client: httpx.AsyncClient) -> None:
    """As AnyIO does it: nobody takes what the application still says, and it ends all the same."""
    gone.clear()
    with anyio.move_on_after(0.05):
        await client.get("/waits")
    while not gone:  # noqa: ASYNC110 (of another task)
        await asyncio.sleep(0.01)
