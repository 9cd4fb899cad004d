import asyncio
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_server import http

from jina_components.errors import ContentTooLargeError, FetchTimeoutError, InputError, WebError
from jina_components.net import ApiClient
from jina_components.net.api import ApiStatusError
from jina_components.net.events import EventParser

SAID = b'data: {"a": 1}\n\ndata: two\n\n'


def parsed(*chunks):
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)] + parser.end()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (SAID, ['{"a": 1}', "two"]),
        (b"data: a\r\n\r\ndata: b\r\rdata:c\n\n", ["a", "b", "c"]),
        (b"data: a\ndata:  b\ndata\ndata: c\n\n", ["a\n b\n\nc"]),
        (b": keep-alive\n\n:\n\nevent: x\nid: 7\nretry: 5\ndata: a\n\n", ["a"]),
        (b"event: nothing\n\n\n\n", []),
        (b"data:\n\n", [""]),
        (b"database: a\ndata : b\nda", []),
        (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", ["a"]),
        ("data: grüße 東京\n\n".encode(), ["grüße 東京"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"data: [DONE]", ["[DONE]"]),
        (b"data: [DONE]\n", ["[DONE]"]),
        (b"", []),
    ],
)
def test_the_format(stream, events):
    assert parsed(stream) == events
    assert parsed(*(bytes([byte]) for byte in stream)) == events


LINES = st.sampled_from(
    [b"", b"data: a", b"data:b", b"data", b": c", b"event: x", "data: ü".encode(), b"data: {", b"\xef\xbb\xbfdata: x"]
) | st.binary(max_size=6)


@given(
    st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r", b"\r\n", b""])), max_size=20),
    st.lists(st.integers(0, 200), max_size=30),
)
def test_any_cut_gives_the_same_events(lines, cuts):
    stream = b"".join(part for line in lines for part in line)
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert parsed(*(stream[a:b] for a, b in pairwise(bounds))) == parsed(stream)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1), max_size=8))
def test_what_is_written_is_read(texts):
    assert parsed(b"".join(f"data: {text}\n\n".encode() for text in texts)) == texts


# --- over HTTP ----------------------------------------------------------------------------------------------------


def streaming(*parts, hold=False):
    """A handler that sends a chunked stream part by part; `None` cuts the connection."""

    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for part in parts:
            if part is None:
                return
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
        if hold:
            await asyncio.sleep(60)
        writer.write(b"0\r\n\r\n")

    return answer


async def streamed(client):
    return [data async for data in client.stream("s", {"a": 1})]


async def test_events_come_as_they_are_sent(server):
    server.routes["/s"] = streaming(b"data: on", b"e\n\n: wait\n\ndata: two\n\n")
    async with ApiClient(server.url("/"), api_key="k") as client:
        assert await streamed(client) == ["one", "two"]
    [request] = server.received
    assert (request.method, json.loads(request.body)) == ("POST", {"a": 1})
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["authorization"] == "Bearer k"


async def test_a_stream_that_was_read_leaves_the_connection_open(server):
    server.routes["/s"] = [http(body=SAID, content_type="text/event-stream")]
    async with ApiClient(server.url("/")) as client:
        assert await streamed(client) == await streamed(client) == ['{"a": 1}', "two"]
    assert server.connections == 1


async def test_json_instead_of_events_is_one(server):
    server.routes["/s"] = [http(body=b'{"a":\n\n1}', content_type="application/json; charset=utf-8")]
    async with ApiClient(server.url("/")) as client:
        assert await streamed(client) == ['{"a":\n\n1}']


async def test_what_has_not_begun_is_tried_again(server):
    calls = iter([streaming(None), streaming(b"data: x\n\n")])
    server.routes["/s"] = lambda request, writer: next(calls)(request, writer)
    async with ApiClient(server.url("/")) as client:
        assert await streamed(client) == ["x"]
    server.routes["/s"] = [
        http(429, retry_after="0"),
        http(503, retry_after="0"),
        http(body=SAID, content_type="text/event-stream"),
    ]
    async with ApiClient(server.url("/")) as client:
        assert len(await streamed(client)) == 2
    assert len(server.received) == 5


async def test_a_connection_lost_in_the_middle_is_an_error(server):
    server.routes["/s"] = streaming(b"data: one\n\n", None)
    async with ApiClient(server.url("/")) as client:
        events = client.stream("s", {})
        assert await anext(events) == "one"
        with pytest.raises(WebError, match="cannot be read"):
            await anext(events)
    assert len(server.received) == 1


async def test_error_statuses(server):
    async with ApiClient(server.url("/"), api_key="sk-key") as client:
        server.routes["/s"] = [http(400, b'{"error": {"message": "no sk-key", "code": "c"}}')]
        with pytest.raises(ApiStatusError, match="status 400: no") as caught:
            await streamed(client)
        assert caught.value.words == '{"error": {"message": "no ***", "code": "c"}}'
        server.routes["/s"] = [http(404, bytes(70_000))]
        with pytest.raises(ApiStatusError, match="status 404"):
            await streamed(client)
        server.routes["/s"] = [http(body=SAID, content_encoding="gzip")]
        with pytest.raises(WebError, match="packed as 'gzip'"):
            await streamed(client)
        with pytest.raises(InputError, match="JSON"):
            await anext(client.stream("s", {"a": float("nan")}))


async def test_limits_of_a_stream(server):
    server.routes["/s"] = streaming(*[b": " + bytes(40) + b"\n"] * 4)
    async with ApiClient(server.url("/"), max_bytes=100) as client:
        with pytest.raises(ContentTooLargeError, match="exceeds 100 bytes"):
            await streamed(client)
    server.routes["/s"] = streaming(bytes(200))
    async with ApiClient(server.url("/"), max_bytes=100) as client:
        with pytest.raises(ContentTooLargeError):
            await streamed(client)

    async def comments(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\ndata: one\n\n")
        while True:
            writer.write(b": wait\n\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    server.routes["/s"] = comments
    async with ApiClient(server.url("/"), timeout=3) as client:
        events = client.stream("s", {})
        assert await anext(events) == "one"
        with pytest.raises(FetchTimeoutError, match="sent nothing more in time"):
            await anext(events)


async def test_a_stream_that_does_not_begin(server):
    server.routes["/s"] = streaming(hold=True)
    async with ApiClient(server.url("/"), timeout=0.3) as client:
        with pytest.raises(FetchTimeoutError, match="began no answer"):
            await streamed(client)


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_closing_or_cancelling_closes_the_connection(server, how):
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def endless(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\ndata: one\n\n")
        await writer.drain()
        try:
            while True:
                writer.write(b": wait\n\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            loop.call_soon_threadsafe(closed.set)

    server.routes["/s"] = endless
    async with ApiClient(server.url("/")) as client:
        events = client.stream("s", {})
        assert await anext(events) == "one"
        if how == "close":
            await events.aclose()
        else:
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        async with asyncio.timeout(20):
            await closed.wait()
