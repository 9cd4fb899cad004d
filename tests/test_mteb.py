"""Our models run in MTEB's own tasks, on its mock data."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from jina_components import Embedder, Reranker
from jina_components.models.catalog import BY_NAME
from jina_components.models.spec import ModelSpec

mteb = pytest.importorskip("mteb", reason="pip install 'jina-components[mteb]'")
ours = pytest.importorskip("jina_components.mteb")
tasks = pytest.importorskip("mteb.mocks.mock_tasks", reason="mteb is too old to bring mock tasks")

MTEBEncoder, MTEBCrossEncoder = ours.MTEBEncoder, ours.MTEBCrossEncoder
ENCODER_TASKS = ["MockRetrievalTask", "MockSTSTask", "MockClassificationTask", "MockPairClassificationTask"]
# MTEB scores a classifier that predicts one class alone.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")


class Metadata:
    def __init__(self, kind):
        self.type = kind


def batches(*texts):
    return [{"text": list(texts[:2])}, {"text": list(texts[2:])}]


def encode(texts, **options):
    encoder = MTEBEncoder(Embedder())
    kind = options.pop("kind", "Retrieval")
    return encoder.encode(
        batches(*texts), task_metadata=Metadata(kind), hf_split="test", hf_subset="default", **options
    )


def score_of(model, name):
    task = getattr(tasks, name)()
    result = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
    return result.task_results[0].get_score()


@pytest.mark.parametrize("name", ENCODER_TASKS)
def test_an_embedder_runs_in_every_kind_of_task(name):
    assert 0 <= score_of(MTEBEncoder(Embedder()), name) <= 1


def test_a_reranker_reranks_what_the_task_has_ranked():
    assert 0 <= score_of(MTEBCrossEncoder(Reranker()), "MockRerankingTask") <= 1


def test_they_meet_mtebs_protocols():
    assert isinstance(MTEBEncoder(Embedder()), mteb.EncoderProtocol)
    assert isinstance(MTEBCrossEncoder(Reranker()), mteb.CrossEncoderProtocol)
    assert not isinstance(MTEBCrossEncoder(Reranker()), mteb.EncoderProtocol)


def test_vectors_are_those_of_the_embedder_in_order():
    texts = ["a calm sea", "stocks fell", "", "the moon"]
    vectors = encode(texts, prompt_type="document")
    expected = Embedder().embed_documents([text for text in texts if text])
    np.testing.assert_allclose(vectors[[0, 1, 3]], expected, atol=1e-6)
    assert not vectors[2].any()
    np.testing.assert_allclose(encode(texts[:2], prompt_type="query")[0], Embedder().embed_query(texts[0]), atol=1e-6)


class Recording(Embedder):
    """An embedder that notes the tasks it is asked for."""

    def embed(self, texts, **options):
        self.task = options["task"]
        return super().embed(texts, **options)


@pytest.mark.parametrize(
    ("kind", "prompt_type", "task"),
    [
        ("Retrieval", "query", "retrieval.query"),
        ("Retrieval", "document", "retrieval.passage"),
        ("STS", None, "text-matching"),
        ("Classification", None, "classification"),
        ("Clustering", None, "separation"),
        ("Retrieval", None, None),
    ],
)
def test_roles_and_kinds_stand_for_tasks(kind, prompt_type, task):
    embedder = Recording()
    metadata = Metadata(kind)
    MTEBEncoder(embedder).encode(
        batches("a", "b"), task_metadata=metadata, hf_split="test", hf_subset="default", prompt_type=prompt_type
    )
    assert embedder.task == task


def test_similarity_is_cosine_whatever_the_length():
    encoder = MTEBEncoder(Embedder())
    first, second = np.array([[3.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [5.0, 5.0]])
    expected = [[0, 0.5**0.5], [0.5**0.5, 1]]
    np.testing.assert_allclose(encoder.similarity(first, second), expected, atol=1e-6)
    np.testing.assert_allclose(encoder.similarity_pairwise(first, second), [0, 1], atol=1e-6)


def test_relevance_is_that_of_the_reranker_and_what_it_refuses_comes_last():
    queries = ["capital of France", "capital of France", "bread", "capital of France"]
    documents = ["Bread is baked.", "Paris is France's capital.", "Bread is baked.", " "]
    scores = MTEBCrossEncoder(Reranker()).predict(
        batches(*queries), batches(*documents), task_metadata=None, hf_split="test", hf_subset="default"
    )
    hits = Reranker().rerank(queries[0], documents[:2])
    assert {0: scores[0], 1: scores[1]} == {hit.index: hit.score for hit in hits}
    assert scores[2] == Reranker().rerank("bread", ["Bread is baked."])[0].score
    assert scores[3] < min(scores[:2])


def test_results_are_filed_by_the_weights(static_folder, minilm_folder):
    bundled, folder = MTEBEncoder(Embedder()).mteb_model_meta, MTEBEncoder(Embedder(static_folder)).mteb_model_meta
    assert bundled.name == f"jina-components/{Embedder().name}"
    assert folder.name == f"jina-components/{static_folder.name}"
    assert folder.revision not in {"unknown", bundled.revision}
    assert MTEBEncoder(Embedder("owner/model")).mteb_model_meta.name == "owner/model"
    assert MTEBEncoder(Embedder("all-MiniLM-L6-v2")).mteb_model_meta.revision.startswith("c9745ed1")
    assert MTEBEncoder(Embedder(), revision="int8").mteb_model_meta.revision == "int8"
    assert MTEBCrossEncoder(Reranker()).mteb_model_meta.is_cross_encoder


def test_the_examples_run():
    done = doctest.testmod(ours)
    assert done.attempted
    assert not done.failed


def test_a_blend_is_filed_by_its_parts(monkeypatch):
    def revision(**changes):
        facts = {"parts": {"static-minilm-v1-maxsim": 40.0, "all-MiniLM-L6-v2": 20.0}, "offset": -30.0} | changes
        spec = ModelSpec(name="mix", kind="blend", context=256, license="MIT", **facts)
        monkeypatch.setitem(BY_NAME, "mix", spec)
        return MTEBCrossEncoder(Reranker("mix")).mteb_model_meta.revision

    parts = {"static-minilm-v1-maxsim": 40.0, "ms-marco-MiniLM-L6-v2": 20.0}
    changes = {"offset": -29.0}, {"parts": parts}, {"parts": {**parts, "ms-marco-MiniLM-L6-v2": 1.0}}
    found = [revision(), *(revision(**change) for change in changes)]
    assert len(set(found)) == 4
    assert revision() == found[0]
    assert "unknown" not in found
