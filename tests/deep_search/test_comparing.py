import asyncio
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components import Document, Embedder, Reranker
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ConfigError, MissingDependencyError
from jina_components.testing import FakeEmbedder
from jina_components.types import Embeddings, Ranking, ScoredDocument, Usage

MOON = Document("It is the largest moon of Saturn.", metadata={"title": "Titan"})
BREAD = Document("Flour, water and salt.", metadata={"title": "Bread", "heading": "Baking"})


def made(*, embedder=None, reranker=None, journal=None):
    meter = Meter(DeepSearchOptions())
    journal = journal or Journal({})
    return Comparer(embedder=embedder, reranker=reranker, journal=journal, meter=meter), journal, meter


@pytest.fixture(scope="module")
def reranker():
    return Reranker()


async def test_relevance_by_a_reranker_in_the_order_of_the_documents(reranker):
    comparer, journal, meter = made(reranker=reranker)
    scores = await comparer.relevance("Which moon is Titan?", [BREAD, MOON, BREAD])
    assert scores[1] > scores[0] == scores[2]
    [call] = journal.calls
    assert (call.kind, call.request["documents"]) == ("rerank", [BREAD.id, MOON.id, BREAD.id])
    assert meter.usage.prompt_tokens > 0


async def test_the_title_counts(reranker):
    for part in (reranker, None):
        comparer, _, _ = made(reranker=part)
        [titled, bare] = await comparer.relevance("Which moon is Titan?", [MOON, Document(MOON.text)])
        assert titled > bare


async def test_relevance_by_words_is_a_share(bundled_embedder):
    comparer, journal, meter = made()
    documents = [BREAD, MOON, Document("Which moon is Titan? " * 3), Document("moon")]
    scores = await comparer.relevance("Which moon is Titan?", documents)
    assert scores[0] == 0 < scores[3] < scores[1] < scores[2] == 1
    assert (journal.calls, meter.usage) == ((), Usage())


async def test_nothing_is_asked_about_nothing(bundled_embedder, reranker):
    comparer, journal, _ = made(embedder=bundled_embedder, reranker=reranker)
    assert await comparer.relevance("query", []) == []
    assert await comparer.relevance(" ", [MOON]) == [0]
    assert await comparer.similarity([], ["a"]) == []
    assert await comparer.similarity(["a", " "], []) == [[], []]
    assert await comparer.similarity([" "], ["a", "b"]) == [[0, 0]]
    assert await comparer.passages("query", []) == []
    assert await comparer.novel([], ["a"], limit=3) == []
    assert await comparer.novel([" ", "A  b"], ["a b"], limit=3) == []
    assert journal.calls == ()


async def test_blank_texts_are_like_nothing(bundled_embedder, reranker):
    comparer, _, _ = made(embedder=bundled_embedder, reranker=reranker)
    table = await comparer.similarity(["", "calm sea"], ["calm sea", "\n", "calm sea"])
    assert table == [[0, 0, 0], [pytest.approx(1, abs=1e-5), 0, pytest.approx(1, abs=1e-5)]]
    scores = await comparer.relevance("Which moon is Titan?", [Document(" "), MOON])
    assert scores[0] == 0 < scores[1]


async def test_similarity_by_an_embedder_and_by_words(bundled_embedder):
    for embedder in (bundled_embedder, FakeEmbedder(), None):
        comparer, _, _ = made(embedder=embedder)
        [[same, other], [_, third]] = await comparer.similarity(["the calm sea", "x"], ["The calm sea", "stocks fell"])
        assert same == pytest.approx(1, abs=1e-3)
        assert max(other, third) < 0.6


async def test_an_embedder_is_paid_and_texts_are_embedded_once(bundled_embedder):
    comparer, journal, meter = made(embedder=bundled_embedder)
    first = await comparer.similarity(["the calm sea"], ["stocks fell"])
    used = meter.usage
    assert used.prompt_tokens > 0
    again = await comparer.similarity(["stocks fell"], ["the calm sea"])
    assert (again, meter.usage) == (first, used)
    assert len(journal.calls) == 2


