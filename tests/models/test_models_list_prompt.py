"""The listwise prompt in token ids, against its text as one string."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_listwise import ADDED, MARKERS, prompt_of, qwen_like
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from jina_components.errors import InputError, ModelFilesError
from jina_components.models.list_prompt import MOST_PASSAGES, ListPrompt, render

FOLDER = Path("model")
# Whatever could merge with what stands beside it: newlines, digits, quotation marks, marks that compose.
HARD = st.text(
    st.sampled_from("\n\r \t\"'>=<|/0129aé東\u0301\u0338\u200d\U0001f469") | st.characters(exclude_categories=["Cs"])
)
TEXT = HARD.filter(lambda text: text.strip() and not any(token in text for token in ADDED))
BROKEN = st.lists(st.sampled_from([*ADDED, "<|embed", "_token|>", "<|", "|>", "<th", "ink>", "a", " "])).map("".join)


def tokenizer():
    return Tokenizer.from_str(qwen_like().to_str())


@pytest.fixture(scope="module")
def prompt():
    return ListPrompt(tokenizer(), FOLDER)


def ids_of(text):
    return qwen_like().encode(text, add_special_tokens=False).ids


def one_each(prompt, documents):
    return [passage for [passage] in prompt.passages(documents, max_length=100_000, truncate=False)]


@given(query=TEXT, documents=st.lists(TEXT, min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_the_pieces_are_the_tokens_of_the_whole_prompt(prompt, query, documents):
    sequence = prompt.sequence(query, one_each(prompt, documents))
    assert sequence.ids.tolist() == ids_of(prompt_of(query, documents))


@given(query=TEXT, documents=st.lists(TEXT, max_size=3))
def test_the_text_is_the_published_one(query, documents):
    if documents:
        assert render(query, documents) == prompt_of(query, documents)


def test_numbers_of_several_digits(prompt):
    documents = [f"text {number}" for number in range(MOST_PASSAGES)]
    sequence = prompt.sequence("who?", one_each(prompt, documents))
    assert sequence.ids.tolist() == ids_of(prompt_of("who?", documents))


def test_braces_are_text(prompt):
    documents = ["{number} {query}", "{0} {{}}"]
    sequence = prompt.sequence("{query} {", one_each(prompt, documents))
    assert sequence.ids.tolist() == ids_of(prompt_of("{query} {", documents))


@given(number=st.integers(1, 20))
def test_spans_are_the_markers_of_the_passages_then_of_the_query(prompt, number):
    sequence = prompt.sequence("who?", one_each(prompt, ["some text"] * number))
    of_document, of_query = (qwen_like().token_to_id(marker) for marker in MARKERS)
    assert sequence.num_rows == number + 1
    assert (sequence.spans[:, 1] - sequence.spans[:, 0] == 1).all()
    assert sequence.ids[sequence.spans[:, 0]].tolist() == [of_document] * number + [of_query]
    assert (sequence.ids == of_document).sum() == number
    assert (sequence.ids == of_query).sum() == 1


@given(query=TEXT, documents=st.lists(TEXT, min_size=1, max_size=12))
@settings(deadline=None)
def test_the_length_is_known_beforehand(prompt, query, documents):
    passages = one_each(prompt, documents)
    most = prompt.frame_tokens(query) + sum(len(passage) + prompt.passage_overhead for passage in passages)
    actual = len(prompt.sequence(query, passages))
    assert actual <= most <= actual + 8 + 2 * len(passages) + 8


# --- what a text may not say -----------------------------------------------------------------------------------


@given(text=BROKEN)
@settings(max_examples=300, deadline=None)
def test_no_special_token_comes_from_a_text(prompt, text):
    special = {qwen_like().token_to_id(token) for token in ADDED}
    for [passage] in filter(None, prompt.passages([text], max_length=1000, truncate=False)):
        assert special.isdisjoint(passage.ids.tolist())


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("foo<|rerank_token|>bar", "foobar"),
        ("<|embed<|embed_token|>_token|>x", "x"),
        ("<|embed<|rer<|im_end|>ank_token|>_token|>x<think>", "x"),
        ("<think>why</think> x", "why x"),
        ("a <|embed_token| > b", "a <|embed_token| > b"),
    ],
)
def test_special_tokens_are_removed_until_none_is_left(prompt, text, left):
    [[got]] = prompt.passages([text], max_length=None, truncate=False)
    [[wanted]] = prompt.passages([left], max_length=None, truncate=False)
    assert got.ids.tolist() == wanted.ids.tolist()
    assert prompt.query(text, max_length=None, truncate=False) == left


def test_removal_takes_linear_time(prompt):
    depth = 40_000
    started = time.process_time()
    text = prompt.query("x" + "<|embed" * depth + "_token|>" * depth, max_length=None, truncate=False)
    assert text == "x"
    assert time.process_time() - started < 5


# --- limits ----------------------------------------------------------------------------------------------------


def test_a_query_is_cut_where_it_may_be(prompt):
    query = "word éx " * 400
    with pytest.raises(InputError, match="512"):
        prompt.query(query, max_length=None, truncate=False)
    for kept, options in ((512, {"max_length": None, "truncate": True}), (7, {"max_length": 7, "truncate": False})):
        cut = prompt.query(query, **options)
        assert query.startswith(cut)
        assert len(ids_of(cut)) == kept
    assert prompt.query(query, max_length=4000, truncate=False) == query


@pytest.mark.parametrize("query", ["<|embed_token|>", " <|im_end|> \n"])
def test_a_query_without_text_is_refused(prompt, query):
    with pytest.raises(InputError, match="no text"):
        prompt.query(query, max_length=None, truncate=True)


def test_a_long_document_is_several_passages_or_its_head(prompt):
    document = " ".join(f"word{number}" for number in range(1500))
    whole = ids_of('">\n' + document)
    head = len(ids_of('">\n'))
    [[first, *others]] = prompt.passages([document], max_length=None, truncate=False)
    assert len(others) >= 1
    covered = first.ids.tolist()
    assert len(first) == head + 2048
    for part in others:
        assert part.ids[:head].tolist() == whole[:head]
        assert len(part) == head + 2048
        own = part.ids[head:].tolist()
        overlap = next(size for size in range(len(own), 0, -1) if covered[-size:] == own[:size])
        assert overlap >= 80
        covered += own[overlap:]
    assert covered == whole
    [[cut]] = prompt.passages([document], max_length=None, truncate=True)
    np.testing.assert_array_equal(cut.ids, first.ids)
    [[short]] = prompt.passages([document], max_length=10, truncate=False)
    assert short.ids.tolist() == whole[: head + 10]
    [[long]] = prompt.passages([document], max_length=100_000, truncate=False)
    assert long.ids.tolist() == whole


def test_documents_without_text_have_no_passage(prompt):
    found = prompt.passages(["a", "<|embed_token|>", "\n", "b"], max_length=None, truncate=False)
    assert [len(passages) for passages in found] == [1, 0, 0, 1]


# --- tokenizers that it is not made for ------------------------------------------------------------------------


def test_a_tokenizer_without_the_markers_is_refused():
    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel()
    with pytest.raises(ModelFilesError, match="embed_token"):
        ListPrompt(plain, FOLDER)


def test_a_tokenizer_that_merges_across_the_joints_is_refused():
    greedy = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=list(ADDED), show_progress=False)
    greedy.train_from_iterator([prompt_of("a", ["b", "c"])] * 10, trainer)
    with pytest.raises(ModelFilesError, match="does not cut the prompt"):
        ListPrompt(greedy, FOLDER)
