import asyncio
import json
import threading

import pytest
from local_server import http

from jina_components import OpenAIChat
from jina_components.errors import ChatError, ContextOverflowError, InputError, RefusalError
from jina_components.protocols import ChatMessage, ChatReply
from jina_components.types import Usage

HELLO = [ChatMessage("user", "Say hello.")]


def chunk(content=None, finish=None, **delta):
    text = {} if content is None else {"content": content}
    return {"choices": [{"index": 0, "delta": text | delta, "finish_reason": finish}]}


def stream(*chunks, done=True, content_type="text/event-stream"):
    said = [json.dumps(one) if isinstance(one, dict) else one for one in chunks]
    body = "".join(f"data: {one}\n\n" for one in [*said, *(["[DONE]"] if done else [])])
    return http(200, body.encode(), content_type=content_type)


USAGE = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
HI = (chunk("Hel", role="assistant"), chunk("lo!"), chunk(finish="stop"), USAGE)


def talk(server, *responses, **settings):
    """What a stream gives, sync and async alike."""
    given = list(responses)
    server.routes["/v1/chat/completions"] = [*given, *given] if len(given) > 1 else given
    with OpenAIChat("tiny", base_url=server.url("/v1"), **settings) as chat:
        pieces = list(chat.stream(HELLO))
    with OpenAIChat("tiny", base_url=server.url("/v1"), **settings) as chat:
        assert asyncio.run(collected(chat)) == pieces
    return pieces


async def collected(chat):
    pieces = [piece async for piece in chat.astream(HELLO)]
    await chat._api.aclose()
    return pieces


def test_pieces_and_the_reply(server):
    assert talk(server, stream(*HI)) == ["Hel", "lo!", ChatReply("Hello!", Usage(9, 2), "stop")]
    body = json.loads(server.received[0].body)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize(
    ("chunks", "done", "text", "reason"),
    [
        (HI, False, "Hello!", "stop"),
        ((chunk("Hel"), chunk("lo!")), True, "Hello!", "stop"),
        ((chunk("Hel", "length"),), True, "Hel", "length"),
        ((chunk(reasoning_content="Hm."), chunk("Hi"), chunk("", "stop")), True, "Hi", "stop"),
        ((chunk(""), chunk(None, "stop")), True, "", "stop"),
        ((chunk([{"type": "thinking", "thinking": []}]), chunk([{"type": "text", "text": "Hi"}])), True, "Hi", "stop"),
        ((chunk("\ud83d"), chunk("\ude00 \ud800"), chunk("\ud83d", "stop")), True, "😀 \ufffd\ufffd", "stop"),
        ((chunk("Hi"), {"choices": None, "usage": None}, {"choices": [{"delta": None}]}), True, "Hi", "stop"),
        ((chunk("Hi"), {"choices": [{"index": 1, "delta": {"content": "other"}}]}), True, "Hi", "stop"),
    ],
)
def test_streams_as_servers_send_them(server, chunks, done, text, reason):
    *pieces, reply = talk(server, stream(*chunks, done=done))
    assert (reply.text, reply.finish_reason) == ("".join(pieces), reason) == (text, reason)
    assert all(pieces)


def test_a_server_that_does_not_stream(server):
    body = {"choices": [{"message": {"content": "Hello!"}}], "usage": USAGE["usage"]}
    answer = http(200, json.dumps(body).encode(), content_type="application/json")
    assert talk(server, answer) == ["Hello!", ChatReply("Hello!", Usage(9, 2))]


def test_a_server_that_refuses_to_tell_the_usage(server):
    refusal = http(400, b'{"error": {"message": "Unknown parameter: \'stream_options\'."}}')
    server.routes["/v1/chat/completions"] = [refusal, stream(*HI[:3])]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        for _ in range(2):
            assert list(chat.stream(HELLO)) == ["Hel", "lo!", ChatReply("Hello!")]
    asked = ["stream_options" in json.loads(request.body) for request in server.received]
    assert asked == [True, False, False]


def test_what_has_not_begun_is_tried_again(server):
    server.routes["/v1/chat/completions"] = [
        http(429, retry_after="0"), http(503, retry_after="0"), stream(*HI)
    ]  # fmt: skip
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        assert next(iter(chat.stream(HELLO))) == "Hel"
    assert len(server.received) == 3


