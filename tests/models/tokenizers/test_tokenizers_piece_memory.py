"""The memory of tokens of pieces that stand alone."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from jina_components.models.files import bundled_path
from jina_components.models.tokenizers import piece_memory
from jina_components.models.tokenizers.encoded import Encoded
from jina_components.models.tokenizers.piece_memory import PieceMemory
from jina_components.models.tokenizers.tokenizer_json import JsonEncoder


class Counting:
    """The bundled tokenizer's slow way; keeps what it was asked for."""

    def __init__(self) -> None:
        self._encoder = JsonEncoder(bundled_path("static-minilm-v1") / "tokenizer.json")
        self.texts: list[str] = []

    def __call__(self, text: str) -> Encoded:
        self.texts.append(text)
        return self._encoder._encode(text)


def parts_words(character: str) -> bool:
    return re.fullmatch(f"[{piece_memory._ALONE}{piece_memory._SPACE}]", character) is not None


def test_characters_that_pieces_are_parted_at_part_words_for_the_tokenizer() -> None:
    encode = Counting()
    tokens = lambda text: len(encode(text).ids)  # noqa: E731
    beyond = "\u3000\u3001\u3008\u3011\u3400\u4dbf\u4e00\u9fff\uff01\uff08\uff0c\uff1a\uff1f"
    for character in filter(parts_words, [*map(chr, range(0x3000)), *beyond]):
        for before, after in (("a", "b"), ("é", "\u0301z"), ("中", "ひ"), ("1", "2")):
            whole = tokens(before + character + after)
            assert whole == tokens(before) + tokens(character + after)
            assert whole == tokens(before + character) + tokens(after)


def test_what_was_seen_is_not_tokenized_again() -> None:
    encode = Counting()
    memory = PieceMemory(encode)
    first = memory.encode("some words, some more words")
    assert len(encode.texts) == 1
    again = memory.encode("some more words")
    assert len(encode.texts) == 1
    assert again.starts.tolist() == [0, 5, 10]
    assert first.starts.tolist() == [0, 5, 10, 12, 17, 22]


def test_a_full_memory_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piece_memory, "_MOST_CHARACTERS", 20)
    encode, reference = Counting(), Counting()
    memory = PieceMemory(encode)
    texts = ("one two three four five six seven", "eight nine", "one two", "two")
    for text in texts:
        assert memory.encode(text).starts.tolist() == reference(text).starts.tolist()
    assert len(encode.texts) == 3  # "one two" again, "two" not


def test_pieces_whose_tokens_could_not_be_had_are_not_remembered() -> None:
    encode, is_broken = Counting(), True

    def encode_later(text: str) -> Encoded:
        if is_broken:
            raise KeyboardInterrupt
        return encode(text)

    memory = PieceMemory(encode_later)
    with pytest.raises(KeyboardInterrupt):
        memory.encode("some words")
    is_broken = False
    assert memory.encode("more words").starts.tolist() == [0, 5]


def test_a_text_without_tokens() -> None:
    for text in ("  \n", ""):
        assert [part.tolist() for part in PieceMemory(Counting()).encode(text)] == [[], [], []]
        assert PieceMemory(Counting()).count(text) == 0


def test_threads_may_learn_at_once() -> None:
    memory, reference = PieceMemory(Counting()), Counting()
    many = [" ".join(f"word{i * j}" for j in range(100)) for i in range(50)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(memory.encode, many))
    assert [encoded.starts.tolist() for encoded in found] == [reference(text).starts.tolist() for text in many]
