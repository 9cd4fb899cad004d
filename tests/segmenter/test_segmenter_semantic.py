"""Chunks that end where the topic changes, as an embedder sees it."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segmenter_texts import texts

from jina_components import Embedder
from jina_components.errors import ConfigError, InputError
from jina_components.segmenter import Segmenter

BREAD = (
    "Bread dough needs flour, water and yeast. Knead the dough until it is smooth. Let the dough rise in a warm place. "
    "Bake the bread in a hot oven until the crust is brown. "
)
STARS = (
    "A star shines by nuclear fusion in its core. Most stars turn hydrogen into helium. Heavy stars end as supernovae. "
    "Astronomers measure the distance of stars by their parallax. "
)
LAW = (
    "The court heard the case in March. The judge ruled that the contract was void. The lawyers of the defendant "
    "appealed against the ruling. The verdict of the jury was unanimous. "
)


class Counting:
    """An embedder that remembers what it was asked."""

    def __init__(self, dimensions: int = 8) -> None:
        self.asked: list[str] = []
        self._dimensions = dimensions

    def embed_query(self, text: str) -> np.ndarray:
        raise AssertionError("only documents are embedded")

    def embed_documents(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        rows = [np.bincount(np.frombuffer(t.encode(), np.uint8) % self._dimensions, minlength=8) for t in texts]
        return np.array(rows, np.float32).reshape(-1, 8)


@cache
def segmenter(unit: str, limit: int) -> Segmenter:
    return Segmenter(embedder=Counting(), max_chunk_length=limit, length_unit=unit)


def starts(text: str, **settings: object) -> set[int]:
    return {chunk.start for chunk in Segmenter(max_chunk_length=300, **settings).segment(text).chunks}


def test_chunks_end_where_the_topic_changes(bundled_embedder: Embedder) -> None:
    text = BREAD + STARS + LAW
    borders = {len(BREAD), len(BREAD + STARS)}
    assert borders <= starts(text, embedder=bundled_embedder)
    assert not borders <= starts(text)


def test_structure_still_counts(bundled_embedder: Embedder) -> None:
    code = "```\n" + "line of code\n" * 20 + "```\n"
    text = BREAD + "\n\n# Stars\n\n" + STARS + "\n\n" + code + LAW
    found = Segmenter(max_chunk_length=300, embedder=bundled_embedder).segment(text).chunks
    assert any(chunk.text.startswith("# Stars") and chunk.heading == "Stars" for chunk in found)
    assert any(code in chunk.text for chunk in found)


@given(text=texts, unit=st.sampled_from(["characters", "tokens"]), limit=st.sampled_from([12, 40, 200]))
def test_chunks_join_to_the_text_and_keep_the_limit(text: str, unit: str, limit: int) -> None:
    found = segmenter(unit, limit).segment(text).chunks
    assert "".join(chunk.text for chunk in found) == text
    assert all((len(chunk.text) if unit == "characters" else chunk.num_tokens) <= limit for chunk in found)
    assert [before.end for before, _ in pairwise(found)] == [after.start for _, after in pairwise(found)]


@pytest.mark.parametrize("text", [(BREAD + STARS + LAW) * 20, ". " * 5000, "Oh no! " * 3000, "| a | b |\n" * 3000])
def test_each_sentence_is_embedded_once_and_none_that_is_empty(text: str) -> None:
    embedder = Counting()
    Segmenter(embedder=embedder).segment(text)
    assert all(asked.strip() for asked in embedder.asked)
    assert sum(map(len, embedder.asked)) <= len(text)
    assert len(embedder.asked) <= len(text) / 24 + 1
    assert all(len(asked) <= 400 for asked in embedder.asked)


def test_what_no_encoding_knows_does_not_reach_the_embedder(bundled_embedder: Embedder) -> None:
    text = "Lone \ud83d half. And \x00 more of it here. " * 30
    assert "".join(chunk.text for chunk in Segmenter(embedder=bundled_embedder).segment(text).chunks) == text


def test_short_texts_are_not_embedded() -> None:
    embedder = Counting()
    assert Segmenter(embedder=embedder).segment("").chunks == ()
    assert len(Segmenter(embedder=embedder).segment("One sentence only.").chunks) == 1
    assert embedder.asked == []


def test_overlap_goes_with_it(bundled_embedder: Embedder) -> None:
    text = BREAD + STARS + LAW
    found = Segmenter(max_chunk_length=300, overlap=60, embedder=bundled_embedder).segment(text).chunks
    assert all(0 <= before.end - after.start <= 60 for before, after in pairwise(found))
    assert found[-1].end == len(text)


class Wrong(Counting):
    def embed_documents(self, texts: list[str]) -> np.ndarray:
        return np.ones((1, 8), np.float32)


def test_what_is_no_embedder_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"embedder must have embed_documents\(\), got str"):
        Segmenter(embedder="static-minilm-v1")
    with pytest.raises(InputError, match=r"vectors of shape \(1, 8\) for 12 texts"):
        Segmenter(embedder=Wrong()).segment(BREAD + STARS + LAW)
