"""Listwise scores: the published numbers in one block and in several, and what a block that fails takes along."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny_listwise import MARKERS, Published, qwen_like, save_listwise

from jina_components import Reranker
from jina_components.errors import BackendError, ConfigError, InputError
from jina_components.models.list_prompt import MOST_PASSAGES
from jina_components.models.listwise import Block, merged_scores, split_blocks

QUERY = "what is the capital of 日本?"
RNG = np.random.default_rng(0)
WORDS = [
    "the", "quick", "brown", "fox", "hello", "world", "Zażółć", "gęślą", "jaźń", "東京", "is", "capital", "of", "日本",
    "a", "b", "c", "1", "22", "333",
]  # fmt: skip
DOCUMENTS = [" ".join(RNG.choice(WORDS, size)) for size in (5, 40, 12, 3, 90, 17, 8, 60, 33, 21)]
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_listwise(tmp_path_factory.mktemp("listwise"))


@pytest.fixture(scope="module")
def published(folder):
    return Published(folder)


@pytest.fixture(scope="module")
def reranker(folder):
    return Reranker(folder, precision="float32")


def in_blocks(folder, tokens, **options):
    return Reranker(folder, precision="float32", token_budget=tokens, **options)


def scores_of(reranker, documents, query=QUERY, **options):
    """In the order of the documents."""
    ranking = reranker.rerank(query, documents, **options)
    by_index = {hit.index: hit.score for hit in ranking}
    return np.array([by_index[index] for index in range(len(documents))])


def worst(got, wanted):
    return np.abs(got - np.array(wanted)).max()


# --- the published numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 10])
def test_one_block_scores_as_published(reranker, published, count):
    wanted = published.scores(QUERY, [DOCUMENTS[:count]])
    assert worst(scores_of(reranker, DOCUMENTS[:count]), wanted) < TOLERANCE
    assert count < 10 or np.ptp(wanted) > 0.1


def test_blocks_of_tokens_are_merged_as_published(folder, published):
    reranker = in_blocks(folder, 400)
    listwise = reranker.load()
    passages = [passage for [passage] in listwise.prompt.passages(DOCUMENTS, max_length=None, truncate=False)]
    lengths = [len(passage) + listwise.prompt.passage_overhead for passage in passages]
    blocks = split_blocks(lengths, 400 - listwise.prompt.frame_tokens(QUERY))
    assert len(blocks) > 2
    texts = [[DOCUMENTS[place] for place in block] for block in blocks]
    published.tokens = 0
    assert worst(scores_of(reranker, DOCUMENTS), published.scores(QUERY, texts)) < TOLERANCE
    assert reranker.rerank(QUERY, DOCUMENTS).usage.total_tokens == published.tokens


def test_blocks_of_125_are_merged_as_published(folder, published):
    texts = [f"{WORDS[number % 20]} {number}" for number in range(MOST_PASSAGES + 3)]
    wanted = published.scores(QUERY, [texts[:MOST_PASSAGES], texts[MOST_PASSAGES:]])
    assert worst(scores_of(in_blocks(folder, 8192), texts), wanted) < TOLERANCE


@given(
    query=st.text(min_size=1, max_size=20).filter(str.strip),
    documents=st.lists(st.text(min_size=1, max_size=40).filter(str.strip), min_size=1, max_size=6, unique=True),
)
@settings(max_examples=25, deadline=None)
def test_any_text_scores_as_published(reranker, published, query, documents):
    assert worst(scores_of(reranker, documents, query), published.scores(query, [documents])) < TOLERANCE


def test_the_order_is_that_of_the_scores_within_minus_one_and_one(reranker):
    ranking = reranker.rerank(QUERY, DOCUMENTS, top_n=4)
    scores = [hit.score for hit in ranking]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)
    assert all(-1.00001 <= score <= 1.00001 for score in scores)


# --- what documents do to each other ---------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [500, 8192])
def test_equal_calls_give_equal_scores(folder, tokens):
    first, again = in_blocks(folder, tokens), in_blocks(folder, tokens)
    wanted = scores_of(first, DOCUMENTS)
    np.testing.assert_array_equal(scores_of(first, DOCUMENTS), wanted)
    np.testing.assert_array_equal(scores_of(again, DOCUMENTS), wanted)


def test_equal_documents_run_once_and_tie(reranker):
    twice = scores_of(reranker, [*DOCUMENTS, *DOCUMENTS])
    np.testing.assert_array_equal(twice[:10], twice[10:])
    np.testing.assert_array_equal(twice[:10], scores_of(reranker, DOCUMENTS))


def test_a_marker_in_a_document_changes_nothing(reranker):
    wanted = scores_of(reranker, DOCUMENTS)
    broken = "<|rerank<|im_end|>_token|>"
    injected = [document[:2] + "".join(MARKERS) + broken + document[2:] for document in DOCUMENTS]
    np.testing.assert_array_equal(scores_of(reranker, injected), wanted)
    np.testing.assert_array_equal(scores_of(reranker, DOCUMENTS, f"{MARKERS[1]}{QUERY}<|im_end|>"), wanted)


async def test_the_async_twin_gives_the_same(reranker):
    ranking = await reranker.arerank(QUERY, DOCUMENTS)
    assert ranking == reranker.rerank(QUERY, DOCUMENTS)


# --- lengths ---------------------------------------------------------------------------------------------------


def lead_tokens(prompt):
    return len(prompt.passages(["a"], max_length=None, truncate=False)[0][0]) - 1


def decoded(passage, prompt):
    return qwen_like().decode(passage.ids[lead_tokens(prompt) :].tolist(), skip_special_tokens=False)


def test_a_long_document_scores_as_its_best_passage(folder, published):
    long = " ".join(RNG.choice([word for word in WORDS if word.isascii()], 2000))
    reranker = in_blocks(folder, 6000)
    prompt = reranker.load().prompt
    [[short], parts] = prompt.passages([DOCUMENTS[0], long], max_length=None, truncate=False)
    assert len(parts) > 1
    texts = [DOCUMENTS[0], *(decoded(part, prompt) for part in parts)]
    lengths = [len(part) + prompt.passage_overhead for part in (short, *parts)]
    blocks = split_blocks(lengths, 6000 - prompt.frame_tokens(QUERY))
    scores = published.scores(QUERY, [[texts[place] for place in block] for block in blocks])
    assert worst(scores_of(reranker, [DOCUMENTS[0], long]), [scores[0], max(scores[1:])]) < TOLERANCE
    head = scores_of(reranker, [DOCUMENTS[0], long], truncate=True)
    assert worst(head, published.scores(QUERY, [texts[:2]])) < TOLERANCE


def test_limits_cut(folder, published):
    documents = ["hello world, the quick brown fox", "fox", "a b c 1 22 333 hello"]
    reranker = in_blocks(folder, 8192, max_query_length=3, max_document_length=5)
    prompt = reranker.load().prompt
    cut = [decoded(part, prompt) for [part] in prompt.passages(documents, max_length=5, truncate=False)]
    assert cut != documents
    query = prompt.query(QUERY, max_length=3, truncate=False)
    assert len(query) < len(QUERY)
    assert worst(scores_of(reranker, documents), published.scores(query, [cut])) < TOLERANCE


def test_limits_over_the_context_are_refused(folder):
    assert in_blocks(folder, 100, max_document_length=6500).load()
    with pytest.raises(ConfigError, match="max_document_length"):
        in_blocks(folder, 100, max_document_length=8000).load()
    with pytest.raises(ConfigError, match="max_query_length"):
        in_blocks(folder, 100, max_query_length=4000).load()


def test_a_query_over_the_limit_is_refused_or_cut(reranker):
    with pytest.raises(InputError, match="512"):
        reranker.rerank("word " * 600, DOCUMENTS)
    assert len(reranker.rerank("word " * 600, DOCUMENTS[:2], truncate=True)) == 2


# --- failures --------------------------------------------------------------------------------------------------


def poison(parent, *words):
    """A model that gives NaN from the first token of these on."""
    folder = save_listwise(parent)
    tensors = load_file(folder / "model.safetensors")
    for word in words:
        for token in qwen_like().encode(word, add_special_tokens=False).ids:
            tensors["model.embed_tokens.weight"][token] = torch.nan
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_a_block_that_fails_takes_its_documents_along(tmp_path):
    reranker = in_blocks(poison(tmp_path, "Ω"), 400)
    fine = ["hello world " * 4] * 3
    documents = [text + str(n) for n, text in enumerate([*fine, "Ω", *fine, *fine])]
    ranking = reranker.rerank("hello", documents)
    failed = {failure.index for failure in ranking.failures}
    assert 3 in failed
    assert len(ranking) + len(failed) == len(documents)
    assert 0 < len(failed) < len(documents)
    assert all(isinstance(failure.error, BackendError) for failure in ranking.failures)
    assert all(np.isfinite(hit.score) for hit in ranking)


def test_a_model_that_fails_alike_on_all_raises(tmp_path):
    with pytest.raises(BackendError, match="NaN"):
        in_blocks(poison(tmp_path, "hello"), 400).rerank("hello", DOCUMENTS)


def test_documents_of_special_tokens_alone_are_failures(reranker):
    ranking = reranker.rerank(QUERY, [DOCUMENTS[0], "<|im_end|>"])
    assert [failure.index for failure in ranking.failures] == [1]
    assert [hit.index for hit in ranking] == [0]
    assert not reranker.rerank(QUERY, ["<|im_end|>"])
    with pytest.raises(InputError):
        reranker.rerank("<|im_end|>", DOCUMENTS)


def test_other_backends_are_refused(folder):
    with pytest.raises(ConfigError, match="onnx"):
        Reranker(folder, backend="onnx").load()


# --- blocks and their merge ------------------------------------------------------------------------------------


@given(lengths=st.lists(st.integers(1, 300), max_size=300), room=st.integers(-10, 2000))
def test_blocks_hold_what_fits(lengths, room):
    blocks = split_blocks(lengths, room)
    assert [place for block in blocks for place in block] == list(range(len(lengths)))
    used = [sum(lengths[place] for place in block) for block in blocks]
    for block, tokens in zip(blocks, used, strict=True):
        assert len(block) == 1 or (tokens <= room and len(block) <= MOST_PASSAGES)
    for block, tokens in zip(blocks[:-1], used, strict=False):  # one more would not have fitted
        assert len(block) == MOST_PASSAGES or tokens + lengths[block.stop] > room


VECTORS = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3).filter(any), min_size=n + 1, max_size=n + 1)
)


@given(blocks=st.lists(VECTORS, min_size=1, max_size=4))
def test_the_merge_is_the_published_one(blocks):
    arrays = [np.array(vectors, np.float64) for vectors in blocks]
    weights = []
    for vectors in arrays:
        cosines = vectors[:-1] @ vectors[-1] / np.linalg.norm(vectors[:-1], axis=1) / np.linalg.norm(vectors[-1])
        weights.append((1 + cosines.max()) / 2)
    if sum(weights) < 1e-6:
        return
    query = np.average([vectors[-1] for vectors in arrays], axis=0, weights=weights)
    if np.linalg.norm(query) < 1e-3:
        return
    got = merged_scores([Block(vectors[:-1].astype(np.float32), vectors[-1].astype(np.float32)) for vectors in arrays])
    for vectors, scores in zip(arrays, got, strict=True):
        wanted = vectors[:-1] @ query / np.linalg.norm(vectors[:-1], axis=1) / np.linalg.norm(query)
        np.testing.assert_allclose(scores, wanted, atol=1e-5)


def test_blocks_that_say_the_opposite_have_scores_all_the_same():
    opposite = Block(np.array([[-1.0, 0.0]], np.float32), np.array([1.0, 0.0], np.float32))
    assert [scores.tolist() for scores in merged_scores([opposite, opposite])] == [[-1.0], [-1.0]]
    assert merged_scores([]) == []


# --- vectors, and a limit of one call --------------------------------------------------------------------------


def test_vectors_are_those_of_the_results(reranker):
    texts = [f"{WORDS[number % 20]} {number}" for number in range(60)]
    ranking = reranker.rerank(QUERY, ["", *texts])
    vectors, scores = ranking.vectors, [hit.score for hit in ranking]
    assert (vectors.dtype, vectors.shape) == (np.float32, (60, 24))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    # The scores are their cosines with one vector, which would not be found for those of other documents.
    query, *_ = np.linalg.lstsq(vectors, scores, rcond=None)
    np.testing.assert_allclose(vectors @ query, scores, atol=1e-4)
    np.testing.assert_array_equal(reranker.rerank(QUERY, ["", *texts], top_n=5).vectors, vectors[:5])
    assert Reranker().rerank(QUERY, DOCUMENTS).vectors is None


def test_a_limit_of_one_call_is_that_of_a_reranker_made_with_it(folder, reranker):
    limited = Reranker(folder, precision="float32", max_document_length=4)
    wanted = limited.rerank(QUERY, DOCUMENTS)
    got = reranker.rerank(QUERY, DOCUMENTS, max_document_length=4)
    assert got == wanted != reranker.rerank(QUERY, DOCUMENTS)
