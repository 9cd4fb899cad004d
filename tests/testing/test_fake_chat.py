import pytest

from jina_components.errors import ChatError, ConfigError
from jina_components.protocols import ChatMessage, ChatModel, ChatReply, JSONChatModel
from jina_components.testing import FakeChat, FakeJSONChat
from jina_components.types import Usage

ASKED = [ChatMessage("system", "Be kind."), ChatMessage("user", "Say hello.")]


def test_replies_come_in_their_order_and_then_no_more():
    fake = FakeChat(["Hello to you!", ChatReply("Again", Usage(1, 1), "length")])
    assert isinstance(fake, ChatModel)
    assert not isinstance(fake, JSONChatModel)
    assert fake.chat(ASKED) == ChatReply("Hello to you!", Usage(4, 3))
    assert fake.chat(ASKED[1:]).finish_reason == "length"
    assert fake.asked == [tuple(ASKED), tuple(ASKED[1:])]
    with pytest.raises(ChatError, match="told 2 replies"):
        fake.chat(ASKED)


async def test_a_function_replies_and_schemas_are_kept():
    fake = FakeJSONChat(lambda messages: messages[-1].content.upper())
    assert isinstance(fake, JSONChatModel)
    assert (await fake.achat_json(ASKED, schema={"type": "object"})).text == "SAY HELLO."
    assert fake.schemas == [{"type": "object"}]
    assert repr(fake) == "FakeJSONChat(1 calls)"


def test_one_text_is_no_list_of_replies():
    with pytest.raises(ConfigError, match="a list or a function"):
        FakeChat("Hello")
