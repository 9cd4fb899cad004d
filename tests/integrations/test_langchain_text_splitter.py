from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from langchain_core.documents import BaseDocumentTransformer, Document
from langchain_jina_components import JinaTextSplitter
from langchain_parts import KEY
from langchain_text_splitters import TextSplitter
from pydantic import ValidationError
from running_service import Served

from jina_components import Segmenter
from jina_components.errors import ConfigError, InputError, UnknownNameError

GUIDE = """# Guide

Read this first. It is short.

## Install

Run the command. Then wait.   It takes a while, and the same words come again. Run the command. Then wait.

## Use

🗼 東京は日本の首都です。人口は約1400万人です。 Run the command.
"""


@pytest.fixture(params=["plain", "overlapping", "of tokens", "whole", "of ours", "there"])
def splitter(request: pytest.FixtureRequest, service: Served) -> Iterator[JinaTextSplitter]:
    settings: dict[str, dict[str, Any]] = {
        "plain": {"chunk_size": 60},
        "overlapping": {"chunk_size": 60, "chunk_overlap": 30},
        "of tokens": {"chunk_size": 12, "length_unit": "tokens", "tokenizer": "cl100k_base"},
        "whole": {"chunk_size": 60, "strip_whitespace": False},
        "of ours": {"segmenter": Segmenter(max_chunk_length=60)},
        "there": {"chunk_size": 60, "base_url": service.url},
    }
    with closing(JinaTextSplitter(add_start_index=True, **settings[request.param])) as made:
        yield made


class TestSplitter:
    """What LangChain's text splitters promise, and that places are exact."""

    def test_is_one(self, splitter: JinaTextSplitter) -> None:
        assert isinstance(splitter, TextSplitter)
        assert isinstance(splitter, BaseDocumentTransformer)

    def test_chunks_stand_where_they_say(self, splitter: JinaTextSplitter) -> None:
        documents = splitter.create_documents([GUIDE])
        assert len(documents) > 4
        places = [document.metadata["start_index"] for document in documents]
        assert places == sorted(set(places))
        for place, document in zip(places, documents, strict=True):
            assert GUIDE[place : place + len(document.page_content)] == document.page_content

    def test_nothing_is_lost(self, splitter: JinaTextSplitter) -> None:
        covered = {
            at
            for document in splitter.create_documents([GUIDE])
            for at in range(
                document.metadata["start_index"], document.metadata["start_index"] + len(document.page_content)
            )
        }
        assert "".join(letter for at, letter in enumerate(GUIDE) if at not in covered).strip() == ""

    def test_texts_and_documents_agree(self, splitter: JinaTextSplitter) -> None:
        texts = splitter.split_text(GUIDE)
        given = Document(GUIDE, metadata={"source": "guide"}, id="guide")
        for documents in (
            splitter.create_documents([GUIDE]),
            splitter.split_documents([given]),
            splitter.transform_documents([given]),
            asyncio.run(splitter.atransform_documents([given])),
        ):
            assert [document.page_content for document in documents] == texts
        assert given == Document(GUIDE, metadata={"source": "guide"}, id="guide")

    def test_metadata_go_with_every_chunk(self, splitter: JinaTextSplitter) -> None:
        given = [Document(GUIDE, metadata={"at": {"page": page}}) for page in (1, 2)]
        found = splitter.split_documents(given)
        assert [document.metadata["at"]["page"] for document in found] == sorted(
            document.metadata["at"]["page"] for document in found
        )
        assert {document.metadata["at"]["page"] for document in found} == {1, 2}
        found[0].metadata["at"]["page"] = 99
        assert given[0].metadata == {"at": {"page": 1}}
        assert found[1].metadata["at"] == {"page": 1}

    def test_nothing_of_nothing(self, splitter: JinaTextSplitter) -> None:
        assert splitter.split_text("") == splitter.split_text(" \n\n ") == []
        assert splitter.create_documents([]) == splitter.split_documents([]) == []
        assert asyncio.run(splitter.atransform_documents([])) == []

    def test_no_chunk_is_blank(self, splitter: JinaTextSplitter) -> None:
        assert all(text.strip() for text in splitter.split_text(GUIDE + "\n" * 300 + "The end."))

    def test_pickles(self, splitter: JinaTextSplitter) -> None:
        with closing(pickle.loads(pickle.dumps(splitter))) as copied:
            assert copied.split_text(GUIDE) == splitter.split_text(GUIDE)


def test_chunks_are_those_of_the_segmenter() -> None:
    wanted = [chunk.text for chunk in Segmenter(max_chunk_length=60).segment(GUIDE).chunks]
    assert JinaTextSplitter(chunk_size=60, strip_whitespace=False).split_text(GUIDE) == wanted
    assert JinaTextSplitter(chunk_size=60).split_text(GUIDE) == [text.strip() for text in wanted]
    assert len(JinaTextSplitter().split_text(GUIDE)) == 1


def test_headings_are_among_the_metadata() -> None:
    found = JinaTextSplitter(chunk_size=60).create_documents(["No heading.\n\n" + GUIDE], [{"source": "guide"}])
    assert found[0].metadata == {"source": "guide"}
    assert found[-1].metadata == {"source": "guide", "heading": "Guide > Use"}


@example("  \n a. b", 40, True)
@examples(max_examples=15)
@given(st.text(alphabet="ab. \n#\u00e9\U0001f5fc", max_size=200), st.integers(1, 40), st.booleans())
def test_places_are_exact_for_any_text(text: str, size: int, strip: bool) -> None:
    splitter = JinaTextSplitter(chunk_size=size, strip_whitespace=strip, add_start_index=True)
    for document in splitter.create_documents([text]):
        place = document.metadata["start_index"]
        assert 0 < len(document.page_content) <= size
        assert text[place : place + len(document.page_content)] == document.page_content


async def test_many_documents_within_a_running_loop() -> None:
    splitter = JinaTextSplitter(chunk_size=60)
    given = [Document(f"{number}. {GUIDE}") for number in range(50)]
    assert await splitter.atransform_documents(given) == splitter.split_documents(given)


def test_a_segmenter_and_settings_of_one_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in ({"chunk_size": 5}, {"tokenizer": "gpt2"}, {"base_url": "http://localhost:1"}, {"timeout": 3}):
        with pytest.raises(ConfigError, match=f"either segmenter or settings of one; got {next(iter(settings))} too"):
            JinaTextSplitter(segmenter=Segmenter(), **settings)  # type: ignore[arg-type]
    monkeypatch.setenv("JINA_API_KEY", KEY)
    assert JinaTextSplitter(segmenter=Segmenter()).split_text("a") == ["a"]


def test_mistakes_are_told(service: Served) -> None:
    for settings in ({"chunk_size": 0}, {"chunk_size": 5, "chunk_overlap": 5}, {"chunk_overlap": -1}):
        with pytest.raises(ConfigError, match="max_chunk_length|overlap"):
            JinaTextSplitter(**settings)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="tokenizer"):
        JinaTextSplitter(tokenizer="unknown")
    with pytest.raises(ConfigError, match="chunk_overlap or length_unit: leave it out"):
        JinaTextSplitter(base_url=service.url, chunk_overlap=3, length_unit="tokens")
    with pytest.raises(ValidationError, match=r"for JinaTextSplitter\nkeep_separator"):
        JinaTextSplitter(keep_separator=True)
    with pytest.raises(InputError, match="2 metadatas for 1"):
        JinaTextSplitter().create_documents(["a"], [{}, {}])
    with pytest.raises(InputError, match="str"):
        JinaTextSplitter().split_text(3)  # type: ignore[arg-type]
