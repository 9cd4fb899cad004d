"""Embedder.embed_multi_vector and Reranker over models that give a vector a token."""

from __future__ import annotations

import asyncio
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from tiny_checkpoints import save_checkpoint
from tiny_colberts import reference_vectors, save_bert_colbert, save_pylate

from jina_components import Embedder, Endpoint, Reranker, max_sim
from jina_components.core.vectors import normalize
from jina_components.errors import BackendError, ConfigError, InputError, ModelFilesError, UnknownNameError
from jina_components.models.runner import ModelRunner
from jina_components.models.scoring import MultiVectorScorer
from jina_components.types import MultiVectorEmbeddings

TEXTS = ["Hello, world! The quick brown fox.", "東京 is the capital of 日本", "hello", "the lazy dog jumps over; a fox"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("colbert")
    colbert = save_bert_colbert(root / "colbert")
    unseen = save_bert_colbert(root / "unseen", attend_to_mask_tokens=False)
    return {"colbert": colbert, "pylate": save_pylate(root / "pylate", colbert), "unseen": unseen}


@pytest.fixture(scope="module")
def embedder(folders):
    return Embedder(folders["colbert"], precision="float32")


def assert_same(left, right, atol=1e-5):
    assert len(left) == len(right)
    for own, other in zip(left, right, strict=True):
        np.testing.assert_allclose(own, other, atol=atol)


# --- vectors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [True, False])
@pytest.mark.parametrize("layout", ["colbert", "pylate", "unseen"])
def test_vectors_are_those_of_sentence_transformers(folders, layout, query):
    task = "retrieval.query" if query else "retrieval.passage"
    result = Embedder(folders[layout], precision="float32").embed_multi_vector(TEXTS, task=task)
    assert_same(result.vectors, reference_vectors(folders[layout], TEXTS, query=query))


def test_rows_have_unit_length_and_the_result_is_short_to_print(embedder):
    result = embedder.embed_multi_vector(TEXTS)
    assert isinstance(result, MultiVectorEmbeddings)
    assert all(vectors.dtype == np.float32 and vectors.shape[1] == 16 for vectors in result.vectors)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(result.vectors), axis=1), 1, atol=1e-5)
    rows = sum(map(len, result.vectors))
    assert len(result) == 4
    assert repr(result) == f"MultiVectorEmbeddings(4 texts, {rows} vectors of 16 dimensions, {result.usage!r})"
    assert result.usage.total_tokens == rows + 3  # the signs in the vocabulary


def test_no_texts(embedder):
    result = embedder.embed_multi_vector([])
    assert result.vectors == ()
    assert result.usage.total_tokens == 0
    assert repr(result).startswith("MultiVectorEmbeddings(0 texts, 0 vectors, ")


def test_neighbours_order_and_windows_change_nothing(embedder):
    many = [f"{TEXTS[n % 4]} {'fox ' * (n % 20)}" for n in range(600)]
    whole = embedder.embed_multi_vector(many).vectors
    assert_same(embedder.embed_multi_vector(many[::-1]).vectors, whole[::-1])
    assert_same(
        [embedder.embed_multi_vector([many[n]]).vectors[0] for n in (0, 19, 599)], [whole[n] for n in (0, 19, 599)]
    )


async def test_the_async_twin(embedder):
    for task in ("retrieval.query", "retrieval.passage"):
        result = await embedder.aembed_multi_vector(TEXTS, task=task, show_progress=False)
        assert_same(result.vectors, embedder.embed_multi_vector(TEXTS, task=task).vectors)


async def test_cancelling_ends_the_work(folders):
    embedder = Embedder(folders["colbert"], token_budget=1)
    embedder.load()
    task = asyncio.create_task(embedder.aembed_multi_vector(["the quick brown fox"] * 20_000))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        assert len(await embedder.aembed_multi_vector(["hello"])) == 1


def test_progress(embedder, capsys):
    embedder.embed_multi_vector(TEXTS, show_progress=True)
    assert "4/4" in capsys.readouterr().err


@pytest.mark.parametrize("factor", [1, 2, 3, 50])
def test_pooling(embedder, factor):
    whole = embedder.embed_multi_vector(TEXTS)
    pooled = embedder.embed_multi_vector(TEXTS, pool_factor=factor)
    assert [len(vectors) for vectors in pooled.vectors] == [math.ceil(len(own) / factor) for own in whole.vectors]
    assert pooled.usage == whole.usage
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(pooled.vectors), axis=1), 1, atol=1e-5)
    if factor == 1:
        assert_same(pooled.vectors, whole.vectors)


