from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel, GenericFakeChatModel, ParrotFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_jina_components import LangChainChat
from pydantic import SecretStr

from jina_components import Image
from jina_components.core.chat_json import ask_json, parse_object
from jina_components.errors import ChatError, ConfigError, ContextOverflowError, InputError, RefusalError
from jina_components.protocols import ChatMessage, ChatModel, ChatReply, JSONChatModel
from jina_components.testing import ScriptedChatServer, ScriptedReply
from jina_components.types import Usage

ASKED = [ChatMessage("user", "Hello?")]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
PIXEL = bytes.fromhex("89504e470d0a1a0a") + b"rest"


class Failing(BaseChatModel):
    """Raises."""

    error: Any

    @property
    def _llm_type(self) -> str:
        return "failing"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise self.error


class Calling(GenericFakeChatModel):
    """Takes functions, as LangChain's own structured output needs it."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self.bind(tools=tools)


@pytest.fixture
def served() -> Iterator[Any]:
    """A chat over real wire, and the server with this script."""
    partner = pytest.importorskip(
        "langchain_openai", reason="langchain-openai 1 needs langchain-core 1", exc_type=ImportError
    )
    servers: list[ScriptedChatServer] = []

    def serve(*script: Any, **settings: Any) -> tuple[LangChainChat, ScriptedChatServer]:
        servers.append(ScriptedChatServer(script).__enter__())
        model = partner.ChatOpenAI(
            model="scripted", base_url=servers[-1].base_url, api_key=SecretStr("none"), max_retries=0, timeout=30
        )
        return LangChainChat(model, **settings), servers[-1]

    yield serve
    for server in servers:
        server.__exit__(None, None, None)


def test_is_a_chat_model() -> None:
    chat = LangChainChat(FakeListChatModel(responses=["Hello!", "Bye."]))
    assert isinstance(chat, ChatModel)
    assert isinstance(chat, JSONChatModel)
    assert [chat.chat(ASKED), chat.chat(ASKED)] == [ChatReply("Hello!"), ChatReply("Bye.")]
    assert repr(chat) == "LangChainChat(FakeListChatModel)"


async def test_reply_with_usage_and_reason() -> None:
    message = AIMessage(
        [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hel"}, "lo!"],
        usage_metadata=UsageMetadata(input_tokens=5, output_tokens=2, total_tokens=7),
        response_metadata={"stop_reason": "max_tokens"},
    )
    chat = LangChainChat(GenericFakeChatModel(messages=iter([message])))
    assert await chat.achat(ASKED) == ChatReply("Hello!", Usage(5, 2), "length")


async def test_roles_arrive() -> None:
    class Listening(ParrotFakeChatModel):
        def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
            text = " ".join(f"{message.type}:{message.content}" for message in messages)
            return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    conversation = [ChatMessage("system", "a"), ChatMessage("user", "b"), ChatMessage("assistant", "c"), *ASKED]
    assert (await LangChainChat(Listening()).achat(conversation)).text == "system:a human:b ai:c human:Hello?"


async def test_structured_output_of_a_model_that_calls_functions() -> None:
    call = {"name": "reply", "args": {"a": 1}, "id": "1"}
    chat = LangChainChat(Calling(messages=iter([AIMessage("", tool_calls=[call])])))
    assert json.loads((await chat.achat_json(ASKED, schema=SCHEMA)).text) == {"a": 1}


async def test_model_without_structured_output_is_asked_plainly() -> None:
    model = FakeListChatModel(responses=["no JSON", '{"a": 1}'])
    value, _ = await ask_json(LangChainChat(model), ASKED, schema=SCHEMA, read=parse_object)
    assert value == {"a": 1}
    assert LangChainChat(model, method=None).chat_json(ASKED, schema=SCHEMA).text == "no JSON"


class StatusError(Exception):
    """As of a provider's library."""

    def __init__(self, message: str, status_code: object, body: object = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.body = body


class ProviderContextOverflowError(Exception):
    """As LangChain's partners name them."""


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (ValueError("odd"), ChatError, 0),
        (StatusError("wrong key", 401), ChatError, 401),
        (StatusError("odd", "none"), ChatError, 0),
        (StatusError("bad request", 400, {"code": "context_length_exceeded"}), ContextOverflowError, 400),
        (StatusError("prompt is too long: 300000 tokens", 400), ContextOverflowError, 400),
        (ProviderContextOverflowError("too much"), ContextOverflowError, 0),
        (StatusError("bad request", 400, {"code": "content_filter"}), RefusalError, 400),
        (RuntimeError(), ChatError, 0),
    ],
)
async def test_errors(error: Exception, kind: type[ChatError], status: int) -> None:
    with pytest.raises(ChatError) as raised:
        await LangChainChat(Failing(error=error)).achat(ASKED)
    assert type(raised.value) is kind
    assert raised.value.status_code == status
    assert raised.value.__cause__ is error
    assert str(raised.value).startswith(f"LangChain's Failing failed ({type(error).__name__}): ")


