"""Whatever a server sends is a reply or an error of ours."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.chat.failures import chat_error
from jina_components.chat.replies import Reading
from jina_components.errors import ChatError, WebError

RUBBISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
PART = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "refusal", 7]), "text": RUBBISH, "refusal": RUBBISH}
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "content": st.text() | RUBBISH | st.lists(PART | RUBBISH, max_size=3),
        "refusal": RUBBISH,
        "tool_calls": RUBBISH,
    },
)
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "message": MESSAGE | RUBBISH,
        "delta": MESSAGE | RUBBISH,
        "finish_reason": st.sampled_from(["stop", "length", "error", "content_filter"]) | RUBBISH,
        "index": RUBBISH,
    },
)
BODY = st.fixed_dictionaries(
    {},
    optional={"choices": st.lists(CHOICE, max_size=3) | RUBBISH, "usage": RUBBISH, "error": RUBBISH, "object": RUBBISH},
)


@settings(max_examples=300)
@given(st.lists(BODY | RUBBISH, max_size=4))
def test_any_json_is_a_reply_or_an_error(bodies):
    reading = Reading("tiny")
    try:
        pieces = [reading.take_event(json.dumps(body)) for body in bodies]
        pieces.append(reading.flush())
        reply = reading.reply()
    except (ChatError, WebError) as error:
        assert len(str(error)) < 600  # noqa: PT017
    else:
        assert reply.text == "".join(pieces)
        reply.text.encode()
        assert min(reply.usage.prompt_tokens, reply.usage.completion_tokens) >= 0


@given(st.text(st.characters(codec=None)), st.data())
def test_a_text_is_the_same_however_it_is_cut(text, data):
    cut = data.draw(st.integers(0, len(text)))
    readings = []
    for pieces in ([text], [text[:cut], text[cut:]]):
        reading = Reading("tiny")
        for piece in pieces:
            reading.take({"choices": [{"delta": {"content": piece}}]})
        readings.append(reading.reply().text)
    assert readings[0] == readings[1]
    assert readings[0] == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(st.text(), st.integers(0, 999))
def test_any_words_are_an_error(words, status):
    assert chat_error("x", status=status, words=words).status_code == status