def test_the_cache_is_left_out(folders, tmp_path):
    with Embedder(folders["colbert"], cache=tmp_path / "cache") as embedder:
        embedder.embed_multi_vector(TEXTS)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_it_pickles_as_its_settings(embedder):
    copy = pickle.loads(pickle.dumps(embedder))
    assert_same(copy.embed_multi_vector(TEXTS).vectors, embedder.embed_multi_vector(TEXTS).vectors)


def test_facts_of_the_model(embedder):
    assert embedder.dimensions == 16
    assert embedder.context == 39


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dimensions": 8}, "dimensions must be one of 16 for .*colbert"),
        ({"pool_factor": 0}, "pool_factor must be a positive integer"),
        ({"pool_factor": 2.0}, "pool_factor must be a positive integer"),
        ({"pool_factor": 2, "task": "retrieval.query"}, "pool_factor is for documents"),
    ],
)
def test_wrong_arguments(embedder, arguments, message):
    with pytest.raises(InputError, match=message):
        embedder.embed_multi_vector(TEXTS, **arguments)


def test_wrong_texts(embedder):
    with pytest.raises(InputError, match="inputs must be a list"):
        embedder.embed_multi_vector("hello")
    with pytest.raises(InputError, match=r"inputs\[1\] is empty") as caught:
        embedder.embed_multi_vector(["a", " "])
    assert caught.value.index == 1
    with pytest.raises(InputError, match=r"inputs\[1\] has 42 tokens") as caught:
        embedder.embed_multi_vector(["a", "fox " * 40])
    assert caught.value.index == 1
    [vectors] = embedder.embed_multi_vector(["fox " * 40], truncate=True).vectors
    assert len(vectors) == 40
    with pytest.raises(InputError, match=r"inputs\[0\] has 42 tokens, more than the 31 of a query"):
        embedder.embed_multi_vector(["fox " * 40], task="retrieval.query")
    assert len(embedder.embed_multi_vector(["fox " * 40], task="retrieval.query", truncate=True).vectors[0]) == 32


def test_tasks_that_are_neither_side(embedder):
    with pytest.raises(UnknownNameError, match=r"Unknown task 'separation'\. .*retrieval\.passage, retrieval\.query"):
        embedder.embed_multi_vector(TEXTS, task="separation")


def test_one_vector_of_a_model_that_gives_many(folders):
    for name in ("jina-colbert-v2", "jina-colbert-v1-en", folders["colbert"], folders["pylate"]):
        with pytest.raises(ConfigError, match="gives a vector a token: call embed_multi_vector"):
            Embedder(name, offline=True).embed(TEXTS)
    with pytest.raises(ConfigError, match="call embed_multi_vector"):
        Embedder("jina-colbert-v2", offline=True).embed_query("hello")


def test_many_vectors_of_a_model_that_gives_one(tmp_path):
    names = ("static-minilm-v1", "all-MiniLM-L6-v2", save_checkpoint(tmp_path / "model"))
    for name in names:
        with pytest.raises(ConfigError, match="gives no vectors of tokens here: call embed, or take"):
            Embedder(name, offline=True).embed_multi_vector(TEXTS)
    with pytest.raises(ConfigError, match="without an endpoint"):
        Embedder("jina-colbert-v2", endpoint=Endpoint("http://127.0.0.1:9")).embed_multi_vector(TEXTS)


def test_backends_that_cannot_run_it(folders):
    for component in (Embedder(folders["colbert"], backend="onnx"), Reranker(folders["colbert"], backend="static")):
        with pytest.raises(ConfigError, match="use 'auto' or 'torch'"):
            component.load()


def test_a_sentence_classifier_is_still_looked_for_in_other_folders(tmp_path):
    with pytest.raises(ModelFilesError, match="is no cross-encoder"):
        Reranker(save_checkpoint(tmp_path / "model")).load()


# --- reranking -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["colbert", "pylate"])
def reranker(folders, request):
    return Reranker(folders[request.param], precision="float32")


