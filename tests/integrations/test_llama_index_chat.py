from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage as LlamaMessage
from llama_index.core.base.llms.types import ChatResponse, CompletionResponse, LLMMetadata, TextBlock, ThinkingBlock
from llama_index.core.llms import MockLLM
from llama_index.llms.openai_like import OpenAILike
from llama_index_jina_components import LlamaIndexChat

from jina_components import Image
from jina_components.errors import ChatError, ConfigError, ContextOverflowError, InputError, RefusalError
from jina_components.protocols import ChatMessage, ChatModel, ChatReply, JSONChatModel
from jina_components.testing import ScriptedChatServer, ScriptedReply
from jina_components.types import Usage

ASKED = [ChatMessage("user", "Hello?")]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
PIXEL = bytes.fromhex("89504e470d0a1a0a") + b"rest"


class Saying(MockLLM):
    """Answers, or raises, what it is told."""

    answer: Any = None
    heard: Any = None

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer
        self.heard = []

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True)

    async def achat(self, messages: Sequence[LlamaMessage], **settings: Any) -> ChatResponse:
        self.heard.append((messages, settings))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _said(text: str, raw: Any = None, **extra: Any) -> ChatResponse:
    return ChatResponse(message=LlamaMessage(content=text, role="assistant"), raw=raw, additional_kwargs=extra)


def test_is_a_chat_model() -> None:
    chat = LlamaIndexChat(MockLLM(max_tokens=3))
    assert isinstance(chat, ChatModel)
    assert isinstance(chat, JSONChatModel)
    assert chat.chat(ASKED) == ChatReply("text text text")
    assert chat.chat_json(ASKED, schema=SCHEMA) == ChatReply("text text text")
    assert repr(chat) == "LlamaIndexChat(MockLLM)"
    assert "assistant: c" in LlamaIndexChat(MockLLM()).chat([*ASKED, ChatMessage("assistant", "c"), *ASKED]).text


async def test_llm_that_would_block_is_called_in_a_thread() -> None:
    class Blocking(MockLLM):
        def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
            return CompletionResponse(text=threading.current_thread().name)

    assert (await LlamaIndexChat(Blocking()).achat(ASKED)).text != threading.current_thread().name


class Reason(Enum):
    MAX_TOKENS = 2


@pytest.mark.parametrize(
    "response",
    [
        _said("a", {"usage": {"prompt_tokens": 5, "completion_tokens": 2}, "choices": [{"finish_reason": "length"}]}),
        _said("a", {"usage": {"input_tokens": 5, "output_tokens": 2}, "stop_reason": "max_tokens"}),
        _said("a", {"prompt_eval_count": 5, "eval_count": 2, "done_reason": "length"}),
        _said(
            "a",
            {
                "usage_metadata": {"prompt_token_count": 5, "candidates_token_count": 2},
                "candidates": [{"finish_reason": Reason.MAX_TOKENS}],
            },
        ),
        _said("a", prompt_tokens=5, completion_tokens=2, finish_reason="length"),
    ],
)
async def test_usage_and_reason_of_providers(response: ChatResponse) -> None:
    assert await LlamaIndexChat(Saying(response)).achat(ASKED) == ChatReply("a", Usage(5, 2), "length")


async def test_thoughts_are_left_out() -> None:
    blocks = [ThinkingBlock(content="Hm."), TextBlock(text="Hel"), TextBlock(text="lo!")]
    response = ChatResponse(message=LlamaMessage(role="assistant", blocks=blocks))
    assert await LlamaIndexChat(Saying(response)).achat(ASKED) == ChatReply("Hello!")


async def test_schema_goes_by_the_keyword() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": SCHEMA}}
    for keyword, wanted in [(None, {}), ("format", {"format": SCHEMA}), ("response_format", {"response_format": form})]:
        llm = Saying(_said("{}"))
        chat = LlamaIndexChat(llm, json_keyword=keyword)  # type: ignore[arg-type]
        await chat.achat(ASKED)
        await chat.achat_json(ASKED, schema=SCHEMA)
        assert [settings for _, settings in llm.heard] == [{}, wanted]


