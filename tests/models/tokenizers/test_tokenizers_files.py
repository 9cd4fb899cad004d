"""Counting and locating tokens, in texts of any length."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as RawTokenizer

from jina_components.errors import ModelFilesError, UnknownNameError
from jina_components.models.files import bundled_path
from jina_components.models.tokenizers import BUNDLED, Tokenizer, resolve_tokenizer, tokenizer
from jina_components.models.tokenizers.piece_memory import PARTING

TOKENIZER = Tokenizer(BUNDLED)
RAW = RawTokenizer.from_file(str(bundled_path("static-minilm-v1") / "tokenizer.json"))
RAW.no_truncation()
RAW.encode_special_tokens = True

TRICKY = [
    *("[SEP]", "naïve", "e\u0301", "\u0301", "각", "中", "。", "\u200d", "\x1c", "\x85", "\u2028", "don't"),
    *("##ing", "ǅ", "İ", "\x00", " ", "\n", "playing "),
]
texts = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(TRICKY)), max_size=30).map("".join)


def raw_spans(text: str) -> list[tuple[int, int]]:
    return RAW.encode(text, add_special_tokens=False).offsets


@given(texts)
def test_spans_are_those_of_the_tokenizer_itself(text: str) -> None:
    starts, ends = TOKENIZER.spans(text)
    assert starts.dtype == ends.dtype == np.int32
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == raw_spans(text)
    assert TOKENIZER.count(text) == len(starts)


@given(text=texts, window=st.integers(1, 9))
def test_windows_make_no_difference(text: str, window: int) -> None:
    places = [cut.start() for cut in PARTING.finditer(text)]
    longest_run = max(np.diff([0, *places, len(text)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer, "_WINDOW", max(window, longest_run))
        starts, ends = TOKENIZER.spans(text)
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == raw_spans(text)


@given(text=texts, data=st.data())
def test_what_stands_alone_has_the_same_tokens_alone(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    if TOKENIZER.stands_alone(text, start, end):
        inside = [(a - start, b - start) for a, b in raw_spans(text) if start <= a < end]
        assert raw_spans(text[start:end]) == inside


def test_cuts_inside_a_word_do_not_stand_alone() -> None:
    assert TOKENIZER.stands_alone("two words", 0, 3)
    assert TOKENIZER.stands_alone("two words", 0, 4)
    assert not TOKENIZER.stands_alone("two words", 0, 6)


def test_a_long_text_is_tokenized_in_windows(byte_pair_file: Path) -> None:
    part = "the cat went there\n\nand then the dog."
    text = part * 20_000
    for name in (BUNDLED, byte_pair_file):
        tokenizer = Tokenizer(name)
        starts, ends = tokenizer.spans(text)
        assert text[starts[-1] : ends[-1]] == "."
        assert len(starts) == 20_000 * tokenizer.count(part)


def test_a_run_without_any_place_to_part_at_is_tokenized_too() -> None:
    assert TOKENIZER.count("x" * 1_200_000) == 3


def test_lone_surrogates_count_as_the_replacement_character(byte_pair_file: Path) -> None:
    tokenizer = Tokenizer(byte_pair_file)
    assert tokenizer.count("a\ud800b") == tokenizer.count("a\ufffdb")


def test_special_tokens_in_a_text_are_text(byte_pair_file: Path) -> None:
    assert Tokenizer(byte_pair_file).count("<|end|>") > 1


def test_names_and_paths() -> None:
    assert resolve_tokenizer("bundled").name == "tokenizer.json"
    assert resolve_tokenizer(f"folder{os.sep}file") == Path("folder/file")
    assert resolve_tokenizer("tokenizer.json") == Path("tokenizer.json")
    assert resolve_tokenizer(Path("bundled")) == Path("bundled")
    with pytest.raises(UnknownNameError, match=r"Unknown tokenizer .* 'cl100k'.*Known: bundled"):
        resolve_tokenizer("cl100k")


def test_files_that_are_missing_or_broken(tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError, match=r"x\.json is missing"):
        Tokenizer(tmp_path / "x.json")
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{}")
    with pytest.raises(ModelFilesError, match=r"is not a tokenizer\.json"):
        Tokenizer(broken)


def test_pieces_of_other_tokenizers_hold_whole_characters(byte_pair_file: Path) -> None:
    pieces = Tokenizer(byte_pair_file).tokenize("the 🚀 cat")
    assert [piece.text for piece in pieces if "🚀" in piece.text] == ["🚀"]
    assert "".join(piece.text for piece in pieces) == "the 🚀 cat"
    assert [piece.text for piece in Tokenizer(BUNDLED).tokenize(" two  words ")] == [" two", "  words "]
