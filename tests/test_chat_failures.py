"""What servers answer when they fail, refuse, or do not take what they are asked, in their own words."""

import asyncio
import json
import pickle

import pytest
from local_server import http

from jina_components import OpenAIChat
from jina_components.errors import ChatError, ConfigError, ContextOverflowError, InputError, RefusalError
from jina_components.protocols import ChatMessage
from jina_components.types import Usage

HELLO = [ChatMessage("user", "Say hello.")]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def message(**fields):
    return http(200, json.dumps({"choices": [{"message": fields.pop("message", fields)}]}).encode())


def said(status, text="", **details):
    return http(status, json.dumps({"error": {"message": text, **details}}).encode(), content_type="application/json")


def failing(server, answer):
    """The error of a call, the same in all its forms."""
    server.routes["/v1/chat/completions"] = [answer]
    caught = []
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        for call in (
            lambda: chat.chat(HELLO),
            lambda: chat.chat_json(HELLO, schema=SCHEMA),
            lambda: list(chat.stream(HELLO)),
        ):
            with pytest.raises(ChatError, match="^Chat model 'tiny'") as error:
                call()
            caught.append((type(error.value), error.value.status_code))
    assert len(set(caught)) == 1
    assert pickle.loads(pickle.dumps(error.value)).status_code == error.value.status_code
    return caught[0]


OVERFLOWS = [
    (400, "x", {"code": "context_length_exceeded"}),
    (400, "This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 tokens.", {}),
    (400, "Your input exceeds the context window of this model. Please adjust your input and try again.", {}),
    (400, "The decoder prompt (length 5000) is longer than the maximum model length of 2048.", {}),
    (400, "The input (5000 tokens) is longer than the model's context length (2048 tokens).", {}),
    (400, "the request exceeds the available context size. try increasing the context size", {}),
    (400, "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it", {}),
    (400, "x", {"type": "exceed_context_size_error"}),
    (400, "the input length exceeds the context length", {}),
    (400, "prompt too long; exceeded max context length by 4 tokens", {}),
    (400, "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", {}),
    (400, "However, the model is loaded with context length of only 4096 tokens", {}),
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000", {}),
    (400, "prompt is too long: 208310 tokens > 200000 maximum", {}),
    (400, "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", {}),
    (400, "Invalid request: Your request exceeded model token limit: 131072", {}),
    (400, "Please reduce the length of the messages or completion.", {}),
    (400, "Range of input length should be [1, 30720]", {}),
    (400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens.", {}),
    (413, "Request Entity Too Large", {}),
    (500, "the request exceeds the available context size", {}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "text", "details"), OVERFLOWS)
def test_a_conversation_that_is_too_long(server, status, text, details):
    assert failing(server, said(status, text, **details)) == (ContextOverflowError, status)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (said(400, "The response was filtered due to ... Azure OpenAI's content management policy."), 400),
        (said(400, "x", code="content_filter"), 400),
        (said(400, "x", code="content_policy_violation"), 400),
        (said(400, "Invalid prompt: your prompt was flagged as potentially violating our usage policy."), 400),
        (said(400, "Content Exists Risk"), 400),
        (message(message={"content": None, "refusal": "I cannot help with that."}), 0),
        (message(message={"content": [{"type": "refusal", "refusal": "No."}]}), 0),
        (http(200, b'{"choices": [{"message": {"content": "He"}, "finish_reason": "content_filter"}]}'), 0),
    ],
)  # fmt: skip
def test_refusals(server, answer, status):
    server_answer = answer if status else answer.replace(b"\r\n", b"\r\ncontent-type: application/json\r\n", 1)
    assert failing(server, server_answer) == (RefusalError, status)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422, 500])