@pytest.mark.parametrize(
    ("message", "kind", "says"),
    [
        (AIMessage(""), ChatError, "without text"),
        (AIMessage("", response_metadata={"finish_reason": "MAX_TOKENS"}), ChatError, "reached its longest reply"),
        (AIMessage("Hel", response_metadata={"finish_reason": "error"}), ChatError, "ended in an error: 'Hel'"),
        (AIMessage("I", response_metadata={"finish_reason": "content_filter"}), RefusalError, "content filter"),
        (AIMessage("", additional_kwargs={"refusal": "I must not."}), RefusalError, "I must not."),
    ],
)
async def test_replies_that_are_none(message: AIMessage, kind: type[ChatError], says: str) -> None:
    with pytest.raises(kind, match=says):
        await LangChainChat(GenericFakeChatModel(messages=iter([message]))).achat(ASKED)


def test_wrong_input() -> None:
    chat = LangChainChat(FakeListChatModel(responses=["Hello!"]))
    with pytest.raises(InputError, match="pass \\[ChatMessage"):
        chat.chat("Hello?")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be a PNG"):
        chat.chat([ChatMessage("user", "See", images=(Image(b"text"),))])
    with pytest.raises(ConfigError, match="must be a LangChain BaseChatModel, got str"):
        LangChainChat("gpt")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="method must be None or one of"):
        LangChainChat(FakeListChatModel(responses=[]), method="xml")  # type: ignore[arg-type]


def test_over_the_wire(served: Any) -> None:
    chat, server = served("Hello!", {"a": 1}, ScriptedReply(text='{"a": ', finish_reason="length"))
    seeing = [ChatMessage("system", "Be kind."), ChatMessage("user", "What is this?", images=(Image(PIXEL),))]
    assert chat.chat(seeing) == ChatReply("Hello!", Usage(5, 1))
    sent = server.requests[0]["messages"]
    assert sent[0] == {"role": "system", "content": "Be kind."}
    assert sent[1]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert chat.chat_json(ASKED, schema=SCHEMA) == ChatReply('{"a": 1}', Usage(1, 2))
    asked_for = server.requests[1]["response_format"]
    assert asked_for["type"] == "json_schema"
    assert asked_for["json_schema"]["schema"]["properties"] == SCHEMA["properties"]
    assert chat.chat_json(ASKED, schema=SCHEMA) == ChatReply('{"a": ', Usage(1, 1), "length")


def test_functions_over_the_wire(served: Any) -> None:
    call = ScriptedReply(tool_calls=(("reply", '{"a": 1}'),), finish_reason="tool_calls")
    chat, server = served(call, method="function_calling")
    titled = {**SCHEMA, "title": "What is wanted"}  # which is no name of a function
    assert json.loads(chat.chat_json(ASKED, schema=titled).text) == {"a": 1}
    assert server.requests[0]["tools"][0]["function"]["name"] == "reply"


@pytest.mark.parametrize(
    ("reply", "kind", "status"),
    [
        (ScriptedReply(status=401), ChatError, 401),
        (ScriptedReply(status=500), ChatError, 500),
        (ScriptedReply(status=400, code="context_length_exceeded"), ContextOverflowError, 400),
        (ScriptedReply(refusal="I must not."), RefusalError, 0),
        (ScriptedReply(text="{", finish_reason="content_filter"), RefusalError, 0),
        (ScriptedReply(broken="before"), ChatError, 0),
        (ScriptedReply(body="{oops"), ChatError, 0),
    ],
)
def test_failures_over_the_wire(served: Any, reply: ScriptedReply, kind: type[ChatError], status: int) -> None:
    chat, _ = served(reply, reply)
    for ask in (chat.chat, lambda asked: chat.chat_json(asked, schema=SCHEMA)):
        with pytest.raises(ChatError) as raised:
            ask(ASKED)
        assert type(raised.value) is kind
        assert raised.value.status_code == status
