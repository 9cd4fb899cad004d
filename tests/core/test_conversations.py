import pytest

from jina_components.core.conversations import check_messages
from jina_components.errors import InputError
from jina_components.protocols import ChatMessage
from jina_components.types import Image

HELLO = ChatMessage("user", "Hello.")
SHOWN = ChatMessage("user", "What is it?", (Image("a.png"),))


@pytest.mark.parametrize(
    ("messages", "words", "index"),
    [
        ("hi", 'must be a list, got str: pass [ChatMessage("user", "hi")]', None),
        (None, "messages must be a list", None),
        ([], "messages is empty", None),
        ([HELLO, "hi"], "messages[1] must be ChatMessage, got str", 1),
        ([ChatMessage("tool", "x")], "messages[0] has the role 'tool': it must be one of system, user, assistant", 0),
        ([ChatMessage("user", None)], "messages[0] must have a str as its content, got NoneType", 0),
        ([HELLO, SHOWN], "messages[1] has images", 1),
        ([ChatMessage("user", "x", files=("a.pdf",))], "messages[0] has files", 0),
    ],
)
def test_what_is_no_conversation(messages, words, index):
    with pytest.raises(InputError) as caught:
        check_messages(messages, images=False)
    assert words in str(caught.value)
    assert caught.value.index == index


def test_conversations():
    check_messages([ChatMessage("system", ""), HELLO, ChatMessage("assistant", "x"), HELLO], images=False)
    check_messages((SHOWN,), images=True)
