"""The encodings that OpenAI published, beside tiktoken; and what holds of every tokenizer."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.errors import InputError
from jina_components.models.tokenizers import BUNDLED, Tokenizer, tokenizer
from jina_components.types import TokenPiece

ENCODINGS = ("cl100k_base", "o200k_base", "p50k_base", "p50k_edit", "r50k_base", "gpt2")
SAMPLE = (
    "\n  Jina AI: Your Search Foundation, Supercharged! 🚀\n  Ihrer Suchgrundlage, aufgeladen! 🚀\n"
    "  您的搜索底座，从此不同！🚀\n  検索ベース,もう二度と同じことはありません！🚀\n"
)
TRICKY = [
    *("a", "B", "é", "Ǆ", "ʰ", "中", "ひ", "ก", "\u0301", "1", "٣", "²", "'s", "'LL", "'", "!", "/", "🚀", "\0"),
    *(" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\u3000", "\xa0", "\u2028", "\x85", "\x1c", "\u180e", "\x0b"),
    *("<|endoftext|>", "\ud800", " 🚀", "word", "ſ", "\u200d"),
]
texts = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(TRICKY)), max_size=20).map("".join)


@pytest.fixture(scope="module")
def tokenizers(rank_folder: Path) -> dict[str, Tokenizer]:
    return {name: Tokenizer(name, offline=True, folder=rank_folder) for name in (*ENCODINGS, BUNDLED)}


@settings(max_examples=200)
@given(text=texts.filter(lambda text: "'ſ" not in text), name=st.sampled_from(ENCODINGS))
def test_ids_are_those_of_tiktoken(
    text: str, name: str, tokenizers: dict[str, Tokenizer], references: dict[str, tiktoken.Encoding]
) -> None:
    plain = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    ids = tokenizers[name].encode(text)
    assert ids.dtype == np.int32
    assert ids.tolist() == references[name].encode_ordinary(plain)
    assert tokenizers[name].count(text) == len(ids)


@pytest.mark.parametrize("name", ENCODINGS)
def test_long_runs_have_the_ids_of_tiktoken(
    name: str, tokenizers: dict[str, Tokenizer], references: dict[str, tiktoken.Encoding]
) -> None:
    runs = [part * 3000 for part in ("a", " ", "\n", " \n", "=", "的", "🚀", "1", "\t", "'s", "\0")]
    for text in (*runs, *(run + "x" for run in runs), *("x" + run for run in runs)):
        assert tokenizers[name].encode(text).tolist() == references[name].encode_ordinary(text)


def test_every_letter_of_unicode_has_the_ids_of_tiktoken(
    tokenizers: dict[str, Tokenizer], references: dict[str, tiktoken.Encoding]
) -> None:
    scattered = random.Random(0).sample(range(0x110000), 20_000)
    characters = [chr(point) for point in scattered if not 0xD800 <= point < 0xE000]
    text = "".join(f"{character}b\n{character} 1{character}" for character in characters)
    for name in ENCODINGS:
        assert tokenizers[name].encode(text).tolist() == references[name].encode_ordinary(text), name


def test_the_documented_sample(tokenizers: dict[str, Tokenizer]) -> None:
    assert tokenizers["cl100k_base"].count(SAMPLE) == 78
    assert [(piece.text, piece.ids) for piece in tokenizers["cl100k_base"].tokenize(SAMPLE)[:3]] == [
        ("\n", (198,)),
        (" ", (220,)),
        (" J", (622,)),
    ]


def test_an_id_that_only_begins_a_character_waits_for_the_next() -> None:
    assert Tokenizer("cl100k_base").tokenize("a 🚀🚀") == [
        TokenPiece("a", (64,)),
        TokenPiece(" ", (11410,)),
        TokenPiece("🚀", (248, 222)),
        TokenPiece("🚀", (9468, 248, 222)),
    ]


@given(text=texts, name=st.sampled_from((*ENCODINGS, BUNDLED)))
def test_pieces_joined_are_the_text_and_their_ids_the_tokens(
    text: str, name: str, tokenizers: dict[str, Tokenizer]
) -> None:
    pieces = tokenizers[name].tokenize(text)
    ids = tokenizers[name].encode(text).tolist()
    assert [number for piece in pieces for number in piece.ids] == ids
    assert "".join(piece.text for piece in pieces) == (text if ids else "")
    assert all(piece.text and piece.ids for piece in pieces)


@given(text=texts, name=st.sampled_from(ENCODINGS))
def test_spans_hold_the_bytes_of_their_tokens(
    text: str, name: str, tokenizers: dict[str, Tokenizer], references: dict[str, tiktoken.Encoding]
) -> None:
    text = text.encode(errors="replace").decode()
    ids, (starts, ends) = tokenizers[name].encode(text), tokenizers[name].spans(text)
    assert starts.dtype == ends.dtype == np.int32
    assert len(starts) == len(ends) == len(ids)
    place = 0
    for number, start, end in zip(ids.tolist(), starts, ends, strict=True):
        token = references[name].decode_single_token_bytes(number)
        assert len(text[:start].encode()) <= place < len(text[: start + 1].encode())
        place += len(token)
        assert len(text[: end - 1].encode()) < place <= len(text[:end].encode())
    assert place == len(text.encode())


@given(text=texts, name=st.sampled_from((*ENCODINGS, BUNDLED)), tokens=st.integers(0, 30))
def test_head_and_tail_are_whole_characters_of_those_tokens(
    text: str, name: str, tokens: int, tokenizers: dict[str, Tokenizer]
) -> None:
    one = tokenizers[name]
    starts, ends = one.spans(text)
    head, tail = one.head(text, tokens), one.tail(text, tokens)
    if tokens >= len(starts):
        assert head == tail == text
        return
    assert text.startswith(head)
    assert text.endswith(tail)
    assert all(start >= len(head) for start in starts[tokens:])
    assert len(head) >= max(ends[:tokens], default=0) - 1
    assert all(end <= len(text) - len(tail) for end in ends[: len(ends) - tokens])
    if tokens:
        assert len(text) - len(tail) <= starts[-tokens] + 1


def test_a_character_that_is_cut_is_in_neither_head_nor_tail() -> None:
    one = Tokenizer("cl100k_base")
    assert [one.head("a 🚀b", tokens) for tokens in range(6)] == ["", "a", "a ", "a ", "a 🚀", "a 🚀b"]
    assert [one.tail("a 🚀b", tokens) for tokens in range(6)] == ["", "b", "b", "b", " 🚀b", "a 🚀b"]
    for cut in (one.head, one.tail):
        with pytest.raises(InputError, match="0 or more, got -1"):
            cut("text", -1)


@settings(max_examples=200)
@given(text=texts, name=st.sampled_from(ENCODINGS), data=st.data())
def test_what_stands_alone_has_the_same_tokens_alone(
    text: str, name: str, data: st.DataObject, tokenizers: dict[str, Tokenizer]
) -> None:
    one = tokenizers[name]
    starts, ids = one.spans(text)[0], one.encode(text)
    places = [place for place in range(len(text) + 1) if one.stands_alone(text, place, len(text))]
    start, end = sorted(data.draw(st.lists(st.sampled_from([0, *places]), min_size=2, max_size=2)))
    assert one.stands_alone(text, start, end)
    assert one.encode(text[start:end]).tolist() == ids[(starts >= start) & (starts < end)].tolist()


def test_lines_stand_alone_for_the_modern_encodings() -> None:
    text, one = "First line.\n\nSecond: 2\n  three\n", Tokenizer("cl100k_base")
    assert one.stands_alone(text, 0, 13)
    assert one.stands_alone(text, 13, 23)
    assert one.stands_alone(text, 5, 13)
    assert not one.stands_alone(text, 6, 13)
    assert not one.stands_alone(text, 0, 12)


@given(text=texts, name=st.sampled_from(ENCODINGS), window=st.integers(1, 9))
def test_windows_make_no_difference(text: str, name: str, window: int, tokenizers: dict[str, Tokenizer]) -> None:
    one = tokenizers[name]
    starts, ends = one.spans(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer, "_WINDOW", window)
        assert [part.tolist() for part in one.spans(text)] == [starts.tolist(), ends.tolist()]
        assert one.count(text) == len(starts)
        assert [one.head(text, tokens) for tokens in (1, 3)] == [
            text[: _complete(starts, ends, tokens)] if tokens < len(starts) else text for tokens in (1, 3)
        ]


def _complete(starts: np.ndarray, ends: np.ndarray, tokens: int) -> int:
    return min(ends[tokens - 1], starts[tokens:].min())


def test_ten_megabytes_in_one_call(tokenizers: dict[str, Tokenizer]) -> None:
    part = "It rained all day, and nobody 去外面。\n\n" * 50
    repeats = 10_000_000 // len(part.encode())
    assert tokenizers["cl100k_base"].count(part * repeats) == tokenizers["cl100k_base"].count(part) * repeats


@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base", "p50k_base", "r50k_base"])
def test_runs_that_break_regular_expressions(name: str, tokenizers: dict[str, Tokenizer]) -> None:
    for run in (" ", "a"):
        text = "a" + run * (1_100_000 // len(run)) + "b"
        starts, ends = tokenizers[name].spans(text)
        assert (starts[0], ends[-1]) == (0, len(text))


def test_special_tokens_are_text(tokenizers: dict[str, Tokenizer], byte_pair_file: Path) -> None:
    text = "b<|fim_prefix|>c<|endoftext|>d<|fim_prefix|>"
    assert tokenizers["p50k_edit"].special_tokens(text) == ["<|fim_prefix|>", "<|endoftext|>"]
    assert tokenizers["cl100k_base"].special_tokens("<|im_start|>user") == ["<|im_start|>"]
    assert tokenizers["gpt2"].special_tokens(text) == ["<|endoftext|>"]
    assert Tokenizer(byte_pair_file).special_tokens("a<|end|>") == ["<|end|>"]
    assert tokenizers["gpt2"].special_tokens("none") == tokenizers[BUNDLED].special_tokens("[SEP]") == []
    for name in ENCODINGS:
        assert tokenizers[name].count("<|endoftext|>") > 1


def test_a_text_without_tokens(tokenizers: dict[str, Tokenizer]) -> None:
    for one in tokenizers.values():
        assert (one.count(""), one.tokenize(""), one.head("", 3), one.tail("", 3)) == (0, [], "", "")
        assert one.encode("").tolist() == one.spans("")[0].tolist() == []
    assert tokenizers[BUNDLED].tokenize("  ") == []
