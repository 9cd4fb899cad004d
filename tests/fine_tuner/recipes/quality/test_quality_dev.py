"""Rankings, and measuring models given as plain functions."""

from __future__ import annotations

import numpy as np
import pytest

from jina_components import Embedder
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.rankings import (
    padded,
    rank_by_cosine,
    rank_by_words,
    rerank,
    rerank_by_cosine,
)
from jina_components.fine_tuner.recipes.quality import measures
from jina_components.fine_tuner.recipes.quality.dev import DevSets
from jina_components.fine_tuner.recipes.quality.labelled_sets import ENTAILMENT, load_classification
from jina_components.fine_tuner.recipes.quality.metrics import ndcg
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, load_set

TASK = JudgedQuestions(["red fox", "", "blue sea", "red sea"], ["red sea", "fox"], [{3: 1.0}, {0: 1.0}])


def encode(texts):
    vectors = np.zeros((len(texts), Embedder().dimensions), np.float32)
    rows = [row for row, text in enumerate(texts) if text.strip()]
    vectors[rows] = Embedder().embed_documents([texts[row] for row in rows])
    return vectors


def overlap(pairs):
    return np.array([len(set(query.split()) & set(document.split())) for query, document in pairs], np.float32)


def test_bm25_finds_what_shares_words_and_fills_up():
    ranking = rank_by_words(TASK.queries, TASK.corpus, 3)
    assert ranking[0, 0] == 3
    assert set(ranking[0]) == {0, 2, 3}
    assert ranking[1].tolist() == [0, -1, -1]


def test_cosine_puts_the_nearest_first():
    queries, corpus = np.array([[1, 0]], np.float32), np.array([[0, 1], [0.6, 0.8], [1, 0]], np.float32)
    assert rank_by_cosine(queries, corpus, 4).tolist() == [[2, 1, 0, -1]]
    candidates = np.array([[0, 1, -1]])
    assert rerank_by_cosine(candidates, queries, corpus).tolist() == [[1, 0, -1]]


def test_reranking_keeps_the_candidates_and_equal_ones_in_their_order():
    candidates = np.array([[0, 2, 3, -1], [2, 0, -1, -1]])
    assert rerank(candidates, TASK, overlap).tolist() == [[3, 0, 2, -1], [0, 2, -1, -1]]
    assert rerank(candidates, TASK, lambda pairs: np.zeros(len(pairs))).tolist() == candidates.tolist()


def test_every_pair_is_scored_at_once():
    calls = []
    rerank(np.array([[0, 2], [2, -1]]), TASK, lambda pairs: [calls.append(pairs), np.zeros(len(pairs))][1])
    assert calls == [[("red sea", "red fox"), ("red sea", "blue sea"), ("fox", "blue sea")]]


def test_rows_are_cut_and_filled():
    assert padded([[1, 2, 3], []], 2).tolist() == [[1, 2], [-1, -1]]


@pytest.fixture(scope="module")
def dev(quality_data):
    return DevSets.load(quality_data, queries=2, negatives=2, candidates=3, pairs=8)


def test_the_part_holds_what_is_relevant_and_points_at_the_same_texts(dev, quality_data):
    for name, found in dev.retrieval.items():
        assert len(found.part.corpus) <= len(found.whole.corpus)
        for own, whole in zip(found.part.relevant, found.whole.relevant, strict=True):
            texts = {found.part.corpus[position]: grade for position, grade in own.items()}
            assert texts == {found.whole.corpus[position]: grade for position, grade in whole.items()}, name
    assert dev.retrieval["npl"].whole.corpus == load_set(quality_data, "npl").corpus


def test_an_embedder_and_a_scorer_are_measured_on_every_set(dev):
    found = dev.embedding(encode)
    assert found.keys() == {*RETRIEVAL, "average", "stsb"}
    assert found["average"] == pytest.approx(np.mean([found[name] for name in RETRIEVAL]))
    reranked = dev.reranking(overlap)
    assert reranked.keys() == {*RETRIEVAL, "average"}
    assert dev.first_stage()["cranfield"] == ndcg(dev.retrieval["cranfield"].candidates, [{7: 1.0}, {8: 1.0}])
    worst = dev.reranking(lambda pairs: -overlap(pairs))
    assert worst["average"] <= reranked["average"]


def test_entailment_at_its_best_at_chance_and_at_its_worst(dev):
    sets = dev.entailing.values()
    true = {pair: entailed for task in sets for pair, entailed in zip(task.pairs, task.entailed, strict=True)}
    assert set(dev.entailment(lambda pairs: np.array([true[pair] for pair in pairs], float)).values()) == {1.0}
    assert set(dev.entailment(lambda pairs: np.zeros(len(pairs))).values()) == {0.5}
    assert set(dev.entailment(lambda pairs: np.array([not true[pair] for pair in pairs], float)).values()) == {0.0}
    assert dev.entailment(lambda pairs: np.zeros(len(pairs))).keys() == set(ENTAILMENT)


def test_a_few_texts_a_label_teach_the_labels(quality_data):
    found = measures.classification(encode, load_classification(quality_data, "clinc150"), shots=3)
    assert found.keys() == {"zero_shot", "3_shot"}
    assert found["3_shot"] == found["zero_shot"] == 1