async def test_what_says_the_same_is_left_out(bundled_embedder):
    comparer, _, _ = made(embedder=bundled_embedder)
    texts = [
        "When did Huygens land on Titan?", "when did huygens land on  titan?", "When did the Huygens land on Titan",
        "How is bread baked?", "Who wrote Faust?",
    ]  # fmt: skip
    assert await comparer.novel(texts, [], limit=9) == [texts[0], texts[3], texts[4]]
    assert await comparer.novel(texts, ["Who wrote Faust"], limit=1) == [texts[0]]
    assert await comparer.novel(texts, ["When did Huygens land on Titan"], limit=9) == texts[3:]


async def test_without_an_embedder_words_tell():
    comparer, journal, _ = made()
    texts = ["When did Huygens land on Titan?", "When did Huygens land on Titan, when?", "When did Huygens start?"]
    assert await comparer.novel(texts, [], limit=9) == [texts[0], texts[2]]
    assert journal.calls == ()


class Counting:
    """Knows late chunking, or not."""

    def __init__(self, *, able=True):
        self.able = able
        self.asked = []

    def embed(self, inputs, *, task=None, truncate=None, late_chunking=False):
        self.asked.append((list(inputs), task, truncate, late_chunking))
        if late_chunking and not self.able:
            raise ConfigError("cannot do late chunking")
        return Embeddings(FakeEmbedder().embed_documents(inputs), Usage(len(inputs)))

    def embed_query(self, text):
        raise AssertionError

    def embed_documents(self, texts):
        raise AssertionError


async def test_chunks_run_together_where_the_embedder_can():
    embedder = Counting()
    comparer, journal, meter = made(embedder=embedder)
    scores = await comparer.passages("calm sea", ["the calm sea ", "stocks fell"])
    assert scores[0] > scores[1]
    assert embedder.asked == [
        (["calm sea"], "retrieval.query", True, False),
        (["the calm sea ", "stocks fell"], "retrieval.passage", True, True),
    ]
    assert (meter.usage, journal.calls[0].response["how"]) == (Usage(3), "late chunking")


async def test_chunks_stand_alone_where_it_cannot():
    embedder = Counting(able=False)
    comparer, journal, _ = made(embedder=embedder)
    for _ in range(2):
        await comparer.passages("calm sea", ["the calm sea ", "stocks fell"])
    assert [late for *_, late in embedder.asked] == [False, True, False, False, False]
    assert journal.calls[0].response["how"] == "each chunk alone"


async def test_chunks_by_other_embedders_and_by_words(bundled_embedder):
    for embedder in (bundled_embedder, FakeEmbedder(), None):
        comparer, _, _ = made(embedder=embedder)
        scores = await comparer.passages("calm sea", ["stocks fell", "the calm sea", "x"])
        assert max(scores) == scores[1]


async def test_a_long_query_leaves_room(reranker):
    class Short:
        def rerank(self, query, documents, *, top_n=None, truncate=False):
            assert len(query.encode()) <= 1200
            return reranker.rerank(query, documents, truncate=truncate)

    comparer, _, _ = made(reranker=Short())
    assert len(await comparer.relevance("月" * 50_000, [MOON, BREAD])) == 2


async def test_documents_that_cannot_be_ranked_come_last():
    class Picky:
        def rerank(self, query, documents, *, top_n=None, truncate=False):
            return Ranking((ScoredDocument(Document("x"), -3.0, 1), ScoredDocument(Document("x"), -1.0, 2)))

    comparer, _, _ = made(reranker=Picky())
    assert await comparer.relevance("query", [MOON, BREAD, MOON]) == [-3, -3, -1]


@pytest.mark.parametrize("vectors", [np.zeros(3), np.zeros((3, 2)), np.full((2, 2), np.nan)])
async def test_what_is_no_vector_is_told_and_words_take_its_place(vectors):
    class Wrong:
        def embed_query(self, text):
            return np.zeros(2)

        def embed_documents(self, texts):
            return vectors

    comparer, _, _ = made(embedder=Wrong())
    assert await comparer.similarity(["a moon"], ["a moon", "bread"]) == [[1.0, 0.0]]
    assert [told[:20] for told in comparer.warnings] == ["The embedder failed,"]