def test_the_reranker_ranks_by_max_sim(reranker, embedder):
    ranking = reranker.rerank("a lazy fox", TEXTS)
    [query] = embedder.embed_multi_vector(["a lazy fox"], task="retrieval.query").vectors
    documents = embedder.embed_multi_vector(TEXTS)
    scores = max_sim(query, documents.vectors) / 32
    assert [hit.index for hit in ranking] == np.argsort(-scores).tolist()
    np.testing.assert_allclose([hit.score for hit in ranking], np.sort(scores)[::-1], atol=1e-5)
    assert ranking.usage.total_tokens == documents.usage.total_tokens + 32


async def test_the_async_reranker(reranker):
    ranking = await reranker.arerank("a lazy fox", TEXTS, top_n=2)
    wanted = reranker.rerank("a lazy fox", TEXTS, top_n=2)
    assert [hit.index for hit in ranking] == [hit.index for hit in wanted]


def test_equal_documents_score_alike_wherever_they_stand(reranker):
    ranking = reranker.rerank("fox", [TEXTS[0], TEXTS[3], *TEXTS, TEXTS[0]])
    scores = {}
    for hit in ranking:
        scores.setdefault(hit.document.text, set()).add(hit.score)
    assert all(len(own) == 1 for own in scores.values())


def test_a_long_document_scores_as_its_best_chunk(reranker, embedder):
    long = "hello world " * 30 + "quick brown fox " * 12 + "hello world " * 30
    model = reranker.load()
    [parts] = model.tokenizer.chunks([long])
    assert len(parts) > 3
    query = embedder.embed_multi_vector(["quick brown fox"], task="retrieval.query").vectors[0]
    scores = max_sim(query, [normalize(model.runner.run([part])) for part in parts]) / 32
    [whole] = reranker.rerank("quick brown fox", [long])
    assert whole.score == pytest.approx(float(scores.max()), abs=1e-5)
    [cut] = reranker.rerank("quick brown fox", [long], truncate=True)
    assert cut.score == pytest.approx(float(scores[0]), abs=1e-5)


def test_long_queries(reranker, folders):
    with pytest.raises(InputError, match="The query has more tokens than"):
        reranker.rerank("fox " * 40, TEXTS)
    [whole] = reranker.rerank("fox " * 40, ["quick fox"], truncate=True)
    [cut] = reranker.rerank("fox " * 29, ["quick fox"])
    assert whole.score == pytest.approx(cut.score)
    limited = Reranker(folders["colbert"], precision="float32", max_query_length=2, max_document_length=1)
    [hit] = limited.rerank("fox " * 40, ["quick fox"])
    [wanted] = reranker.rerank("fox fox", ["quick"])
    assert hit.score == pytest.approx(wanted.score, abs=1e-5)


class _Breaking:
    """A backend that fails on sequences with a token."""

    def __init__(self, backend, token):
        self._backend, self._token = backend, token

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def run(self, batch):
        if any(self._token in sequence.ids for sequence in batch):
            raise ValueError("an input")
        return self._backend.run(batch)


def breaking(folder, token):
    reranker = Reranker(folder, precision="float32")
    scorer = reranker.load()
    assert isinstance(scorer, MultiVectorScorer)
    runner = ModelRunner(_Breaking(scorer.runner._backend, token))
    reranker._scorer = replace(scorer, runner=runner)
    return reranker


def test_a_document_that_fails_is_left_out(folders):
    reranker = Reranker(folders["colbert"], precision="float32")
    [words] = reranker.load().tokenizer.document.texts(["dog"])
    broken = breaking(folders["colbert"], int(words.ids[1]))
    ranking = broken.rerank("fox", TEXTS)
    assert sorted(hit.index for hit in ranking) == [0, 1, 2]
    [failure] = ranking.failures
    assert failure.index == 3
    assert isinstance(failure.error, BackendError)
    wanted = reranker.rerank("fox", TEXTS[:3])
    np.testing.assert_allclose([hit.score for hit in ranking], [hit.score for hit in wanted], atol=1e-5)
    with pytest.raises(BackendError, match="an input"):
        broken.rerank("dog", TEXTS[:3])


def test_documents_without_text(reranker):
    ranking = reranker.rerank("fox", ["fox", "", 3])
    assert [hit.index for hit in ranking] == [0]
    assert [failure.index for failure in ranking.failures] == [1, 2]
