"""Lengths in characters and tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.models.tokenizers import BUNDLED, Tokenizer
from jina_components.segmenter.rulers import CharacterRuler, TokenRuler

TEXT = "playing unbelievable games, all day"


def tokens(text: str) -> TokenRuler:
    return TokenRuler(text, Tokenizer(BUNDLED))


def test_characters() -> None:
    ruler = CharacterRuler("0123456789")
    assert (ruler.size(2, 5), ruler.size_alone(2, 5)) == (3, 3)
    assert (ruler.reach(2, 5), ruler.reach(8, 5)) == (7, 10)
    assert (ruler.back(8, 5), ruler.back(3, 5)) == (3, 0)


def test_tokens_reach_over_the_white_space_behind_them() -> None:
    ruler = tokens("one  two three")
    assert ruler.total == 3
    assert [ruler.reach(0, size) for size in (0, 1, 2, 3, 9)] == [0, 5, 9, 14, 14]
    assert [ruler.back(9, size) for size in (0, 1, 2, 9)] == [9, 5, 0, 0]
    assert ruler.size(0, 9) == ruler.size_alone(0, 9) == 2


def test_a_stretch_cut_inside_a_word_is_counted_anew() -> None:
    ruler, count = tokens(TEXT), Tokenizer(BUNDLED).count
    for start in range(len(TEXT)):
        for end in range(start, len(TEXT) + 1):
            assert ruler.size_alone(start, end) == count(TEXT[start:end])


def test_a_text_without_tokens() -> None:
    ruler = tokens(" \n ")
    assert (ruler.total, ruler.reach(0, 1), ruler.back(3, 1), ruler.size(0, 3)) == (0, 3, 3, 0)


PIECES = [
    "word",
    " word",
    " ",
    "  ",
    "\n",
    "\r\n",
    ".",
    ", ",
    "中",
    "é",
    "\u0301",
    "1",
    "'s",
    "🚀",
    "/",
    "\t",
    "\u3000",
    "\0",
    "\ud800",
]


@pytest.mark.parametrize("name", [BUNDLED, "cl100k_base"])
@given(parts=st.lists(st.sampled_from(PIECES), max_size=60), data=st.data())
def test_a_stretch_alone_has_the_tokens_that_it_has_on_its_own(
    name: str, parts: list[str], data: st.DataObject
) -> None:
    text, tokenizer = "".join(parts), TOKENIZERS[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert TokenRuler(text, tokenizer).size_alone(start, end) == tokenizer.count(text[start:end])


TOKENIZERS = {name: Tokenizer(name) for name in (BUNDLED, "cl100k_base")}