async def test_images() -> None:
    llm = Saying(_said("A cat."))
    images = (Image(PIXEL), Image("https://example.com/cat.png"))
    await LlamaIndexChat(llm).achat([ChatMessage("user", "What is this?", images=images)])
    ((message,), _) = llm.heard[0]
    text, given, linked = message.blocks
    assert text.text == "What is this?"
    assert given.resolve_image().read() == PIXEL
    assert given.image_mimetype == "image/png"
    assert str(linked.url) == "https://example.com/cat.png"


class StatusError(Exception):
    """As of a provider's library."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        (ValueError("odd"), ChatError, 0),
        (StatusError("wrong key", 401), ChatError, 401),
        (StatusError("This model's maximum context length is 8192 tokens", 400), ContextOverflowError, 400),
        (_said(""), ChatError, 0),
        (_said("I", {"choices": [{"finish_reason": "content_filter"}]}), RefusalError, 0),
        (_said("", {"choices": [{"message": {"refusal": "I must not."}}]}), RefusalError, 0),
    ],
)
async def test_errors(answer: Any, kind: type[ChatError], status: int) -> None:
    with pytest.raises(ChatError) as raised:
        await LlamaIndexChat(Saying(answer)).achat(ASKED)
    assert type(raised.value) is kind
    assert raised.value.status_code == status
    if isinstance(answer, Exception):
        assert raised.value.__cause__ is answer


def test_wrong_input() -> None:
    chat = LlamaIndexChat(MockLLM())
    with pytest.raises(InputError, match="messages is empty"):
        chat.chat([])
    with pytest.raises(InputError, match="this model does not see"):
        chat.chat([ChatMessage("user", "See", images=(Image(PIXEL),))])
    with pytest.raises(ConfigError, match="must be a LlamaIndex LLM, got str"):
        LlamaIndexChat("gpt")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="json_keyword must be None"):
        LlamaIndexChat(MockLLM(), json_keyword="schema")  # type: ignore[arg-type]


@pytest.fixture
def served() -> Iterator[Any]:
    """A chat over real wire, and the server with this script."""
    servers: list[ScriptedChatServer] = []

    def serve(*script: Any) -> tuple[LlamaIndexChat, ScriptedChatServer]:
        servers.append(ScriptedChatServer(script).__enter__())
        llm = OpenAILike(
            "scripted", api_base=servers[-1].base_url, api_key="none", is_chat_model=True, max_retries=0, timeout=30
        )
        return LlamaIndexChat(llm, json_keyword="response_format"), servers[-1]

    yield serve
    for server in servers:
        server.__exit__(None, None, None)


def test_over_the_wire(served: Any) -> None:
    chat, server = served(ScriptedReply(text="Hello!", finish_reason="length"), {"a": 1})
    seeing = [ChatMessage("system", "Be kind."), ChatMessage("user", "What is this?", images=(Image(PIXEL),))]
    assert chat.chat(seeing) == ChatReply("Hello!", Usage(5, 1), "length")
    sent = server.requests[0]["messages"]
    assert sent[0] == {"role": "system", "content": "Be kind."}
    assert sent[1]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert chat.chat_json(ASKED, schema=SCHEMA) == ChatReply('{"a": 1}', Usage(1, 2))
    assert server.requests[1]["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize(
    ("reply", "kind", "status"),
    [
        (ScriptedReply(status=401), ChatError, 401),
        (ScriptedReply(status=400, code="context_length_exceeded"), ContextOverflowError, 400),
        (ScriptedReply(status=400, code="content_filter"), RefusalError, 400),
        (ScriptedReply(refusal="I must not."), RefusalError, 0),
        (ScriptedReply(text="I", finish_reason="content_filter"), RefusalError, 0),
        (ScriptedReply(broken="before"), ChatError, 0),
        (ScriptedReply(body="{oops"), ChatError, 0),
    ],
)
def test_failures_over_the_wire(served: Any, reply: ScriptedReply, kind: type[ChatError], status: int) -> None:
    chat, _ = served(reply)
    with pytest.raises(ChatError) as raised:
        chat.chat(ASKED)
    assert type(raised.value) is kind
    assert raised.value.status_code == status
