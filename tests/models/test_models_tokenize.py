from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoints import byte_bpe, save_tokenizer, wordpiece
from tokenizers import Tokenizer, models, processors
from transformers import AutoTokenizer

from jina_components.errors import InputError, ModelFilesError
from jina_components.models import tokenize
from jina_components.models.tokenize import TextTokenizer, check_text, load_tokenizer, unknown_token_id


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
    with pytest.raises(InputError, match=r"inputs\[300\] has 11 tokens, more than the model's context of 10") as caught:
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


def template_bpe():
    """Byte-level, with the segments of a template."""
    tokenizer = copy(byte_bpe())
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def plain_bpe():
    """Without special tokens, as decoders are."""
    tokenizer = copy(byte_bpe())
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


PARSED = {"bert": wordpiece, "roberta": byte_bpe, "template": template_bpe, "plain": plain_bpe}
WORDS = "abcdefghijklmnopqrstuvwxyz"  # one token each
WRITTEN = st.text(st.sampled_from("abcxyz fox ąю東 [SEP]🦊\n\u0301"), max_size=40).map(lambda text: text + "x")


@pytest.fixture(scope="module", params=PARSED)
def peers(request, tmp_path_factory):
    """A tokenizer of ours without a limit, and the one of transformers."""
    folder = tmp_path_factory.mktemp("tokenizer")
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    save_tokenizer(folder, PARSED[request.param](), model_input_names=inputs)
    theirs = AutoTokenizer.from_pretrained(folder)
    return TextTokenizer(load_tokenizer(folder / "tokenizer.json"), context=None), theirs