def test_other_statuses(server, status):
    assert failing(server, said(status, "Something else, of many tokens and a long context.")) == (ChatError, status)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"message": "Provider returned error", "code": 502}}, 502),
        ({"error": "model not loaded"}, 0),
        ({"object": "error", "message": "bad", "code": 404}, 404),
        ({"choices": []}, 0),
        ({"choices": [{}]}, 0),
        ({"choices": [{"message": {"content": None, "tool_calls": [{"id": "1"}]}}]}, 0),
        ({"choices": [{"message": {"content": 7}}]}, 0),
        ({"choices": [{"message": [1]}]}, 0),
        ({"choices": {"a": 1}}, 0),
    ],
)
def test_errors_and_rubbish_with_status_200(server, body, status):
    assert failing(server, http(200, json.dumps(body).encode(), content_type="application/json")) == (ChatError, status)


def test_a_call_of_a_tool_is_told(server):
    server.routes["/v1/chat/completions"] = [message(content=None, tool_calls=[{"id": "1"}])]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat, pytest.raises(ChatError, match="called a tool"):
        chat.chat(HELLO)


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        (None, Usage()),
        ([1], Usage()),
        ({"prompt_tokens": -5, "completion_tokens": "7"}, Usage()),
        ({"prompt_tokens": 5, "completion_tokens": None}, Usage(5, 0)),
        ({"prompt_tokens": True, "completion_tokens": 2.5}, Usage()),
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 99}, Usage(3, 4)),
    ],
)
def test_usage_that_cannot_be_is_none(server, given, usage):
    body = {"choices": [{"message": {"content": "Hi", "reasoning_content": "Hm."}}], "usage": given}
    server.routes["/v1/chat/completions"] = [http(200, json.dumps(body).encode())]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        reply = chat.chat(HELLO)
    assert (reply.text, reply.usage) == ("Hi", usage)


def test_rate_limits_are_waited_for(server):
    waits = [http(429, retry_after="0"), http(503, retry_after="0")]
    server.routes["/v1/chat/completions"] = [*waits, message(content="Hi")]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        assert chat.chat(HELLO).text == "Hi"
    server.routes["/v1/chat/completions"] = [http(429, retry_after="3600")]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat, pytest.raises(ChatError) as caught:
        chat.chat(HELLO)
    assert (caught.value.status_code, len(server.received)) == (429, 4)


# --- what not every server takes ----------------------------------------------------------------------------------


def formats(server):
    """The response formats asked for so far."""
    return [json.loads(request.body).get("response_format", {}).get("type") for request in server.received]


@pytest.mark.parametrize(
    "refusal",
    [
        said(400, "This response_format type is unavailable now"),
        said(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),
        said(400, "This model does not support response format `json_schema`."),
        said(400, "Failed to generate JSON.", code="json_validate_failed"),
        said(500, 'response_format type must be one of "text" or "json_object", but got: json_schema'),
        http(422, b'{"detail": [{"loc": ["body", "response_format", "type"], "msg": "Input should be \'text\'"}]}'),
        http(400, b'{"object": "error", "message": "The provided JSON schema contains features not supported."}'),
    ],
)
def test_json_is_asked_for_as_the_server_takes_it(server, refusal):
    server.routes["/v1/chat/completions"] = [refusal, refusal, message(content='{"city": "Oslo"}')]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        for _ in range(2):
            assert chat.chat_json(HELLO, schema=SCHEMA).text == '{"city": "Oslo"}'
    assert formats(server) == ["json_schema", "json_object", None, None]


def test_one_step_may_do(server):
    server.routes["/v1/chat/completions"] = [said(404, "response_format: json_schema?"), message(content="{}")]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        chat.chat_json(HELLO, schema=SCHEMA)
        chat.chat_json(HELLO, schema=SCHEMA)
        chat.chat(HELLO)
    assert formats(server) == ["json_schema", "json_object", "json_object", None]


