from __future__ import annotations

import logging
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_checkpoints import save_checkpoint

from jina_components import Document, Reranker
from jina_components.errors import BackendError, ConfigError, InputError, ModelFilesError, UnknownNameError
from jina_components.models import tokenize
from jina_components.models.catalog import DEFAULT_RERANKER
from jina_components.models.runner import ModelRunner
from jina_components.models.scoring import sigmoid
from jina_components.types import Ranking

QUERY = "What is the capital of France?"
TEXTS = [
    "Bread is baked in an oven.",
    "Paris is the capital of France.",
    "The capital gains tax rose.",
    "France borders Spain and Germany.",
]


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cross-encoder")
    return save_checkpoint(folder, head="ForSequenceClassification", num_labels=1)


@pytest.fixture(scope="module", params=["default", "cross-encoder"])
def model(request):
    return DEFAULT_RERANKER if request.param == "default" else request.getfixturevalue("tiny_folder")


@pytest.fixture(scope="module")
def reranker(model):
    return Reranker(model)


def test_the_document_that_answers_comes_first():
    ranking = Reranker().rerank(QUERY, TEXTS)
    assert ranking[0].index == 1
    assert ranking[-1].index == 0
    assert all(0 <= hit.score <= 1.001 for hit in ranking)


def test_the_best_come_first_and_know_their_place(reranker):
    ranking = reranker.rerank(QUERY, TEXTS)
    scores = [hit.score for hit in ranking]
    assert scores == sorted(scores, reverse=True)
    assert all(isinstance(score, float) for score in scores)
    assert sorted(hit.index for hit in ranking) == [0, 1, 2, 3]
    assert all(hit.document == Document(TEXTS[hit.index]) for hit in ranking)
    assert ranking.usage.total_tokens > 20


def test_top_n_is_the_head_of_the_ranking(reranker):
    ranking = reranker.rerank(QUERY, TEXTS)
    for top_n in (1, 2, 4, 9):
        assert reranker.rerank(QUERY, TEXTS, top_n=top_n).results == ranking[:top_n]


def test_documents_come_back_as_they_went_in(reranker):
    document = Document("Paris.", "paris", {"page": 3})
    ranking = reranker.rerank(QUERY, [document, "Lyon."])
    assert next(hit for hit in ranking if hit.index == 0).document is document


def test_equal_documents_keep_their_order(reranker):
    assert [hit.index for hit in reranker.rerank(QUERY, [TEXTS[1]] * 5)] == [0, 1, 2, 3, 4]
    assert [hit.index for hit in reranker.rerank(QUERY, [TEXTS[1]] * 5, top_n=2)] == [0, 1]


def test_no_documents(reranker):
    assert reranker.rerank(QUERY, []) == Ranking()


