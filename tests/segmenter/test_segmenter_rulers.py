"""Lengths in characters and tokens."""

from jina_components.models.token_spans import BUNDLED, Tokenizer
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
