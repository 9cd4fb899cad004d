"""What comes after the search: thresholds, reranking, diversity, parents, late chunking."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import Document, Embedder, Reranker, Retriever, Segmenter
from jina_components.core.vectors import normalize
from jina_components.errors import BackendError, ConfigError, InputError
from jina_components.retriever import Parents
from jina_components.testing import FakeEmbedder
from jina_components.types import Chunk, DocumentFailure, Embeddings, Ranking, ScoredDocument, Segmentation, Usage

TEXT = (
    "# Rain\n\nRain is water that falls from clouds.\n\n   \n\n## Kinds\n\nDrizzle is a light kind of rain. "
    "Hail is hard.\n\n## Measuring\n\nA gauge measures how many millimetres fell in a day."
)


def ids(ranking):
    return [hit.document.id for hit in ranking]


def stages(hit):
    return [why.stage for why in hit.why]


# --- reranking -----------------------------------------------------------------------------------------------------


class ByLength:
    """Ranks the shortest first, and refuses documents about snow."""

    def __init__(self):
        self.seen = 0

    def rerank(self, query, documents, *, top_n=None, truncate=False):
        self.seen = len(documents)
        order = sorted(range(len(documents)), key=lambda index: len(documents[index].text))
        kept = [index for index in order if "snow" not in documents[index].text]
        hits = [ScoredDocument(documents[index], 1 / len(documents[index].text), index) for index in kept[:top_n]]
        failures = [DocumentFailure(index, InputError("too cold", index)) for index in order if index not in kept]
        return Ranking(tuple(hits), Usage(7), tuple(failures))


def numbered(count):
    return [Document("common " + "x" * (count - n), f"{n}") for n in range(count)]


def test_the_reranker_has_the_last_word_on_the_best_candidates():
    reranker = ByLength()
    retriever = Retriever(FakeEmbedder(), reranker=reranker, rerank_top=20)
    retriever.add(numbered(40))
    ranking = retriever.retrieve("common", mode="lexical", top_k=5)
    assert reranker.seen == 20
    scores = [hit.score for hit in ranking]
    assert scores == sorted(scores, reverse=True)
    assert [why.score for hit in ranking for why in hit.why if why.stage == "rerank"] == scores
    assert stages(ranking[0]) == ["lexical", "rerank"]
    assert ranking.usage == Usage(7)
    retriever.retrieve("common", top_k=30)
    assert reranker.seen == 30
    plain = retriever.retrieve("common", rerank=False)
    assert stages(plain[0]) == ["dense", "lexical", "fusion"]
    assert plain.usage == Usage()


def test_what_cannot_be_reranked_is_named():
    retriever = Retriever(FakeEmbedder(), reranker=ByLength())
    retriever.add([Document("rain and snow", "cold"), Document("rain", "wet")])
    ranking = retriever.retrieve("rain and snow")
    assert ids(ranking) == ["wet"]
    [failure] = ranking.failures
    assert failure.index == 0
    assert isinstance(failure.error, InputError)
    assert str(failure.error) == "Document 'cold' is not ranked: too cold"


@pytest.mark.parametrize("index", [None, -1, 1])
def test_a_reranker_that_does_not_say_what_it_ranked(index):
    class Forgets(ByLength):
        def rerank(self, query, documents, **settings):
            return Ranking(tuple(ScoredDocument(document, 1.0, index) for document in documents))

    retriever = Retriever(FakeEmbedder(), reranker=Forgets())
    retriever.add(["rain"])
    with pytest.raises(BackendError, match="index"):
        retriever.retrieve("rain")


def test_our_reranker(bundled_embedder):
    with Retriever(bundled_embedder, reranker=Reranker()) as retriever:
        retriever.add(["The capital of France is Paris.", "France is a country.", "Rain is due."])
        ranking = retriever.retrieve("What is the capital of France?", min_score=0.5)
        assert ranking[0].document.text == "The capital of France is Paris."
        assert all(hit.score >= 0.5 for hit in ranking)
        assert ranking.usage.prompt_tokens > 0


# --- thresholds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@given(place=st.integers(0, 9))
def test_a_threshold_cuts_the_ranking(mode, place):
    retriever = Retriever(FakeEmbedder())
    retriever.add([f"common {'word ' * n}" for n in range(1, 10)])
    whole = retriever.retrieve("common word", mode=mode)
    least = whole[min(place, len(whole) - 1)].score
    cut = retriever.retrieve("common word", mode=mode, min_score=least)
    assert ids(cut) == ids(hit for hit in whole if hit.score >= least)
    retriever.close()


# --- diversity -----------------------------------------------------------------------------------------------------


def test_diversity_puts_what_is_alike_apart():
    retriever = Retriever(FakeEmbedder())
    retriever.add(["rain in spring today", "rain in spring today now", "rain at sea"])
    plain = retriever.retrieve("rain in spring", top_k=2)
    diverse = retriever.retrieve("rain in spring", top_k=2, diversity=0.6)
    assert diverse[0].document == plain[0].document
    assert [hit.document.text for hit in plain][1].startswith("rain in spring")
    assert diverse[1].document.text == "rain at sea"
    assert stages(diverse[0]) == ["dense", "lexical", "fusion", "diversity"]
    scores = [hit.score for hit in retriever.retrieve("rain in spring", diversity=0.6)]
    assert scores == sorted(scores, reverse=True)


# --- parents -------------------------------------------------------------------------------------------------------


def chunks_of(text, source, length=40):
    found = Segmenter(max_chunk_length=length).segment(text).chunks
    return [
        Document(
            chunk.text,
            f"{source}@{chunk.start}",
            {"source": source, "kind": "page", "start": chunk.start, "end": chunk.end},
        )
        for chunk in found
        if chunk.text.strip()
    ]


@pytest.fixture
def pages():
    retriever = Retriever(FakeEmbedder())
    retriever.add([*chunks_of(TEXT, "rain.md"), *chunks_of("Bread rises.\n\nYeast makes gas.", "bread.md", 15)])
    retriever.add([Document("A note on rain without a source.", "note")])
    return retriever


def test_chunks_become_their_parents(pages):
    query = "how many millimetres of rain fell in a day"
    plain, ranking = pages.retrieve(query), pages.retrieve(query, parents=Parents())
    assert ids(ranking)[0] == "rain.md"
    assert sorted(ids(ranking)) == ["bread.md", "note", "rain.md"]
    whole = ranking[0].document
    assert whole.text.split() == TEXT.split()
    assert whole.text.index("A gauge") == TEXT.index("A gauge")
    assert (whole.metadata["source"], whole.metadata["kind"]) == ("rain.md", "page")
    assert (whole.metadata["start"], whole.metadata["end"]) == (0, len(whole.text))
    matched = whole.metadata["chunks"]
    assert matched[0]["id"] == plain[0].document.id
    assert matched[0]["score"] == ranking[0].score == plain[0].score
    assert TEXT[matched[0]["start"] : matched[0]["end"]] == plain[0].document.text
    assert len({each["id"] for each in matched}) == len(matched) > 1
    assert next(hit for hit in ranking if hit.document.id == "note").document.text.startswith("A note")
    assert len(pages.retrieve(query, parents=Parents(), top_k=1)) == 1


@settings(max_examples=25)
@given(st.integers(1, 200))
def test_a_window_around_the_best_chunk(length):
    with Retriever(FakeEmbedder()) as retriever:
        retriever.add(chunks_of(TEXT, "rain.md"))
        best = retriever.retrieve("drizzle is a light kind", top_k=1)[0].document
        [hit] = retriever.retrieve("drizzle is a light kind", parents=Parents(max_length=length))
    text, start, end = hit.document.text, hit.document.metadata["start"], hit.document.metadata["end"]
    assert best.text in text
    assert len(text) <= max(length, len(best.text))
    assert end - start == len(text)
    assert text.split() == TEXT[start:end].split()


def test_parents_by_another_field_and_what_has_none():
    retriever = Retriever(FakeEmbedder())
    at = {"start": 0}
    retriever.add(
        [
            Document("rain one", "1", {"book": {"id": 7}, **at}),
            Document("rain two", "2", {"book": {"id": 7}, "start": 9}),
            Document("rain three", "3", {"book": {"id": True}, **at}),
            Document("rain four", "4", {"book": {"id": [7, 8]}, **at}),
            Document("rain five", "5", {"book": {"id": 7}}),
        ]
    )
    found = retriever.retrieve("rain", parents=Parents("book.id"))
    assert sorted(ids(found)) == ["3", "4", "5", "7"]
    assert next(hit for hit in found if hit.document.id == "7").document.text == "rain one\nrain two"
    for arguments in ({"field": "a..b"}, {"max_length": 0}):
        with pytest.raises(InputError):
            Parents(**arguments)


def test_diverse_parents(pages):
    ranking = pages.retrieve("rain", parents=Parents(), diversity=0.5)
    assert stages(ranking[0])[-1] == "diversity"
    assert sorted(ids(ranking)) == ["bread.md", "note", "rain.md"]


# --- late chunking -------------------------------------------------------------------------------------------------


class Late(FakeEmbedder):
    def embed(self, inputs, *, task=None, late_chunking=False):
        assert late_chunking
        assert task == "retrieval.passage"
        whole = self.embed_documents(["".join(inputs)])
        return Embeddings(normalize(self.embed_documents(inputs) + 0.1 * whole), Usage(3))


def test_a_long_candidate_becomes_its_best_passage():
    retriever = Retriever(Late(), segmenter=Segmenter(max_chunk_length=60))
    retriever.add([Document(TEXT, "rain"), Document("Hail, short.", "hail")])
    query = "A gauge measures how many millimetres fell"
    plain, ranking = retriever.retrieve(query), retriever.retrieve(query, late_chunking=True)
    assert ids(ranking) == ids(plain)
    passage = ranking[0].document
    assert "gauge" in passage.text
    assert len(passage.text) <= 60
    assert TEXT[passage.metadata["start"] : passage.metadata["end"]] == passage.text
    assert stages(ranking[0]) == ["dense", "lexical", "fusion", "late_chunking"]
    assert ranking[1].document.text == "Hail, short."
    assert "late_chunking" not in stages(ranking[1])
    assert ranking.usage == Usage(3)
    assert [why.score for why in ranking[0].why if why.stage == "fusion"] == [ranking[0].score]


def test_passages_of_chunks_say_where_they_stand_in_the_source():
    retriever = Retriever(Late(), segmenter=Segmenter(max_chunk_length=60), reranker=ByLength())
    retriever.add([Document(TEXT[10:], "rest", {"source": "rain.md", "start": 10, "end": len(TEXT)})])
    hit = retriever.retrieve("gauge", late_chunking=True)[0]
    assert TEXT[hit.document.metadata["start"] : hit.document.metadata["end"]] == hit.document.text
    assert stages(hit)[-2:] == ["late_chunking", "rerank"]
    assert hit.score == pytest.approx(1 / len(hit.document.text))  # the reranker read the passage
    window = retriever.retrieve("gauge", late_chunking=True, parents=Parents(max_length=70))[0].document
    assert hit.document.text in window.text


def test_blank_chunks_are_not_embedded():
    class Lines:
        def segment(self, text):
            pieces = text.splitlines(keepends=True)
            starts = np.cumsum([0, *map(len, pieces)]).tolist()
            return Segmentation(
                tuple(Chunk(p, s, s + len(p), 1) for p, s in zip(pieces, starts, strict=False)), 1, "x", text
            )

    retriever = Retriever(Late(), segmenter=Lines())
    retriever.add([Document("one two\n\n\nthree four\n", "a")])
    assert retriever.retrieve("three", late_chunking=True)[0].document.text == "three four\n"


def test_an_embedder_that_cannot_is_named(bundled_embedder):
    for embedder in (FakeEmbedder(), bundled_embedder):
        with Retriever(embedder, segmenter=Segmenter(max_chunk_length=60)) as retriever:
            retriever.add([TEXT])
            with pytest.raises(ConfigError):
                retriever.retrieve("gauge", late_chunking=True)


@pytest.mark.slow
def test_late_chunking_with_real_weights(minilm_folder):
    with (
        Embedder(minilm_folder, backend="torch", truncate=True) as embedder,
        Retriever(embedder, segmenter=Segmenter(max_chunk_length=60)) as retriever,
    ):
        retriever.add([Document(TEXT, "rain"), "Bread rises because yeast makes carbon dioxide."])
        ranking = retriever.retrieve("How is the amount of rain measured?", late_chunking=True)
        assert "millimetres" in ranking[0].document.text