def test_nothing_in_common_is_still_ranked():
    ranking = Reranker("static-minilm-v1-maxsim").rerank("ᚠᚢᚦ", TEXTS)
    assert [hit.index for hit in ranking] == [0, 1, 2, 3]
    assert {hit.score for hit in ranking} == {0.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", TEXTS), "query is empty"),
        ((None, TEXTS), "query must be str"),
        ((QUERY, "bare"), "documents must be a list"),
        (("bad \ud800", TEXTS), "The query is not valid Unicode"),
        (("bad \ud800", []), "The query is not valid Unicode"),
        ((QUERY, iter(TEXTS)), "documents must be a list"),
    ],
    ids=["empty", "none", "bare", "surrogate", "without documents", "iterator"],
)
async def test_a_bad_call_is_refused(reranker, arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        reranker.rerank(*arguments)
    assert caught.value.index is None
    with pytest.raises(InputError, match=message):
        await reranker.arerank(*arguments)


BAD = {
    "blank": (" ", r"documents\[1\] is empty"),
    "number": (3, r"documents\[1\] must be str, Document or jina_components.Image, got int"),
    "surrogate": ("bad \ud800", r"documents\[1\] is not valid Unicode: lone surrogate at 4"),
    "document": (Document("bad \ud800"), r"documents\[1\] is not valid Unicode"),
    "huge": ("x" * 5_000_001, r"documents\[1\] has 5,000,001 characters"),
}


@pytest.mark.parametrize(("item", "message"), BAD.values(), ids=BAD)
async def test_a_bad_document_is_reported_and_the_rest_ranked(reranker, model, item, message, caplog):
    documents = [TEXTS[0], item, *TEXTS[1:]]
    with caplog.at_level(logging.WARNING):
        ranking = reranker.rerank(QUERY, documents)
    [failure] = ranking.failures
    assert failure.index == failure.error.index == 1
    with pytest.raises(InputError, match=message):
        raise failure.error
    [record] = caplog.records
    assert (record.levelname, record.name) == ("WARNING", "jina_components.reranker")
    assert str(failure.error) in record.message
    good = reranker.rerank(QUERY, TEXTS)
    assert good.failures == ()
    assert [(hit.score, hit.index) for hit in ranking] == [(hit.score, hit.index + (hit.index >= 1)) for hit in good]
    assert all(hit.document.text == documents[hit.index] for hit in ranking)
    assert ranking.usage == good.usage
    assert (await reranker.arerank(QUERY, documents)).results == ranking.results
    with pytest.raises(InputError, match=message) as caught:
        Reranker(model, strict=True).rerank(QUERY, documents)
    assert caught.value.index == 1


def test_nothing_but_bad_documents(reranker, caplog):
    ranking = reranker.rerank(QUERY, ["", 3, "fine"], top_n=1)
    assert [failure.index for failure in ranking.failures] == [0, 1]
    assert [hit.index for hit in ranking] == [2]
    ranking = reranker.rerank(QUERY, ["", 3])
    assert [failure.index for failure in ranking.failures] == [0, 1]
    assert (ranking.results, ranking.usage.total_tokens) == ((), 0)
    assert [record.message for record in caplog.records] == [
        "not ranked: documents[0] is empty: leave it out. (and 1 more)"
    ] * 2


def test_a_document_without_tokens(tiny_folder):
    ranking = Reranker(tiny_folder).rerank(QUERY, ["\u200b", "fine", ""])
    assert [hit.index for hit in ranking] == [1]
    assert [failure.index for failure in ranking.failures] == [0, 2]
    assert "documents[0] has no text the model's tokenizer keeps" in str(ranking.failures[0].error)
    assert Reranker(tiny_folder).rerank(QUERY, ["\u200b"]).results == ()
    with pytest.raises(InputError, match="no text") as caught:
        Reranker(tiny_folder, strict=True).rerank(QUERY, ["fine", "\u200b"])
    assert caught.value.index == 1
    with pytest.raises(InputError, match="The query has no tokens"):
        Reranker(tiny_folder).rerank("\u200b", ["fine"])


class Failing:
    """A model that fails on inputs in which one of some token ids is."""

    def __init__(self, backend, ids, error):
        self.backend, self.ids, self.error = backend, ids, error
        self.token_budget, self.padded, self.precision = backend.token_budget, backend.padded, backend.precision
        self.width, self.device = backend.width, backend.device

    def run(self, batch):
        bad = [np.isin(item.ids, self.ids).any() for item in batch]
        if self.error is not None and any(bad):
            raise self.error
        rows = self.backend.run(batch)
        rows[bad] = np.nan
        return rows


ERRORS = {"error": ValueError("an input"), "memory": MemoryError("too much"), "nan": None}


@pytest.fixture(params=ERRORS.values(), ids=ERRORS)
def failing(request, tiny_folder):
    """Makes rerankers whose model fails on inputs with "x" in them."""

    def make(*, strict=False):
        reranker = Reranker(tiny_folder, strict=strict)
        scorer = reranker.load()
        [[pair]], [[other]] = (scorer.tokenizer.pairs("a", [text], truncate=False) for text in ("a x", "a a"))
        backend = Failing(scorer.runner._backend, np.setdiff1d(pair.ids, other.ids), request.param)
        reranker._scorer = replace(scorer, runner=ModelRunner(backend))
        return reranker

    return make


async def test_a_document_on_which_the_model_fails_is_reported_and_the_rest_ranked(failing, tiny_folder, caplog):
    documents = [" ", "a b", "a x", "c", "a x", words(200).replace("x", "a") + " x"]
    ranking = failing().rerank("q", documents)
    assert [failure.index for failure in ranking.failures] == [0, 2, 4, 5]
    for failure in ranking.failures[1:]:
        assert isinstance(failure.error, BackendError)
        assert str(failure.error).startswith(f"documents[{failure.index}]: ")
    good = Reranker(tiny_folder).rerank("q", ["a b", "c"])
    assert [hit.index for hit in ranking] == [1 + 2 * hit.index for hit in good]
    assert [hit.score for hit in ranking] == pytest.approx([hit.score for hit in good], abs=1e-5)
    assert [record.name for record in caplog.records][-1] == "jina_components.reranker"
    assert [hit.index for hit in await failing().arerank("q", documents)] == [hit.index for hit in ranking]
    with pytest.raises(BackendError, match=r"documents\[2\]: "):
        failing(strict=True).rerank("q", documents[1:2] + documents[1:])


def test_a_model_that_fails_on_every_document_raises(failing):
    with pytest.raises(BackendError, match="^(The model|Out of memory)"):
        failing().rerank("q", ["a x", " ", "x"])
    with pytest.raises(BackendError, match="^(The model|Out of memory)"):
        failing().rerank("x", ["a"] * 30 + TEXTS)


def test_a_query_of_too_many_characters(reranker, monkeypatch):
    monkeypatch.setattr(tokenize, "MAX_CHARACTERS", 100)
    with pytest.raises(InputError, match="The query has 101 characters") as caught:
        reranker.rerank("x" * 101, TEXTS)
    assert caught.value.index is None


@pytest.mark.parametrize("top_n", [0, -1, 2.0])
def test_bad_limits(reranker, top_n):
    with pytest.raises(InputError, match="top_n must be a positive integer"):
        reranker.rerank(QUERY, TEXTS, top_n=top_n)


def test_a_query_over_the_context_is_no_fault_of_a_document(reranker, model):
    long = "word " * 9000
    with pytest.raises(InputError, match="query has .*tokens.*context of .*truncate=True") as caught:
        reranker.rerank(long, TEXTS)
    assert caught.value.index is None
    assert len(reranker.rerank(long, TEXTS, truncate=True)) == 4
    assert len(Reranker(model, max_query_length=3).rerank(long, TEXTS)) == 4


def test_a_long_document_scores_as_its_best_chunk(reranker, model):
    """The second half answers: its head alone does not show it, where the weights are not random."""
    long = "bread oven " * 5000 + TEXTS[1]
    assert {hit.index for hit in reranker.rerank(QUERY, [long, TEXTS[0]])} == {0, 1}
    best, head = (reranker.rerank(QUERY, [long], truncate=cut) for cut in (False, True))
    assert best[0].score > head[0].score - (1e-6 if model != DEFAULT_RERANKER else 0)
    assert best.usage.total_tokens > head.usage.total_tokens
    assert head[0].score == reranker.rerank(QUERY, ["bread oven " * 5000], truncate=True)[0].score


def words(count):
    return " ".join("abcdefghijklmnopqrstuvwxyz"[number % 26] for number in range(count))


def test_limits_cut_to_the_token(reranker, model):
    limited = Reranker(model, max_query_length=2, max_document_length=5)
    got = limited.rerank(words(9), [words(5), words(8), words(4)])
    wanted = reranker.rerank(words(2), [words(5), words(5), words(4)])
    assert [(hit.score, hit.index) for hit in got] == [(hit.score, hit.index) for hit in wanted]
    assert got.usage == wanted.usage


def test_usage_counts_what_ran(tiny_folder):
    """[CLS] a [SEP] b [SEP] is 5 tokens; equal pairs run once, bad ones not at all."""
    assert Reranker(tiny_folder).rerank("a", ["b", "c d", "b", " "]).usage.total_tokens == 5 + 6


FLOATS = st.floats(-20, 20, width=32)


@given(FLOATS, FLOATS)
@settings(max_examples=500)
def test_scores_are_strictly_monotone_in_the_logit(one, other):
    low, high = sorted((one, other))
    assume(low < high)
    lower, higher = sigmoid(np.array([low, high], np.float32))
    assert 0 < lower <= higher < 1
    assert lower < higher or max(abs(low), abs(high)) < 1e-8


@given(st.floats(-700, 23, width=32))
@settings(max_examples=500)
def test_neighbouring_logits_have_different_scores(logit):
    assume(abs(logit) >= 1e-8)
    pair = np.array([logit, np.nextafter(np.float32(logit), np.float32(np.inf))], np.float32)
    lower, higher = sigmoid(pair)
    assert lower < higher


async def test_the_async_twin_agrees(reranker):
    for options in ({}, {"top_n": 2}, {"truncate": True}):
        assert await reranker.arerank(QUERY, TEXTS, **options) == reranker.rerank(QUERY, TEXTS, **options)


def test_a_score_does_not_depend_on_its_neighbours(reranker):
    for hit in reranker.rerank(QUERY, TEXTS):
        [alone] = reranker.rerank(QUERY, [hit.document])
        assert alone.score == pytest.approx(hit.score, abs=1e-5)


def test_many_threads(reranker):
    wanted = [hit.index for hit in reranker.rerank(QUERY, TEXTS)]
    with ThreadPoolExecutor(8) as pool:
        rankings = list(pool.map(lambda _: reranker.rerank(QUERY, TEXTS), range(80)))
    assert all([hit.index for hit in ranking] == wanted for ranking in rankings)


def test_it_pickles_as_its_settings(tiny_folder):
    reranker = Reranker(tiny_folder, token_budget=64)
    ranking = reranker.rerank(QUERY, TEXTS)
    data = pickle.dumps(reranker)
    assert len(data) < 1000
    copy = pickle.loads(data)
    assert copy.name == os.fspath(tiny_folder)
    assert [hit.index for hit in copy.rerank(QUERY, TEXTS)] == [hit.index for hit in ranking]


def test_it_closes_and_opens_again():
    with Reranker() as reranker:
        ranking = reranker.rerank(QUERY, TEXTS)
        loaded = reranker.load()
        assert reranker.load() is loaded
    assert reranker.rerank(QUERY, TEXTS) == ranking
    assert reranker.load() is not loaded
    assert repr(reranker) == f"Reranker({DEFAULT_RERANKER!r})"


def test_wrong_settings_are_errors_and_never_another_model():
    with pytest.raises(UnknownNameError, match="Unknown backend"):
        Reranker(backend="tensorflow")
    with pytest.raises(ConfigError, match="token_budget"):
        Reranker(token_budget=-1)
    with pytest.raises(ConfigError, match="max_query_length must be a positive integer or None, got 0"):
        Reranker(max_query_length=0)
    with pytest.raises(ConfigError, match="max_document_length must be"):
        Reranker(max_document_length=2.5)
    with pytest.raises(ConfigError, match="backend='torch' cannot run"):
        Reranker("static-minilm-v1-maxsim", backend="torch").load()
    with pytest.raises(ConfigError, match="runs on the CPU"):
        Reranker("static-minilm-v1-maxsim", device="cuda").load()
    with pytest.raises(ConfigError, match="is of kind 'embedding', where 'cross-encoder' is needed"):
        Reranker("all-MiniLM-L6-v2", offline=True).load()
    with pytest.raises(UnknownNameError, match="Did you mean 'ms-marco-MiniLM-L6-v2'"):
        Reranker("ms-marco-MiniLM-L6-v3").load()
    with pytest.raises(ModelFilesError, match="not a folder"):
        Reranker("/no/such/folder").load()


async def test_a_limit_of_one_call_is_that_of_a_reranker_so_made(reranker):
    long = "Bread is baked in an oven. Paris is the capital of France."
    wanted = Reranker(reranker.name, max_document_length=5).rerank(QUERY, [long, "Paris is in France"])
    got = reranker.rerank(QUERY, [long, "Paris is in France"], max_document_length=5)
    assert got == wanted != reranker.rerank(QUERY, [long, "Paris is in France"])
    assert await reranker.arerank(QUERY, [long, "Paris is in France"], max_document_length=5) == wanted
    for wrong in (0, 2.0, True):
        with pytest.raises(ConfigError, match="max_document_length must be a positive integer or None"):
            reranker.rerank(QUERY, [long], max_document_length=wrong)
