"""RemoteSegmenter cuts as a Segmenter does: on our own server, and by what Jina's answers."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_server import http

from jina_components import Segmenter
from jina_components.errors import ConfigError, InputError, WebError
from jina_components.protocols import SupportsSegment
from jina_components.remote import Remote, RemoteSegmenter
from jina_components.types import Page

TEXTS = [
    "It rains. We stay inside.\nThen the sun came out, and we went for a walk.",
    "\n\n  # Names 🌧️\n\nGrüße 👩‍👩‍👧 aus Köln. 日本語のテキスト。\n- one\n- two\n\n```\ncode = 1\n```\n",
    "🌍" * 50,
    "word " * 700,
    "   \n ",
]


@pytest.fixture
def segmenter(service):
    with RemoteSegmenter(Remote(service.url), max_chunk_length=60) as segmenter:
        yield segmenter


def test_as_a_segmenter_here(segmenter):
    here = Segmenter(pack=False, max_chunk_length=60, tokenizer="cl100k_base")
    for text in TEXTS:
        found, expected = segmenter.segment(text), here.segment(text)
        assert [(each.text, each.start, each.end, each.num_tokens) for each in found.chunks] == [
            (each.text, each.start, each.end, each.num_tokens) for each in expected.chunks
        ]
        assert (found.num_tokens, found.tokenizer, found.text) == (expected.num_tokens, "cl100k_base", text)
        assert segmenter.count(text) == here.count(text)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=300))
def test_chunks_stand_where_they_say(segmenter, text):
    found = segmenter.segment(text)
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found.chunks)
    assert "".join(chunk.text for chunk in found.chunks) == text[len(text) - len(text.lstrip()) :] or not text.strip()


def test_long_texts_go_in_parts(segmenter):
    text = "".join(f"Paragraph {number} says 🌍 something of its own.\n\n" for number in range(1500))
    found = segmenter.segment(text)
    assert "".join(chunk.text for chunk in found.chunks) == text
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found.chunks)
    assert found.num_tokens == Segmenter(tokenizer="cl100k_base").count(text) == segmenter.count(text)


def test_a_long_text_without_any_end(service):
    with RemoteSegmenter(Remote(service.url), max_chunk_length=1000) as segmenter:
        found = segmenter.segment("x" * 70_000)
    assert max(len(chunk.text) for chunk in found.chunks) <= 1000
    assert "".join(chunk.text for chunk in found.chunks) == "x" * 70_000


def test_an_empty_text(segmenter):
    found = segmenter.segment("")
    assert (found.chunks, found.num_tokens) == ((), 0)
    assert isinstance(segmenter, SupportsSegment)
    assert asyncio.run(segmenter.asegment(TEXTS[0])) == segmenter.segment(TEXTS[0])


def test_a_page_as_documents(segmenter):
    page = Page("https://example.com/", "Rain", TEXTS[0], language="en", page_offsets=(0, 26))
    documents = segmenter.segment_page(page)
    assert all(page.content[each.metadata["start"] : each.metadata["end"]] == each.text for each in documents)
    assert documents[0].metadata == {
        "source": "https://example.com/", "title": "Rain", "start": 0, "end": 26, "page": 1, "language": "en",
    }  # fmt: skip


@pytest.mark.parametrize("text", [None, 3, b"bytes", "half \ud83c"])
def test_what_is_no_text(segmenter, text):
    with pytest.raises(InputError, match="text"):
        segmenter.segment(text)


def test_a_tokenizer_that_the_server_does_not_know(service):
    with (
        RemoteSegmenter(Remote(service.url), tokenizer="klingon") as segmenter,
        pytest.raises(InputError, match="tokenizer"),
    ):
        segmenter.segment("a text")


@pytest.mark.parametrize("settings", [{"max_chunk_length": 0}, {"max_chunk_length": True}, {"tokenizer": ""}])
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ConfigError):
        RemoteSegmenter(Remote(), **settings)


TEXT = "\n  Jina AI 🚀.\n  Search!"
DOCUMENTED = {
    "num_tokens": 9,
    "tokenizer": "cl100k_base",
    "usage": {"tokens": 0},
    "num_chunks": 2,
    "chunk_positions": [[3, 17], [17, 24]],
    "chunks": ["Jina AI 🚀.\n  ", "Search!"],
    "tokens": [[["J", [41]], ["ina", [2259]], [" AI", [15592]], [" ", [11410]], ["🚀", [248, 222]], [".\n", [627]]],
               [["Search", [6014]], ["!", [0]]]],
}  # fmt: skip


def test_what_jina_answers(server):
    server.routes["/v1/segment"] = [_answer(DOCUMENTED)]
    with RemoteSegmenter(Remote(server.url(""))) as segmenter:
        found = segmenter.segment(TEXT)
    assert [(chunk.start, chunk.end, chunk.num_tokens) for chunk in found.chunks] == [(3, 16, 7), (16, 23, 2)]
    assert found.num_tokens == 9
    assert json.loads(server.received[0].body) == {
        "content": TEXT, "tokenizer": "cl100k_base", "return_chunks": True, "return_tokens": True,
        "max_chunk_length": 1000,
    }  # fmt: skip


OUT_OF_FORM = [
        {}, {"num_tokens": None}, {**DOCUMENTED, "num_tokens": -3}, {**DOCUMENTED, "num_tokens": "9"},
        {**DOCUMENTED, "chunks": None}, {**DOCUMENTED, "chunks": ["other", "text"]}, {**DOCUMENTED, "chunks": [3, 4]},
        {**DOCUMENTED, "tokens": [3, 4]}, {**DOCUMENTED, "tokens": [[[1]], []]}, {**DOCUMENTED, "tokens": []},
        {**DOCUMENTED, "chunk_positions": [[3, 17]]}, {**DOCUMENTED, "chunk_positions": [[3, 17], []]},
        {**DOCUMENTED, "chunk_positions": [[4, 17], [17, 24]]}, {**DOCUMENTED, "chunk_positions": [["3", 17], 17]},
        {**DOCUMENTED, "chunk_positions": [[3, 17], [10**30, 24]]},
        {**DOCUMENTED, "chunk_positions": [[17, 24], [3, 17]]},
]  # fmt: skip


def test_answers_out_of_form(server):
    with RemoteSegmenter(Remote(server.url(""))) as segmenter:
        for body in OUT_OF_FORM:
            server.routes["/v1/segment"] = [_answer(body)]
            with pytest.raises(WebError, match="out of form"):
                segmenter.segment(TEXT)


def _answer(body):
    return http(body=json.dumps(body).encode(), content_type="application/json")
