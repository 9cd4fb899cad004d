"""Our components pass the public contract checks, and the checks catch what breaks a rule."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sentence_transformers.sentence_transformer.modules import Pooling
from tiny_checkpoints import ENTAILMENT, save_checkpoint, save_pair_model, save_sentence_transformer

from jina_components import Document, Embedder, Entailment, EntailmentScorer, Reranker, Retriever
from jina_components.errors import InputError
from jina_components.testing import (
    FakeEmbedder,
    FakeEntailmentScorer,
    check_embedder,
    check_entailment_scorer,
    check_reranker,
    check_retriever,
)
from jina_components.types import Entailments, Ranking, ScoredDocument

# --- embedders ---------------------------------------------------------------------------------------------------


def test_the_fake_embedder():
    check_embedder(FakeEmbedder())
    check_embedder(FakeEmbedder(dimensions=64))


def test_the_default_embedder():
    check_embedder(Embedder())
    check_embedder(Embedder(dimensions=64))


def test_a_transformer(tmp_path):
    save_sentence_transformer(tmp_path / "model", Pooling(32), checkpoint=save_checkpoint(tmp_path / "base"))
    check_embedder(Embedder(tmp_path / "model", truncate=True))


@pytest.mark.slow
def test_real_weights(minilm_folder):
    check_embedder(Embedder(minilm_folder))


class Doubles(FakeEmbedder):
    def embed_documents(self, texts):
        return super().embed_documents(texts).astype(np.float64)


class Lists(FakeEmbedder):
    def embed_documents(self, texts):
        return super().embed_documents(texts).tolist()


class Flat(FakeEmbedder):
    def embed_documents(self, texts):
        rows = super().embed_documents(texts)
        return rows[0] if len(rows) == 1 else rows


class Nan(FakeEmbedder):
    def embed_documents(self, texts):
        return super().embed_documents(texts) * np.float32(np.nan)


class ShapelessWhenEmpty(FakeEmbedder):
    def embed_documents(self, texts):
        return super().embed_documents(texts) if len(texts) else np.zeros(0, np.float32)


class WideQueries(FakeEmbedder):
    def embed_query(self, text):
        return np.tile(super().embed_query(text), 2)


class TakesStrings(FakeEmbedder):
    def embed_documents(self, texts):
        return super().embed_documents([texts] if isinstance(texts, str) else texts)


class TakesBlanks(FakeEmbedder):
    def embed_documents(self, texts):
        if isinstance(texts, str):
            raise InputError("no")
        return super().embed_documents([text if text.strip() else "nothing" for text in texts])


class ForgetsTheIndex(FakeEmbedder):
    def embed_documents(self, texts):
        try:
            return super().embed_documents(texts)
        except InputError as error:
            raise InputError(str(error)) from error


class RaisesTypeError(FakeEmbedder):
    def embed_documents(self, texts):
        if isinstance(texts, str):
            raise TypeError("a list, please")
        return super().embed_documents(texts)


class Centred(FakeEmbedder):
    """A vector depends on its batch."""

    def embed_documents(self, texts):
        rows = super().embed_documents(texts)
        return rows - rows.mean(axis=0) / 10 if len(rows) else rows


class OtherSpace(FakeEmbedder):
    def embed_query(self, text):
        return np.roll(super().embed_query(text), 1)


class OtherAsync(FakeEmbedder):
    async def aembed_documents(self, texts):
        return self.embed_documents(texts)[:, ::-1]


class Unpicklable(FakeEmbedder):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class Racy(FakeEmbedder):
    """Keeps its input in itself."""

    def embed_documents(self, texts):
        self.texts = texts
        threading.Event().wait(0.001)
        return super().embed_documents(self.texts)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (object, "lacks embed_query or embed_documents"),
        (Doubles, "float64, expected float32"),
        (Lists, "returned list, no array"),
        (Flat, "one by one"),
        (Nan, "NaN or infinity"),
        (ShapelessWhenEmpty, r"embed_documents\(\[\]\) returned float32, shape \(0,\)"),
        (WideQueries, r"embed_query returned shape \(64,\), expected \(32,\)"),
        (TakesStrings, "'a bare string'.* was accepted"),
        (TakesBlanks, "a blank text: was accepted"),
        (ForgetsTheIndex, "InputError.index is None, expected 1"),
        (RaisesTypeError, "raised TypeError, expected InputError"),
        (Centred, "one by one instead of together: differs by"),
        (OtherSpace, "is nearest to the document"),
        (OtherAsync, "aembed_documents against embed_documents"),
        (Unpicklable, "does not pickle.*Keep only settings"),
        (Racy, "from many threads"),
    ],
)
def test_a_broken_embedder_is_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_embedder(broken())


# --- rerankers ---------------------------------------------------------------------------------------------------


def test_the_default_reranker():
    check_reranker(Reranker())


def test_a_cross_encoder(tmp_path):
    folder = save_checkpoint(tmp_path, head="ForSequenceClassification", num_labels=1, max_position_embeddings=512)
    (folder / "tokenizer_config.json").unlink()
    check_reranker(Reranker(folder))


class Unsorted(Reranker):
    def rerank(self, query, documents, **settings):
        ranking = super().rerank(query, documents, **settings)
        return Ranking(ranking[::-1])


class Drops(Reranker):
    def rerank(self, query, documents, **settings):
        return Ranking(super().rerank(query, documents, **settings)[:2])


class Rewrites(Reranker):
    def rerank(self, query, documents, **settings):
        ranking = super().rerank(query, documents, **settings)
        return Ranking(tuple(ScoredDocument(Document(h.document.text), h.score, h.index) for h in ranking))


class IgnoresTopN(Reranker):
    def rerank(self, query, documents, *, top_n=None, **settings):
        super().rerank(query, documents, top_n=top_n, **settings)
        return super().rerank(query, documents, **settings)


class Relative(Reranker):
    """A score depends on the best of the batch."""

    def rerank(self, query, documents, **settings):
        ranking = super().rerank(query, documents, **settings)
        return Ranking(tuple(ScoredDocument(h.document, h.score / ranking[0].score, h.index) for h in ranking))


class OtherAsyncOrder(Reranker):
    async def arerank(self, query, documents, **settings):
        return Ranking((await super().arerank(query, documents, **settings))[1:])


class AnyLimit(Reranker):
    def rerank(self, query, documents, *, top_n=None, **settings):
        return super().rerank(query, documents, top_n=top_n or None, **settings)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (object, "lacks rerank"),
        (Unsorted, "not best first"),
        (Drops, "Indices are"),
        (Rewrites, "The document came back as"),
        (IgnoresTopN, "top_n=1 against the head"),
        (Relative, "score of a document alone"),
        (OtherAsyncOrder, "arerank against rerank: order"),
        (AnyLimit, "top_n=0: was accepted"),
    ],
)
def test_a_broken_reranker_is_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_reranker(broken())


# --- entailment scorers ------------------------------------------------------------------------------------------


def test_the_fake_entailment_scorer():
    check_entailment_scorer(FakeEntailmentScorer())


def test_an_entailment_model(tmp_path):
    check_entailment_scorer(EntailmentScorer(save_pair_model(tmp_path, ENTAILMENT)))


class Logits(FakeEntailmentScorer):
    def score(self, pairs, **settings):
        results = super().score(pairs, **settings)
        return Entailments(tuple(Entailment(r.entailment - 1, r.neutral, r.contradiction + 1) for r in results))


class Independent(FakeEntailmentScorer):
    """A sigmoid each, say."""

    def score(self, pairs, **settings):
        results = super().score(pairs, **settings)
        return Entailments(tuple(Entailment(r.entailment, r.neutral / 2, r.contradiction) for r in results))


class DropsEqualPairs(FakeEntailmentScorer):
    def score(self, pairs, **settings):
        return super().score(pairs if isinstance(pairs, str) else list(dict.fromkeys(pairs)), **settings)


class FirstForAll(FakeEntailmentScorer):
    def score(self, pairs, **settings):
        results = super().score(pairs, **settings)
        return Entailments(results[:1] * len(results))


class TakesTwoLetters(FakeEntailmentScorer):
    def score(self, pairs, **settings):
        return super().score([tuple(pair) if len(pair) == 2 else pair for pair in pairs], **settings)


class NoLongPremise(FakeEntailmentScorer):
    def score(self, pairs, **settings):
        results = super().score(pairs, **settings)
        if any(len(premise) > 9999 for premise, _ in pairs):
            raise InputError("too long", 1)
        return results


class OtherEntailmentAsync(FakeEntailmentScorer):
    async def ascore(self, pairs, **settings):
        return Entailments(self.score(pairs, **settings)[::-1])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (object, "lacks score"),
        (Logits, "No probabilities"),
        (Independent, "sum to .*, expected 1"),
        (DropsEqualPairs, "A pair twice gave .Entailment"),
        (FirstForAll, "the result of a pair alone"),
        (TakesTwoLetters, "a bare string as a pair: was accepted"),
        (NoLongPremise, "a long premise with truncate=True: was refused"),
        (OtherEntailmentAsync, "ascore against score"),
    ],
)
def test_a_broken_entailment_scorer_is_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_entailment_scorer(broken())


# --- retrievers --------------------------------------------------------------------------------------------------


def test_our_retriever():
    check_retriever(lambda: Retriever(FakeEmbedder()))
    check_retriever(lambda: Retriever(Embedder()))


class Keeps(Retriever):
    def delete(self, ids=None, **settings):
        return super().delete(["no-such-id", *ids[:0]]) + 1


class Unfiltered(Retriever):
    def retrieve(self, query, *, top_k=10, filter=None):
        return super().retrieve(query, top_k=top_k)


class Unlimited(Retriever):
    def retrieve(self, query, *, top_k=10, filter=None):
        return super().retrieve(query, filter=filter)


class NewIds(Retriever):
    def add(self, documents, **settings):
        return [f"{name}-x" for name in super().add(documents, **settings)]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Keeps, "A deleted document is still found"),
        (Unfiltered, "filter="),
        (Unlimited, "top_k=1 gave"),
        (NewIds, "add returned"),
    ],
)
def test_a_broken_retriever_is_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_retriever(lambda: broken(FakeEmbedder()))


def test_a_retriever_that_is_not_empty_is_caught():
    shared = Retriever(FakeEmbedder())
    with pytest.raises(AssertionError, match="not empty"):
        check_retriever(lambda: shared)