async def test_calls_at_the_same_time_step_down_once(server):
    async def answer(request, writer):
        form = json.loads(request.body)["response_format"]["type"]
        await asyncio.sleep(0.05)
        writer.write(said(400, "no json_schema") if form == "json_schema" else message(content="{}"))
        await writer.drain()

    server.routes["/v1/chat/completions"] = answer
    chat = OpenAIChat("tiny", base_url=server.url("/v1"))
    replies = await asyncio.gather(*(chat.achat_json(HELLO, schema=SCHEMA) for _ in range(4)))
    assert [reply.text for reply in replies] == ["{}"] * 4
    assert sorted(formats(server)) == ["json_object"] * 4 + ["json_schema"] * 4
    await chat._api.aclose()


@pytest.mark.parametrize("mode", ["json_schema", "json_object"])
def test_a_mode_that_was_asked_for_is_kept(server, mode):
    server.routes["/v1/chat/completions"] = [said(400, "no response_format")]
    with OpenAIChat("tiny", base_url=server.url("/v1"), json_mode=mode) as chat, pytest.raises(ChatError):
        chat.chat_json(HELLO, schema=SCHEMA)
    assert formats(server) == [mode]


def test_what_is_no_refusal_of_a_form_is_raised(server):
    server.routes["/v1/chat/completions"] = [said(401, "response_format"), message(content="{}")]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat, pytest.raises(ChatError):
        chat.chat_json(HELLO, schema=SCHEMA)
    assert len(server.received) == 1


def test_max_tokens_by_its_other_name(server):
    refusal = said(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    server.routes["/v1/chat/completions"] = [refusal, message(content="Hi")]
    with OpenAIChat("tiny", base_url=server.url("/v1"), max_tokens=7, temperature=None) as chat:
        chat.chat(HELLO)
        chat.chat(HELLO)
    sent = [json.loads(request.body) for request in server.received]
    assert [(one.get("max_tokens"), one.get("max_completion_tokens")) for one in sent] == [
        (7, None),
        (None, 7),
        (None, 7),
    ]
    assert not any("temperature" in one for one in sent)


def test_a_temperature_of_0_is_left_out_where_it_is_not_taken(server):
    words = "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) is supported."
    server.routes["/v1/chat/completions"] = [said(400, words, param="temperature"), message(content="Hi")]
    with OpenAIChat("tiny", base_url=server.url("/v1")) as chat:
        chat.chat(HELLO)
        assert chat.chat(HELLO).text == "Hi"
    assert ["temperature" in json.loads(request.body) for request in server.received] == [True, False, False]
    server.routes["/v1/chat/completions"] = [said(400, words)]
    with (
        OpenAIChat("tiny", base_url=server.url("/v1"), temperature=0.5) as chat,
        pytest.raises(ChatError, match="Only the default"),
    ):
        chat.chat(HELLO)


def test_headers_and_further_fields(server):
    server.routes["/v1/chat/completions"] = [message(content="Hi")]
    settings = {"headers": {"X-Title": "demo"}, "extra": {"reasoning_effort": "low"}}
    with OpenAIChat("tiny", base_url=server.url("/v1"), **settings) as chat:
        chat.chat(HELLO)
        copy = pickle.loads(pickle.dumps(chat))
    with copy:
        copy.chat(HELLO)
    for request in server.received:
        assert request.headers["x-title"] == "demo"
        assert json.loads(request.body)["reasoning_effort"] == "low"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 2.5}, "max_tokens"),
        ({"extra": {"messages": []}}, "messages"),
        ({"extra": {"a": object()}}, "extra"),
        ({"headers": {"X-A": "secret\r\n"}}, "eader"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": None}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
    ],
)
def test_settings(settings, named):
    with pytest.raises((ConfigError, InputError), match=named) as caught:
        OpenAIChat("m", base_url="http://localhost", **settings)
    assert "secret" not in str(caught.value)


def test_files_are_for_an_agent():
    chat = OpenAIChat("m", base_url="http://localhost")
    with pytest.raises(InputError, match=r"messages\[1\] has files.*DeepSearchAgent") as caught:
        chat.chat([*HELLO, ChatMessage("user", "Read it.", files=("a.pdf",))])
    assert caught.value.index == 1
