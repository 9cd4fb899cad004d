import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.core.chat_json import ask_json, checked, parse_json, parse_object
from jina_components.core.json_schema import violations
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
    "reply",
    [
        "",
        "I cannot.",
        "{",
        '{"a": NaN}',
        '{"a": Infinity}',
        "{'a': 1}",
        '{"a": 1e999}',
        '{"a":' * 100_000,
        "{" + "9" * 9999,
    ],
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


# --- replies held against a schema --------------------------------------------------------------------------------

ACTION = {
    "type": "object",
    "properties": {"action": {"enum": ["search", "answer"]}, "text": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["action"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"action": "search",}', {"action": "search"}),
        ("{'action': 'search', 'text': 'it is'}", {"action": "search", "text": "it is"}),
        ('{"action": "search", /* why */ "n": 1 // one\n}', {"action": "search", "n": 1}),
        ('{"action": "answer", "text": "two\nlines"}', {"action": "answer", "text": "two\nlines"}),
        ('{"action": "answer", "text": "He said "no", twice"}', {"action": "answer", "text": 'He said "no", twice'}),
        ('{"action": "answer", "text": "no end', {"action": "answer", "text": "no end"}),
        ('{"action": "answer", "n": 3', {"action": "answer", "n": 3}),
        ('{action: "answer"}', {"action": "answer"}),
        ("{“action”: “answer”}", {"action": "answer"}),
        ("Of {x}, I say: {'action': 'answer'} and {more}.", {"action": "answer"}),
        ("<think>{'action': 'search'}</think>{'action': 'answer'}", {"action": "answer"}),
        ("```json\n{'action': 'answer',}\n```", {"action": "answer"}),
        ('{"action": "answer"}}', {"action": "answer"}),
        ('{"action": "answer"}', {"action": "answer"}),
    ],
)
async def test_what_is_almost_json_is_mended(reply, value):
    assert checked(reply, ACTION) == value
    chat = FakeChat([reply])
    assert (await ask_json(chat, ASKED, schema=ACTION, read=parse_object))[0] == value
    assert len(chat.asked) == 1


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ('{"action": "fly"}', "At $.action: 'fly' is not one of ['search', 'answer']."),
        ('{"action": "search", "n": "x"}', "At $.n: 'x' is not of type 'integer'."),
        ("[]", "This holds no JSON object: '[]'."),
        ("I search, then I answer.", "This holds no JSON object"),
        ("It is {action}.", "This is no valid JSON"),
        ("{'action': 'fly',}", "This is no valid JSON"),
        ("{", "This is no valid JSON"),
        ('{"action": "search", "n": 1e999}', "This is no valid JSON: 1e999 is too large a number."),
        ('{"action": ' * 500, "This is no valid JSON"),
        ('{"action"' * 20_000, "This is no valid JSON"),
        ("{'action': 'search', 'text': '" + "x" * 100_000, "This is no valid JSON"),
    ],
)
async def test_what_is_not_as_wanted_is_told(reply, told):
    with pytest.raises(ValueError) as caught:
        checked(reply, ACTION)
    assert str(caught.value).startswith(told)
    assert len(str(caught.value)) < 300


async def test_a_reply_that_ran_into_a_loop_is_not_mended_but_asked_for_again():
    looped = ChatReply('{"action": "answer", "text": "no no no', finish_reason="repetition")
    chat = FakeChat([looped, '{"action": "search"}'])
    assert (await ask_json(chat, ASKED, schema=ACTION, read=parse_object))[0] == {"action": "search"}


async def test_a_reply_that_was_cut_is_not_mended():
    cut = ChatReply('{"action": "answer", "text": "no e', finish_reason="length")
    with pytest.raises(ChatError, match="raise its max_tokens"):
        await ask_json(FakeChat([cut]), ASKED, schema=ACTION, read=parse_object)


def test_lists_are_mended_where_they_are_wanted():
    numbers = {"type": "array", "items": {"type": "integer"}}
    assert checked("Here: [1, 2,]", numbers) == [1, 2]
    assert checked("[1, 2", numbers) == [1, 2]
    for reply in ("[see note]", "none", "{'a': 1}"):
        with pytest.raises(ValueError, match="This is no valid JSON"):
            checked(reply, {"type": "array"})


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"$ref": "#/nowhere"}])
async def test_what_is_no_schema_is_raised(schema):
    with pytest.raises(InputError, match="JSON Schema"):
        checked("{}", schema)
    with pytest.raises(InputError, match="JSON Schema"):
        await ask_json(FakeChat(["{'a': 1}"]), ASKED, schema=schema, read=parse_json)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_valid_json_is_unchanged(value, ascii_only):
    written = json.dumps({"value": value}, ensure_ascii=ascii_only)
    assert checked(written, {"type": "object"}) == {"value": value}
    assert checked(f"```json\n{written}\n```", {"type": "object"}) == {"value": value}


@settings(max_examples=300)
@given(st.text(st.sampled_from("{}[]\"':,/*#\\`\n atrue1.-“<>")) | st.text())
def test_whatever_a_model_writes_follows_the_schema_or_is_refused(reply):
    for schema in (ACTION, {"type": "array"}, {}):
        value = value_or_complaint(reply, schema)
        if not isinstance(value, ValueError):
            assert violations(value, schema) == ""
            json.dumps(value, allow_nan=False)


def value_or_complaint(reply, schema):
    try:
        return checked(reply, schema)
    except InputError:
        raise
    except ValueError as error:
        return error


@given(JSON, st.data())
def test_json_that_was_broken_ends_in_a_value_or_a_complaint(value, data):
    written = json.dumps({"action": "answer", "text": json.dumps(value)})
    place, cut = data.draw(st.integers(0, len(written))), data.draw(st.integers(0, 3))
    broken = (
        written[:place] + data.draw(st.sampled_from(["", "'", '"', "{", "}", ",", "\n", "//"])) + written[place + cut :]
    )
    value = value_or_complaint(broken, ACTION)
    assert str(value) if isinstance(value, ValueError) else violations(value, ACTION) == ""
