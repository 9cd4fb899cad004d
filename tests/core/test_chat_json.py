import pytest

from jina_components.core.chat_json import ask_json, parse_json, parse_object
from jina_components.errors import ChatError, InputError
from jina_components.protocols import ChatMessage, ChatReply
from jina_components.testing import FakeChat, FakeJSONChat
from jina_components.types import Usage

ASKED = [ChatMessage("user", "Two numbers.")]


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Here it is:\n```json\n{"a": 1}\n```\nAnything else?', {"a": 1}),
        ('<think>Of {x}.</think> {"a": 1}', {"a": 1}),
        ('Of {x}.</think> {"a": 1}', {"a": 1}),
        ('{"a": "</think>"}', {"a": "</think>"}),
        ('Here: {"a": "</think>"}', {"a": "</think>"}),
        ('Of {x}.</think> {"a": "</think>"}', {"a": "</think>"}),
        ('[1] {"a": 1} {"b": 2}', {"a": 1}),
    ],
)
def test_an_object_is_found_behind_thoughts_and_within_fences(reply, value):
    assert parse_object(reply) == value


@pytest.mark.parametrize("reply", ["[1, 2]", "null", '"a"', "7", ' Here: [1, {"a": 2}] '])
def test_any_json(reply):
    assert parse_json(reply) in ([1, 2], None, "a", 7, [1, {"a": 2}])


@pytest.mark.parametrize("parse", [parse_json, parse_object])
@pytest.mark.parametrize(
    "reply", ["", "I cannot.", "{", '{"a": NaN}', '{"a": Infinity}', "{'a': 1}", '{"a":' * 100_000, "{" + "9" * 9999]
)
def test_what_is_no_json(parse, reply):
    with pytest.raises(ValueError, match=r"^This (is no valid JSON|holds no JSON object): .{1,250}\.$"):
        parse(reply)


async def test_what_is_wrong_is_told_to_the_model():
    chat = FakeJSONChat([ChatReply("none", Usage(3, 1)), ChatReply('{"b": 1}', Usage(3, 1)), '{"a": 1}'])

    def read(reply):
        found = parse_object(reply)
        if "a" not in found:
            raise ValueError("There is no a.")
        return found["a"]

    value, usage = await ask_json(chat, ASKED, schema={"type": "object"}, read=read)
    assert (value, usage.completion_tokens) == (1, 4)
    assert chat.schemas == [{"type": "object"}] * 3
    assert [message.content for message in chat.asked[-1]] == [
        "Two numbers.",
        "none", "This holds no JSON object: 'none'. Reply with the JSON alone.",
        '{"b": 1}', "There is no a. Reply with the JSON alone.",
    ]  # fmt: skip


async def test_a_model_that_stays_out_of_form_or_is_cut_is_an_error():
    with pytest.raises(ChatError, match="no such JSON in 3 attempts: This is no valid JSON"):
        await ask_json(FakeChat(["{"] * 3), ASKED, schema=None, read=parse_json)
    with pytest.raises(ChatError, match="raise its max_tokens"):
        await ask_json(FakeChat([ChatReply("{", finish_reason="length")]), ASKED, schema=None, read=parse_json)


async def test_what_the_caller_asked_wrong_is_not_put_to_the_model():
    def refuse(reply):
        raise InputError("no such schema")

    chat = FakeChat(["{}"])
    with pytest.raises(InputError, match="no such schema"):
        await ask_json(chat, ASKED, schema=None, read=refuse)
    assert len(chat.asked) == 1