async def test_scores_that_are_no_numbers_are_told_and_words_take_their_place():
    class Odd:
        def rerank(self, query, documents, *, top_n=None, truncate=False):
            return Ranking(
                tuple(ScoredDocument(Document(text), float("nan"), index=n) for n, text in enumerate(documents))
            )

    comparer, _, _ = made(reranker=Odd())
    assert await comparer.relevance("moon", [MOON, BREAD]) == await made()[0].relevance("moon", [MOON, BREAD])
    assert "scores that are not finite" in next(iter(comparer.warnings))


async def test_a_model_that_breaks_is_told_and_asked_no_more():
    class Broken:
        asked = 0

        def rerank(self, query, documents, *, top_n=None, truncate=False):
            self.asked += 1
            raise ZeroDivisionError("by nought")

    broken = Broken()
    comparer, journal, _ = made(reranker=broken)
    by_words = await made()[0].relevance("moon", [MOON, BREAD])
    assert await comparer.relevance("moon", [MOON, BREAD]) == by_words
    assert await comparer.relevance("moon", [MOON, BREAD]) == by_words
    assert broken.asked == 1
    assert "ZeroDivisionError: by nought" in next(iter(comparer.warnings))
    again, _, _ = made(reranker=broken, journal=Journal({}, calls=journal.calls, strict=True))
    assert await again.relevance("moon", [MOON, BREAD]) == by_words
    assert (broken.asked, again.warnings) == (1, comparer.warnings)


@pytest.mark.parametrize("error", [ConfigError("no"), MissingDependencyError("no")])
async def test_what_the_caller_can_mend_is_raised(error):
    class Unfit:
        def rerank(self, query, documents, *, top_n=None, truncate=False):
            raise error

    with pytest.raises(type(error)):
        await made(reranker=Unfit())[0].relevance("moon", [MOON])


async def test_a_replay_asks_no_model_and_gives_the_same(bundled_embedder, reranker):
    async def ask(comparer):
        return await asyncio.gather(
            comparer.relevance("Which moon is Titan?", [MOON, BREAD]),
            comparer.similarity(["the calm sea", "waves"], ["stocks fell", "the ocean"]),
            comparer.passages("calm sea", ["stocks fell", "the calm sea"]),
            comparer.novel(["one thing", "another"], ["a third"], limit=2),
        )

    comparer, journal, meter = made(embedder=bundled_embedder, reranker=reranker)
    first = await ask(comparer)
    json.dumps([call.response for call in journal.calls])

    class Nobody:
        def embed_query(self, text): ...
        def embed_documents(self, texts): ...
        def rerank(self, query, documents, *, top_n=None, truncate=False): ...

    replayed = Journal({}, calls=journal.calls, strict=True)
    again, _, paid = made(embedder=Nobody(), reranker=Nobody(), journal=replayed)
    assert await ask(again) == first
    assert paid.usage == meter.usage


TEXT = st.text("ab \n", max_size=6)


@given(st.lists(TEXT, max_size=5), st.lists(TEXT, max_size=5), st.integers(0, 4))
def test_whatever_the_texts(texts, known, limit):
    comparer, _, _ = made(embedder=FakeEmbedder())
    table = asyncio.run(comparer.similarity(texts, known))
    assert [len(row) for row in table] == [len(known)] * len(texts)
    fresh = asyncio.run(comparer.novel(texts, known, limit=limit))
    assert len(fresh) <= limit
    assert len({" ".join(text.split()) for text in fresh} - {" ".join(text.split()) for text in known}) == len(fresh)
    scores = asyncio.run(comparer.relevance("a b", [Document(text) for text in texts]))
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.slow
async def test_a_real_model_reads_chunks_together(minilm_folder):
    embedder = Embedder(minilm_folder, backend="torch", precision="float32")
    comparer, journal, _ = made(embedder=embedder)
    chunks = ["Berlin is the capital of Germany. ", "The city has 3.8 million inhabitants. ", "Bread is baked."]
    scores = await comparer.passages("How many people live in Berlin?", chunks)
    assert journal.calls[0].response["how"] == "late chunking"
    assert min(scores[:2]) > scores[2]
    embedder.close()
