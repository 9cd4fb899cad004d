from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from tiny_checkpoints import save_checkpoint

from jina_components import Document, Reranker
from jina_components.errors import ConfigError, InputError, ModelFilesError, UnknownNameError
from jina_components.models.catalog import DEFAULT_RERANKER
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
def reranker(request):
    return Reranker() if request.param == "default" else Reranker(request.getfixturevalue("tiny_folder"))


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
    ranking = Reranker().rerank("ᚠᚢᚦ", TEXTS)
    assert [hit.index for hit in ranking] == [0, 1, 2, 3]
    assert {hit.score for hit in ranking} == {0.0}


@pytest.mark.parametrize(
    ("arguments", "message", "index"),
    [
        (("", TEXTS), "query is empty", None),
        ((None, TEXTS), "query must be str", None),
        ((QUERY, "bare"), "documents must be a list", None),
        ((QUERY, ["fine", " "]), r"documents\[1\] is empty", 1),
        ((QUERY, ["fine", 3]), r"documents\[1\] must be str or Document", 1),
        ((QUERY, ["fine", "bad \ud800"]), "Text 1 is not valid Unicode", 1),
        ((QUERY, ["fine", "word " * 9000]), r"Text 1 has \d+ tokens", 1),
    ],
    ids=["empty", "none", "bare", "blank", "number", "surrogate", "long"],
)
async def test_bad_input_is_named(reranker, arguments, message, index):
    with pytest.raises(InputError, match=message) as caught:
        reranker.rerank(*arguments)
    assert caught.value.index == index
    with pytest.raises(InputError, match=message):
        await reranker.arerank(*arguments)


@pytest.mark.parametrize("top_n", [0, -1, 2.0])
def test_bad_limits(reranker, top_n):
    with pytest.raises(InputError, match="top_n must be a positive integer"):
        reranker.rerank(QUERY, TEXTS, top_n=top_n)


def test_a_query_over_the_context_is_no_fault_of_a_document():
    with pytest.raises(InputError, match="query does not fit: .* 9000 tokens") as caught:
        Reranker().rerank("word " * 9000, TEXTS)
    assert caught.value.index is None
    with pytest.raises(InputError, match="The query is not valid Unicode|query does not fit") as caught:
        Reranker().rerank("bad \ud800", TEXTS)
    assert caught.value.index is None


def test_truncation(reranker):
    ranking = reranker.rerank(QUERY, ["word " * 9000, TEXTS[1]], truncate=True)
    assert len(ranking) == 2


async def test_the_async_twin_agrees(reranker):
    for settings in ({}, {"top_n": 2}, {"truncate": True}):
        assert await reranker.arerank(QUERY, TEXTS, **settings) == reranker.rerank(QUERY, TEXTS, **settings)


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
    with pytest.raises(ConfigError, match="backend='torch' cannot run"):
        Reranker(backend="torch").load()
    with pytest.raises(ConfigError, match="runs on the CPU"):
        Reranker(device="cuda").load()
    with pytest.raises(ConfigError, match="is of kind 'embedding', where 'cross-encoder' is needed"):
        Reranker("all-MiniLM-L6-v2", offline=True).load()
    with pytest.raises(UnknownNameError, match="Did you mean 'ms-marco-MiniLM-L6-v2'"):
        Reranker("ms-marco-MiniLM-L12-v2").load()
    with pytest.raises(ModelFilesError, match="not a folder"):
        Reranker("/no/such/folder").load()