@given(query=WRITTEN, documents=st.lists(WRITTEN, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_pairs_are_those_of_transformers(peers, query, documents):
    ours, theirs = peers
    pairs = ours.pairs(query, documents)
    assert [len(parts) for parts in pairs] == [1] * len(documents)
    for [pair], document in zip(pairs, documents, strict=True):
        wanted = theirs(query, document)
        assert pair.ids.tolist() == wanted["input_ids"]
        assert pair.type_ids.tolist() == wanted["token_type_ids"]
        assert pair.ids.dtype == pair.type_ids.dtype == np.int32


@given(pairs=st.lists(st.tuples(WRITTEN, WRITTEN), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_premises_and_hypotheses_are_pairs_of_transformers(peers, pairs):
    ours, theirs = peers
    for [pair], texts in zip(ours.premises(pairs), pairs, strict=True):
        wanted = theirs(*texts)
        assert pair.ids.tolist() == wanted["input_ids"]
        assert pair.type_ids.tolist() == wanted["token_type_ids"]


@given(query=WRITTEN, document=WRITTEN, most=st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_limits_are_exact_to_the_token(peers, query, document, most):
    ours, theirs = peers
    [[pair]] = ours.pairs(query, [document], max_query_length=most, max_document_length=most)
    whole = theirs(query, document)
    sides = theirs._tokenizer.encode(query, document).sequence_ids
    places = [[place for place, side in enumerate(sides) if side == number][:most] for number in (0, 1)]
    kept = [place for place, side in enumerate(sides) if side is None or place in places[side]]
    assert pair.ids.tolist() == [whole["input_ids"][place] for place in kept]
    assert pair.type_ids.tolist() == [whole["token_type_ids"][place] for place in kept]
    [[chunk]] = ours.chunks([document], max_length=most)
    alone = theirs._tokenizer.encode(document)
    kept = [place for place, side in enumerate(alone.sequence_ids) if side is not None][:most]
    assert chunk.ids.tolist() == [
        alone.ids[place] for place, side in enumerate(alone.sequence_ids) if side is None or place in kept
    ]


def test_a_model_without_segments_gets_none():
    tokenizer = TextTokenizer(copy(wordpiece()), context=10, segments=False)
    for [[pair]] in (tokenizer.pairs("a", ["b"]), tokenizer.premises([("a", "b")])):
        assert pair.type_ids is None
        assert pair.ids.tolist() == wordpiece().encode("a", "b").ids


@pytest.mark.parametrize("name", PARSED)
@given(context=st.integers(8, 500), asked=st.integers(1, 3), length=st.integers(1, 2000))
@settings(max_examples=60, deadline=None)
def test_chunks_cover_the_document_and_overlap(name, context, asked, length):
    parsed = copy(PARSED[name]())
    tokenizer = TextTokenizer(parsed, context=context)
    query, document = " ".join(WORDS[:asked]), " ".join(WORDS[number % 26] for number in range(length))
    ids = parsed.encode(document, add_special_tokens=False).ids
    room = (
        context
        - parsed.num_special_tokens_to_add(is_pair=True)
        - len(parsed.encode(query, add_special_tokens=False).ids)
    )
    [chunks] = tokenizer.pairs(query, [document])
    [truncated] = tokenizer.pairs(query, [document], truncate=True)
    assert truncated[0].ids.tolist() == chunks[0].ids.tolist()
    assert len(truncated) == 1
    assert all(len(chunk) == min(context, len(ids) + context - room) for chunk in chunks)
    step = room - min(80, room // 4)
    for number, chunk in enumerate(chunks):
        start = min(number * step, max(0, len(ids) - room))
        head = Tokenizer.from_str(parsed.to_str()).encode(query, "a")
        slot = head.sequence_ids.index(1)
        assert chunk.ids.tolist() == head.ids[:slot] + ids[start : start + room] + head.ids[slot + 1 :]
    assert start + room >= len(ids)
    assert len(chunks) == 1 or (len(chunks) - 2) * step + room < len(ids)
    if name in ("bert", "template"):
        assert all(chunk.type_ids.sum() == len(chunk) - chunk.type_ids.argmax() for chunk in chunks)


@pytest.mark.parametrize("name", PARSED)
@given(context=st.integers(8, 500), asked=st.integers(1, 3), length=st.integers(1, 2000))
@settings(max_examples=60, deadline=None)
def test_chunks_cover_the_premise_and_overlap(name, context, asked, length):
    parsed = copy(PARSED[name]())
    tokenizer = TextTokenizer(parsed, context=context)
    hypothesis, premise = " ".join(WORDS[:asked]), " ".join(WORDS[number % 26] for number in range(length))
    ids = parsed.encode(premise, add_special_tokens=False).ids
    whole = parsed.encode(premise, hypothesis)
    before = whole.sequence_ids.index(0)
    behind = len(whole) - before - len(ids)
    room = context - before - behind
    [chunks] = tokenizer.premises([(premise, hypothesis)])
    [truncated] = tokenizer.premises([(premise, hypothesis)], truncate=True)
    assert [chunk.ids.tolist() for chunk in truncated] == [chunks[0].ids.tolist()]
    step = room - min(80, room // 4)
    for number, chunk in enumerate(chunks):
        start = min(number * step, max(0, len(ids) - room))
        assert chunk.ids.tolist() == whole.ids[:before] + ids[start : start + room] + whole.ids[-behind:]
        assert chunk.type_ids[-behind:].tolist() == whole.type_ids[-behind:]
    assert start + room >= len(ids)
    assert len(chunks) == 1 or (len(chunks) - 2) * step + room < len(ids)


def test_a_text_over_the_context_in_chunks(bert):
    long, short, nothing = bert.chunks([WORDS.replace("", " "), "a b", "\u200b"])
    assert [len(chunk) for chunk in long] == [10, 10, 10, 10]
    assert (len(short), nothing) == (1, [])
    assert short[0].ids.tolist() == wordpiece().encode("a b").ids
    [[head]] = bert.chunks([WORDS.replace("", " ")], truncate=True)
    assert head.ids.tolist() == long[0].ids.tolist()


@pytest.mark.parametrize("limits", [{"truncate": True}, {"max_query_length": 6}])
def test_a_query_leaves_room_for_documents(bert, limits):
    assert len(bert.pairs("a b c d e f", ["x"])[0][0]) == 10
    with pytest.raises(InputError, match="query has 7 tokens; up to 6 leave room .* context of 10: shorten") as caught:
        bert.pairs("a b c d e f g", ["x"])
    assert caught.value.index is None
    assert ids(bert.pairs("a b c d e f g", ["x"], **limits)[0]) == ids(bert.pairs("a b c d e f", ["x"])[0])


def test_a_pair_that_no_context_holds():
    with pytest.raises(ModelFilesError, match="No pair of texts fits the model's context of 4"):
        TextTokenizer(copy(wordpiece()), context=4).pairs("a", ["b"])
    with pytest.raises(ModelFilesError, match="No pair of texts fits the model's context of 4"):
        TextTokenizer(copy(wordpiece()), context=4).premises([("a", "b")])


def test_what_has_no_tokens(bert):
    assert [len(parts) for parts in bert.pairs("a", ["\u200b", "b"])] == [0, 1]
    assert bert.pairs("a", ["\u200b"]) == [[]]
    assert bert.pairs("a", []) == []
    with pytest.raises(InputError, match="query has no tokens"):
        bert.pairs("\u200b", ["b"])


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
    with pytest.raises(InputError, match=r"inputs\[2\] is not valid Unicode: lone surrogate at 4") as caught:
        bert.texts(["fine", "fine 🦊", "bad \ud800"])
    assert caught.value.index == 2
    with pytest.raises(InputError, match="The query is not valid Unicode") as caught:
        check_text("\udfff", "The query")
    assert caught.value.index is None


def test_a_text_too_long_to_tokenize(bert, monkeypatch):
    assert tokenize.MAX_CHARACTERS == 5_000_000
    monkeypatch.setattr(tokenize, "MAX_CHARACTERS", 100)
    with pytest.raises(InputError, match=r"inputs\[1\] has 101 characters, more than 100: segment it") as caught:
        bert.texts(["fine", "x" * 101], truncate=True)
    assert caught.value.index == 1


def test_files(tmp_path):
    with pytest.raises(ModelFilesError, match="is missing"):
        load_tokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelFilesError, match="is not a tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")
    wordpiece().save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path / "tokenizer.json").get_vocab_size() == wordpiece().get_vocab_size()
