from __future__ import annotations

import numpy as np
import pytest
from tiny_checkpoints import byte_bpe, wordpiece
from tokenizers import Tokenizer, models

from jina_components.errors import InputError, ModelFilesError
from jina_components.models import tokenize
from jina_components.models.tokenize import TextTokenizer, load_tokenizer, unknown_token_id


def copy(tokenizer):
    return Tokenizer.from_str(tokenizer.to_str())


@pytest.fixture
def bert():
    """Takes 10 tokens, of which [CLS] and [SEP] are two."""
    return TextTokenizer(copy(wordpiece()), context=10)


def ids(sequences):
    return [sequence.ids.tolist() for sequence in sequences]


def test_ids_are_those_of_the_tokenizer():
    texts = ["hello fox", "x" * 50, "日本"]
    assert ids(TextTokenizer(copy(wordpiece()), context=None).texts(texts)) == [
        encoding.ids for encoding in wordpiece().encode_batch(texts)
    ]


def test_settings_of_the_file_do_not_truncate_or_pad(bert):
    parsed = copy(wordpiece())
    parsed.enable_truncation(4)
    parsed.enable_padding(length=30)
    [sequence] = TextTokenizer(parsed, context=None).texts(["a b c d e f"])
    assert len(sequence) == 8


def test_the_text_over_the_context_is_named(bert):
    fits, over = "a b c d e f g h", "a b c d e f g h i"
    assert [len(sequence) for sequence in bert.texts([fits, fits])] == [10, 10]
    with pytest.raises(InputError, match="Text 300 has 11 tokens, more than the model's context of 10") as caught:
        bert.texts([*[fits] * 300, over])
    assert caught.value.index == 300


def test_truncation_keeps_the_head_and_the_markers(bert):
    [cut, whole] = ids(bert.texts(["a b c d e f g h i j", "a b"], truncate=True))
    assert len(cut) == 10
    assert cut[:4] == whole[:3] + cut[3:4]
    assert (cut[0], cut[-1]) == (2, 3)
    # The setting is per call: the next one refuses again.
    with pytest.raises(InputError):
        bert.texts(["a b c d e f g h i j"])


def test_without_a_limit_nothing_is_cut():
    tokenizer = TextTokenizer(copy(wordpiece()), context=None)
    assert len(tokenizer.texts(["a " * 5000], truncate=True)[0]) == 5002


def test_a_prompt_counts(bert):
    prompted, plain = bert.texts(["hello"], prompt="fox: ")[0], bert.texts(["fox: hello"])[0]
    assert prompted.ids.tolist() == plain.ids.tolist()
    with pytest.raises(InputError, match="context of 10"):
        bert.texts(["a b c d e f"], prompt="g h i ")


def test_pairs_have_segments(bert):
    [pair] = bert.pairs("a b", ["c"])
    assert pair.type_ids.tolist() == [0, 0, 0, 0, 1, 1]
    assert pair.ids.tolist() == wordpiece().encode("a b", "c").ids
    [plain] = TextTokenizer(copy(byte_bpe()), context=10, segments=False).pairs("a", ["b"])
    assert plain.type_ids is None


def test_the_pair_over_the_context_is_named(bert):
    with pytest.raises(InputError) as caught:
        bert.pairs("a b c", ["d", "e f g h i"])
    assert caught.value.index == 1
    [short, cut] = bert.pairs("a b c", ["d", "e f g h i j k"], truncate=True)
    assert (len(short), len(cut)) == (7, 10)


def test_lower_casing_leaves_markers_alone():
    cased = TextTokenizer(copy(wordpiece(lowercase=False)), context=None, lowercase=True)
    assert ids(cased.texts(["Hello [SEP] FOX"], prompt="QUICK ")) == ids(cased.texts(["quick hello [SEP] fox"]))
    assert ids(cased.texts(["[SEP]"])) == [[2, 3, 3]]


def test_a_token_to_leave_out():
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "sea": 1}, unk_token="[UNK]"))
    assert unknown_token_id(words) == 0
    tokenizer = TextTokenizer(words, context=None, skip=0)
    assert ids(tokenizer.texts(["sea", "storm"])) == [[1], []]
    assert tokenizer.vocabulary == 2


def test_the_unknown_token_of_each_kind_of_tokenizer():
    assert unknown_token_id(copy(wordpiece())) == 1
    assert unknown_token_id(copy(byte_bpe())) is None
    unigram = Tokenizer(models.Unigram([("<pad>", 0.0), ("<unk>", 0.0), ("a", -1.0)], unk_id=1))
    assert unknown_token_id(unigram) == 1


def test_a_lone_surrogate_is_named(bert):
    with pytest.raises(InputError, match="Text 2 is not valid Unicode: lone surrogate at 4") as caught:
        bert.texts(["fine", "fine 🦊", "bad \ud800"])
    assert caught.value.index == 2
    with pytest.raises(InputError, match="The query is not valid Unicode") as caught:
        bert.pairs("\udfff", ["fine"])
    assert caught.value.index is None


def test_a_text_too_long_to_tokenize(bert, monkeypatch):
    assert tokenize.MAX_CHARACTERS == 5_000_000
    monkeypatch.setattr(tokenize, "MAX_CHARACTERS", 100)
    with pytest.raises(InputError, match="Text 1 has 101 characters, more than 100: segment it") as caught:
        bert.texts(["fine", "x" * 101], truncate=True)
    assert caught.value.index == 1
    with pytest.raises(InputError, match="The query has"):
        bert.pairs("x" * 101, ["fine"], truncate=True)


def test_sequences_are_compact(bert):
    [pair] = bert.pairs("a", ["b"])
    assert pair.ids.dtype == pair.type_ids.dtype == np.int32


def test_files(tmp_path):
    with pytest.raises(ModelFilesError, match="is missing"):
        load_tokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelFilesError, match="is not a tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")
    wordpiece().save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path / "tokenizer.json").get_vocab_size() == wordpiece().get_vocab_size()
