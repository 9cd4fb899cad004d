import json

import pytest
from local_server import http

from jina_components import OpenAIChat
from jina_components.errors import ChatError, ConfigError, InputError
from jina_components.protocols import ChatMessage, ChatModel

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


@pytest.mark.parametrize("stranger", ["hi", {"role": "user", "content": "hi"}, None])
def test_what_is_no_message_is_named(stranger):
    chat = OpenAIChat("m", base_url="http://localhost")
    with pytest.raises(InputError, match=r"messages\[1\] must be ChatMessage") as caught:
        chat.chat([*HELLO[:1], stranger])
    assert caught.value.index == 1


def test_an_empty_conversation_is_refused():
    with pytest.raises(InputError, match="messages is empty"):
        OpenAIChat("m", base_url="http://localhost").chat([])
