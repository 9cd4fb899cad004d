from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer

from jina_components.models.files import bundled_path
from jina_components.models.pieces import PieceTokenizer, is_by_piece

PATH = bundled_path("static-minilm-v1") / "tokenizer.json"
TOKENIZER = Tokenizer.from_file(str(PATH))
TOKENIZER.no_truncation()
TOKENIZER.no_padding()
PIECES = PieceTokenizer(TOKENIZER)

AWKWARD = [
    "",
    " \t\r\n",
    "plain words, and punctuation: (like) this!",
    "Zażółć gęślą jaźń — naïve café, ÀÉ",
    "東京は日本の首都です。 Привет,мир! مرحبا",
    "non\u00a0breaking\u2003spaces\u3000and\u0085next line",
    "control\x00chars\x1cand\x1fseparators\x7f\u200b\ufeffgone",
    "[CLS] markers [SEP] in[MASK]side [PAD]words [UNK]",
    "don't e-mail me@example.com, http://a.b/c?d=e&f=1.5%",
    "x" * 300,
    "🦊🌊 \U0001f468\u200d\U0001f469 e\u0301 \u0130stanbul",
]


def own(texts):
    return [encoding.ids for encoding in TOKENIZER.encode_batch(list(texts), add_special_tokens=False)]


def ours(texts):
    return [ids.tolist() for ids in PIECES(list(texts))]


def test_awkward_texts():
    assert ours(AWKWARD) == own(AWKWARD)
    assert ours(AWKWARD) == own(AWKWARD)  # remembered


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_any_text(texts):
    assert ours(texts) == own(texts)


@given(st.text(st.sampled_from("ab .,\t\n\r\x0b\x0c\x1c\x85\u00a0\u2028é東[CLS]'-")))
def test_texts_of_awkward_characters(text):
    assert ours([text]) == own([text])


def test_the_type_of_ids():
    assert [row.dtype for row in PIECES(["a", ""])] == [np.int32, np.int32]


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("jina_components.models.pieces._MOST_KEPT", 100)
    pieces = PieceTokenizer(TOKENIZER)
    texts = [f"w{number} {'long' * 20}{number}" for number in range(1000)]
    for start in range(0, 1000, 50):
        assert [row.tolist() for row in pieces(texts[start : start + 50])] == own(texts[start : start + 50])
        assert len(pieces._known) <= 100


def changed(change):
    parts = json.loads(PATH.read_text())
    change(parts)
    return Tokenizer.from_str(json.dumps(parts))


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts.update(normalizer={"type": "NFC"}),
        lambda parts: parts.update(pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}),
        lambda parts: parts.update(pre_tokenizer=None),
    ],
)
def test_other_tokenizers_are_left_to_themselves(change):
    assert is_by_piece(TOKENIZER)
    assert not is_by_piece(changed(change))


@pytest.mark.parametrize(
    "token", [AddedToken("<x>", lstrip=True), AddedToken("<x>", single_word=True), AddedToken("two words")]
)
def test_added_tokens_that_reach_beyond_a_blank(token):
    tokenizer = Tokenizer.from_file(str(PATH))
    tokenizer.add_tokens([token])
    assert not is_by_piece(tokenizer)