@pytest.mark.parametrize(
    ("chunks", "error", "message"),
    [
        ((chunk("Hel"),), ChatError, "the stream ended before the reply did"),
        ((), ChatError, "the stream ended before the reply did"),
        ((chunk("Hel"), {"error": {"message": "out of memory", "code": 502}}), ChatError, "out of memory"),
        ((chunk("Hel"), {"object": "error", "message": "broken"}), ChatError, "broken"),
        (({"error": {"message": "x", "code": "context_length_exceeded"}},), ContextOverflowError, "'tiny'"),
        (("not json",), ChatError, "a stream of no JSON: 'not json'"),
        (("[" * 100_000,), ChatError, "a stream of no JSON"),
        (("[1]",), ChatError, "no chat completion"),
        (({"choices": 7},), ChatError, "no chat completion"),
        (({"choices": [7]},), ChatError, "no chat completion"),
        (({"choices": [{"delta": 7}]},), ChatError, "no chat completion"),
        ((chunk({"a": 1}),), ChatError, "no chat completion"),
        ((chunk([7]),), ChatError, "no chat completion"),
        ((chunk("Hel"), chunk(finish="content_filter")), RefusalError, "a content filter"),
        ((chunk(refusal="I "), chunk(refusal="won't."), chunk(finish="stop")), RefusalError, "refuses: I won't."),
        ((chunk("Error: x", "error"),), ChatError, "ended in an error: 'Error: x'"),
        ((chunk(tool_calls=[{"function": {"name": "f"}}], finish="tool_calls"),), ChatError, "called a tool"),
        ((chunk(reasoning_content="Hm", finish="length"),), ChatError, "raise max_tokens"),
        ((chunk(None, "stop"),), ChatError, "without text"),
    ],
)
def test_streams_that_fail(server, chunks, error, message):
    server.routes["/v1/chat/completions"] = [stream(*chunks, done=False)]
    pieces = []
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        with pytest.raises(ChatError, match=message) as caught:
            pieces.extend(chat.stream(HELLO))
        with pytest.raises(type(caught.value)) as again:
            asyncio.run(collected(chat))
    assert type(caught.value) is error
    assert str(again.value) == str(caught.value)
    assert not any(isinstance(piece, ChatReply) for piece in pieces)


async def test_a_connection_cut_in_the_middle(server):
    async def cut(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n")
        writer.write(f"data: {json.dumps(HI[0])}\n\n".encode())

    server.routes["/v1/chat/completions"] = cut
    chat = OpenAIChat("tiny", base_url=server.url("/v1"))
    pieces = chat.astream(HELLO)
    assert await anext(pieces) == "Hel"
    with pytest.raises(ChatError, match="'tiny'.*cannot be read"):
        await anext(pieces)
    assert len(server.received) == 1
    await chat._api.aclose()


async def test_a_server_that_falls_silent(server):
    async def silent(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\n")
        writer.write(f"data: {json.dumps(HI[0])}\n\n".encode())
        await asyncio.sleep(60)

    server.routes["/v1/chat/completions"] = silent
    chat = OpenAIChat("tiny", base_url=server.url("/v1"), timeout=3)
    pieces = chat.astream(HELLO)
    assert await anext(pieces) == "Hel"
    with pytest.raises(ChatError, match="sent nothing more in time"):
        await anext(pieces)
    await chat._api.aclose()


@pytest.mark.parametrize("sync", [True, False])
def test_leaving_a_stream_closes_the_connection(server, sync):
    closed = threading.Event()

    async def endless(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\n")
        try:
            while True:
                writer.write(f"data: {json.dumps(chunk('Hi '))}\n\n".encode())
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            closed.set()

    async def leave(chat):
        pieces = chat.astream(HELLO)
        assert await anext(pieces) == "Hi "
        await pieces.aclose()
        assert await asyncio.to_thread(closed.wait, 20)

    server.routes["/v1/chat/completions"] = endless
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        if sync:
            pieces = chat.stream(HELLO)
            assert next(pieces) == "Hi "
            pieces.close()
            assert closed.wait(20)
        else:
            asyncio.run(leave(chat))


def test_no_conversation():
    with pytest.raises(InputError, match="messages is empty"):
        next(iter(OpenAIChat("m", base_url="http://localhost").stream([])))
