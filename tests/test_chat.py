import asyncio
import base64
import json
from io import BytesIO

import PIL.Image
import pytest
from local_server import http

from jina_components import Image, OpenAIChat
from jina_components.errors import ChatError, ConfigError, InputError
from jina_components.protocols import ChatMessage, ChatModel, JSONChatModel

HELLO = [ChatMessage("system", "Be brief."), ChatMessage("user", "Say hello.")]


def completion(content, **usage):
    body = {"choices": [{"message": {"role": "assistant", "content": content}}], "usage": usage}
    return http(200, json.dumps(body).encode(), content_type="application/json")


def test_the_wire(server):
    server.routes["/v1/chat/completions"] = [completion("Hello!", prompt_tokens=9, completion_tokens=2)]
    with OpenAIChat("tiny", base_url=server.url("/v1"), api_key="secret", max_tokens=7) as chat:
        reply = chat.chat(HELLO)
    assert (reply.text, reply.usage.prompt_tokens, reply.usage.completion_tokens) == ("Hello!", 9, 2)
    [request] = server.received
    assert request.headers["authorization"] == "Bearer secret"
    assert json.loads(request.body) == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}],
        "temperature": 0.0,
        "max_tokens": 7,
    }
    assert isinstance(chat, ChatModel)
    assert "secret" not in repr(chat)


@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"{}", content_type="application/json"),
        http(200, b'{"choices": []}'),
        http(200, b'{"choices": [{"message": {"content": null}}]}'),
        http(200, b"not json"),
        http(401, b'{"error": {"message": "bad key"}}'),
    ],
)
def test_what_is_no_completion_is_a_chat_error(server, answer):
    server.routes["/v1/chat/completions"] = [answer]
    with pytest.raises(ChatError, match="tiny"), OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        chat.chat(HELLO)


def test_an_unreachable_server_is_a_chat_error():
    with (
        pytest.raises(ChatError, match="tiny"),
        OpenAIChat("tiny", base_url="http://127.0.0.1:9", timeout=2) as chat,
    ):
        chat.chat(HELLO)


def test_bad_settings_and_input():
    with pytest.raises(ConfigError):
        OpenAIChat("", base_url="http://localhost")
    with pytest.raises(ConfigError):
        OpenAIChat("m", base_url="ftp://localhost")
    with pytest.raises(InputError, match="messages"), OpenAIChat("m", base_url="http://localhost") as chat:
        chat.chat("hello")


def test_a_bare_text_is_answered_with_the_message_to_pass():
    with pytest.raises(InputError) as caught:
        OpenAIChat("m", base_url="http://localhost").chat('say "hi"')
    assert caught.value.message.endswith(r'pass [ChatMessage("user", "say \"hi\"")].')


@pytest.mark.parametrize("stranger", ["hi", {"role": "user", "content": "hi"}, None])
def test_what_is_no_message_is_named(stranger):
    chat = OpenAIChat("m", base_url="http://localhost")
    with pytest.raises(InputError, match=r"messages\[1\] must be ChatMessage") as caught:
        chat.chat([*HELLO[:1], stranger])
    assert caught.value.index == 1


def test_an_empty_conversation_is_refused():
    with pytest.raises(InputError, match="messages is empty"):
        OpenAIChat("m", base_url="http://localhost").chat([])


def picture(form):
    file = BytesIO()
    PIL.Image.new("RGB", (2, 2), "navy").save(file, form)
    return file.getvalue()


def shown(server):
    """The images of the last request's last turn, decoded from their data URIs."""
    parts = json.loads(server.received[-1].body)["messages"][-1]["content"]
    assert parts[0] == {"type": "text", "text": "What is it?"}
    assert all(part["type"] == "image_url" for part in parts[1:])
    return [part["image_url"]["url"] for part in parts[1:]]


@pytest.mark.parametrize(
    ("form", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")]
)
def test_images_go_as_data_uris(server, tmp_path, form, media_type):
    server.routes["/v1/chat/completions"] = [completion("Navy.")]
    data = picture(form)
    (tmp_path / "a.img").write_bytes(data)
    images = (Image(data), Image(tmp_path / "a.img"), Image(str(tmp_path / "a.img")))
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        assert chat.chat([*HELLO, ChatMessage("user", "What is it?", images)]).text == "Navy."
    uri = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    assert shown(server) == [uri] * 3
    assert json.loads(server.received[-1].body)["messages"][0]["content"] == "Be brief."


def test_images_of_pillow_urls_and_data_uris(server):
    server.routes["/v1/chat/completions"] = [completion("Navy.")]
    urls = ("https://site.example/a.png", "data:image/png;base64,AAAA")
    images = (*map(Image, urls), Image(PIL.Image.new("RGB", (3, 5))))
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        chat.chat([ChatMessage("user", "What is it?", images)])
    *given, uri = shown(server)
    assert tuple(given) == urls
    assert PIL.Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))).size == (3, 5)


@pytest.mark.parametrize(
    "source",
    [
        b"no image",
        "no such file.png",
        "ftp://h/a.png",
        "/dev/zero",
        "data:text/html,x",
        PIL.Image.new("CMYK", (2, 2)),
        PIL.Image.new("RGB", (0, 2)),
    ],
)
def test_what_is_no_image_is_refused(source):
    chat = OpenAIChat("m", base_url="http://localhost")
    with pytest.raises(InputError, match="PNG, JPEG, GIF or WebP|is no file|cannot be made a PNG"):
        chat.chat([ChatMessage("user", "What is it?", (Image(source),))])


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("json_schema", {"type": "json_schema", "json_schema": {"name": "reply", "schema": SCHEMA}}),
        ("json_object", {"type": "json_object"}),
        ("none", None),
    ],
)
def test_a_reply_of_json(server, mode, form):
    server.routes["/v1/chat/completions"] = [completion('{"city": "Oslo"}')]
    with OpenAIChat("tiny", base_url=server.url("/v1"), json_mode=mode) as chat:
        assert chat.chat_json(HELLO, schema=SCHEMA).text == '{"city": "Oslo"}'
        assert isinstance(chat, JSONChatModel)
        chat.chat(HELLO)
    with_form, without = (json.loads(request.body) for request in server.received)
    assert with_form.get("response_format") == form
    assert "response_format" not in without


def test_an_unknown_json_mode():
    with pytest.raises(
        ConfigError, match="json_mode must be one of 'auto', 'json_schema', 'json_object', 'none', got 'xml'"
    ):
        OpenAIChat("m", base_url="http://localhost", json_mode="xml")


@pytest.mark.parametrize(("given", "finish_reason"), [("length", "length"), ("stop", "stop"), (None, "stop")])
def test_a_reply_that_was_cut(server, given, finish_reason):
    body = {"choices": [{"message": {"content": "Hel"}, "finish_reason": given}]}
    server.routes["/v1/chat/completions"] = [http(200, json.dumps(body).encode())]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        assert chat.chat(HELLO).finish_reason == finish_reason


async def test_sync_and_async_give_the_same(server):
    server.routes["/v1/chat/completions"] = [completion('{"a": 1}', prompt_tokens=9, completion_tokens=2)]
    chat = OpenAIChat("tiny", base_url=server.url("/v1"))
    sync = [await asyncio.to_thread(chat.chat, HELLO), await asyncio.to_thread(chat.chat_json, HELLO, schema=SCHEMA)]
    assert [await chat.achat(HELLO), await chat.achat_json(HELLO, schema=SCHEMA)] == sync
    bodies = [json.loads(request.body) for request in server.received]
    assert bodies[:2] == bodies[2:]
    await asyncio.to_thread(chat.close)
    await chat._api.aclose()
