from __future__ import annotations

import numpy as np
import pytest

from jina_components import Embedder, Reranker
from jina_components.errors import BackendError
from jina_components.fine_tuner.mining import KnownBlend, Mined, Miner, MiningSettings
from jina_components.fine_tuner.triplets import Passage
from jina_components.types import Document, Ranking, ScoredDocument

TEXTS = ["red kite", "red kite bird", "red box", "blue kite", "green tree", "red kite in spring"]
WORDS = sorted({word for text in TEXTS for word in text.split()})


class Words:
    """Embeds a text as its words."""

    def embed_query(self, text):
        return self.embed_documents([text])[0]

    def embed_documents(self, texts):
        rows = np.array([[word in text.split() for word in WORDS] for text in texts], np.float32) + 1e-3
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Told:
    """Scores documents as it was told, 0 where not."""

    def __init__(self, scores):
        self.scores = scores

    def rerank(self, query, documents, *, top_n=None, truncate=False):
        scored = [(self.scores.get(text, 0.0), place) for place, text in enumerate(documents)]
        return Ranking(
            tuple(ScoredDocument(Document(documents[place]), score, place) for score, place in sorted(scored)[::-1])
        )


def miner(reranker=None, *, documents="012345", copies=range(6), splits=("train",) * 6, **settings):
    passages = [Passage(id=str(at), text=text, document=documents[at]) for at, text in enumerate(TEXTS)]
    made = Miner(
        passages,
        documents,
        list(copies),
        splits,
        embedder=Words(),
        reranker=reranker,
        settings=MiningSettings(**settings),
    )
    made.add(0, 4)
    made.add(4, 6)
    return made


def test_hardest_first_and_what_may_answer_too_is_no_negative():
    scores = {"red kite": 0.9, "red kite bird": 0.88, "blue kite": 0.3, "red box": 0.6}
    (found,) = miner(Told(scores)).mine(["red kite"], [0])
    assert isinstance(found, Mined)
    assert found.negatives[:2] == (2, 3)
    assert 1 not in found.negatives
    assert found.scores[:3] == pytest.approx((0.9, 0.6, 0.3))
    assert len(found.scores) == 1 + len(found.negatives)


def test_without_a_reranker_cosines_decide():
    (found,) = miner(margin=0.9).mine(["red kite"], [0])
    assert found.scores[0] == pytest.approx(1, abs=1e-3)
    assert list(found.scores) == sorted(found.scores, reverse=True)
    assert all(score < 0.9 for score in found.scores[1:])


def test_neither_the_own_document_nor_copies_nor_another_split_are_negatives():
    (found,) = miner(documents="000345").mine(["red kite"], [0])
    assert {1, 2}.isdisjoint(found.negatives)
    (found,) = miner(copies=[0, 0, 2, 3, 4, 5]).mine(["red kite"], [0])
    assert 1 not in found.negatives
    (found,) = miner(splits=("train", "test", "train", "dev", "train", "train")).mine(["red kite"], [0])
    assert {1, 3}.isdisjoint(found.negatives)


def test_a_question_whose_own_passage_is_not_found_is_dropped():
    assert miner(found_within=2).mine(["green tree", "green tree"], [4, 0])[1] == "not found"


def test_a_question_that_many_passages_may_answer_is_dropped():
    same = dict.fromkeys(TEXTS, 0.5)
    assert miner(Told(same), answers=3).mine(["red kite"], [0]) == ["fits many"]
    assert miner(Told(same), answers=5).mine(["red kite"], [0]) == [Mined((), (0.5,))]


def test_no_more_than_were_asked_for():
    (found,) = miner(negatives=1).mine(["red kite"], [0])
    assert len(found.negatives) == 1
    scored = []

    class Counting(Told):
        def rerank(self, query, documents, **options):
            scored.append(len(documents))
            return super().rerank(query, documents, **options)

    miner(Counting({"red kite": 1.0}), judged=2).mine(["red kite"], [0])
    assert scored == [3]


def test_vectors_that_are_none_are_refused():
    class Broken(Words):
        def embed_documents(self, texts):
            return np.full((len(texts), 2), np.nan, np.float32)

    passages = [Passage(id="0", text="x", document="0")]
    broken = Miner(passages, ["0"], [0], ["train"], embedder=Broken(), reranker=None, settings=MiningSettings())
    with pytest.raises(BackendError, match="no 1 finite vectors"):
        broken.add(0, 1)


def test_the_bundled_blend_scores_as_it_would_from_the_texts():
    texts = ["Paris is the capital of France.", "Bread is baked in ovens.", "France borders Spain."]
    passages = [Passage(id=str(at), text=text, document=str(at)) for at, text in enumerate(texts)]
    embedder, reranker = Embedder(truncate=True), Reranker()
    miner = Miner(
        passages, "012", range(3), ["train"] * 3, embedder=embedder, reranker=reranker,
        settings=MiningSettings(margin=1.0),
    )  # fmt: skip
    miner.add(0, 3)
    [found] = miner.mine(["what is the capital of France"], [0])
    hits = {hit.index: hit.score for hit in reranker.rerank("what is the capital of France", texts)}
    assert found.scores == pytest.approx([hits[0], *(hits[at] for at in found.negatives)], abs=0.01)
    assert KnownBlend.of(reranker, Embedder("static-minilm-v1")) is None
    assert KnownBlend.of(None, embedder) is None
