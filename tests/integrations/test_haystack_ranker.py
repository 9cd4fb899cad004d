"""The ranker and the retriever in Haystack."""

from __future__ import annotations

import asyncio
import json

import pytest
from haystack import Document
from haystack.document_stores.types import FilterPolicy
from haystack.utils import Secret
from haystack_integrations.components.rankers import jina as predecessor
from haystack_jina_components import JinaDocumentWriter, JinaRanker, JinaRetriever

from jina_components import FaissStore, Reranker, Retriever
from jina_components.errors import ConfigError, InputError
from jina_components.protocols import SupportsRerank
from jina_components.testing import FakeEmbedder
from jina_components.types import Document as OurDocument

MODEL = "small-reranker-v1"
TEXTS = ("Paris is in France.", "Berlin is in Germany.", "Bread is baked.")


def documents(*texts):
    return [Document(id=str(number), content=text, meta={"n": number}) for number, text in enumerate(texts)]


def contents(found):
    return [each.content for each in found["documents"]]


def test_documents_are_ranked_as_by_jina_haystack(service, monkeypatch):
    monkeypatch.setenv("JINA_API_KEY", "jina_secret_1")
    settings = {"model": MODEL, "top_k": 2, "base_url": f"{service.url}/v1/rerank"}
    given = documents(*TEXTS)
    theirs = predecessor.JinaRanker(**settings).run("City in Germany", given)
    ours = JinaRanker(**settings)
    found = ours.run("City in Germany", given)
    assert contents(found) == contents(theirs)
    assert [each.score for each in found["documents"]] == pytest.approx([each.score for each in theirs["documents"]])
    assert found["meta"]["model"] == theirs["meta"]["model"]
    assert found["meta"]["usage"]["total_tokens"] == theirs["meta"]["usage"]["total_tokens"]
    assert asyncio.run(ours.run_async("City in Germany", given)) == found
    limit = theirs["documents"][1].score + 1e-4
    for ranker in (predecessor.JinaRanker(**settings), ours):
        assert contents(ranker.run("City in Germany", given, score_threshold=limit)) == [TEXTS[1]]
        assert contents(ranker.run("City in Germany", given, top_k=1)) == [TEXTS[1]]
    ours.close()


def test_without_key_and_address_the_bundled_model_ranks_here():
    ranker = JinaRanker(score_threshold=0.3)
    ranker.warm_up()
    found = ranker.run("City in Germany", documents(*TEXTS))
    wanted = Reranker().rerank("City in Germany", list(TEXTS))
    assert contents(found) == [hit.document.text for hit in wanted if hit.score >= 0.3]
    assert found["documents"][0].score == pytest.approx(wanted[0].score)
    assert found["documents"][0].meta == {"n": 1}
    assert found["meta"]["model"] == MODEL
    assert ranker._get_telemetry_data() == {"model": MODEL}
    assert ranker.run("q", [])["documents"] == []


def test_documents_that_cannot_be_ranked_are_told():
    found = JinaRanker().run("City in Germany", [*documents(*TEXTS[:2]), Document(id="blank", content=None)])
    assert len(found["documents"]) == 2
    assert list(found["meta"]["failures"]) == ["blank"]


def test_what_makes_no_sense_is_refused():
    for top_k in (0, -1):
        with pytest.raises(ValueError, match="top_k"):
            JinaRanker(top_k=top_k)
        with pytest.raises(ValueError, match="top_k"):
            JinaRanker().run("q", documents("a"), top_k=top_k)
    with pytest.raises(TypeError, match="JinaRanker"):
        JinaRanker().run("q", ["a"])
    with pytest.raises(InputError, match="query"):
        JinaRanker().run(" ", documents("a"))
    with pytest.raises(ConfigError, match="reranker or base_url"):
        JinaRanker(reranker=Reranker(), base_url="http://x")
    with pytest.raises(ConfigError, match="rerank"):
        JinaRanker(reranker=Reranker)


class _Plain:
    """Ranks by length, and has no async twin."""

    def rerank(self, query, documents, *, top_n=None, truncate=False):
        return Reranker().rerank(query, documents, top_n=top_n)


async def test_any_reranker_will_do():
    assert isinstance(_Plain(), SupportsRerank)
    ranker = JinaRanker(reranker=_Plain(), top_k=1)
    found = await ranker.run_async("City in Germany", documents(*TEXTS))
    assert contents(found) == [TEXTS[1]]
    assert found["meta"]["model"] == "_Plain"


def test_settings_are_written_down():
    made = JinaRanker(reranker=Reranker(MODEL, max_document_length=50), top_k=2)
    again = JinaRanker.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.to_dict() == made.to_dict()
    assert contents(again.run("City in Germany", documents(*TEXTS))) == contents(
        made.run("City in Germany", documents(*TEXTS))
    )
    with pytest.raises(ValueError, match="token"):
        JinaRanker(api_key=Secret.from_token("jina_secret_1")).to_dict()


@pytest.fixture
def retriever(tmp_path):
    made = Retriever(FakeEmbedder(), store=FaissStore(tmp_path / "index"))
    yield made
    made.close()


def test_a_writer_fills_a_retriever_that_finds(retriever):
    writer, finder = JinaDocumentWriter(retriever, progress_bar=False), JinaRetriever(retriever, top_k=1)
    given = [Document(id="a", content=TEXTS[0], meta={"lang": "fr"}), Document(id="b", content=TEXTS[1])]
    assert writer.run(given) == {"documents_written": 2}
    assert asyncio.run(writer.run_async([Document(id="b", content="Berlin lies in Germany.")])) == {
        "documents_written": 1
    }
    assert writer.run([]) == {"documents_written": 0}
    found = finder.run("Berlin")
    assert [(each.id, each.content, each.meta) for each in found["documents"]] == [("b", "Berlin lies in Germany.", {})]
    assert found["documents"][0].score > 0
    assert asyncio.run(finder.run_async("Berlin")) == found
    assert len(finder.run("is in", top_k=2)["documents"]) == 2


def test_filters_options_and_documents_of_others(retriever):
    retriever.add([OurDocument("the sea", metadata={"source": "a.md", "year": 2020}), OurDocument("the sea")])
    finder = JinaRetriever(
        retriever,
        filters={"field": "meta.year", "operator": ">=", "value": 2000},
        options={"mode": "lexical"},
        filter_policy="merge",
    )
    found = finder.run("sea")["documents"]
    assert [each.meta for each in found] == [{"source": "a.md", "year": 2020}]
    missing = {"field": "meta.source", "operator": "==", "value": "b.md"}
    assert finder.run("sea", filters=missing)["documents"] == []
    assert JinaRetriever(retriever).run("sea", filters=missing)["documents"] == []
    assert finder.filter_policy is FilterPolicy.MERGE


@pytest.mark.parametrize("kind", [JinaRetriever, JinaDocumentWriter])
def test_a_retriever_in_memory_is_not_written_down(kind):
    with Retriever(FakeEmbedder()) as retriever, pytest.raises(InputError, match="in memory"):
        kind(retriever).to_dict()


def test_wrong_input_of_retriever_and_writer(retriever):
    with pytest.raises(InputError, match="no documents"):
        JinaRetriever(retriever).run("q")
    with pytest.raises(InputError, match=r"documents\[1\]") as refused:
        JinaDocumentWriter(retriever, progress_bar=False).run([Document(content="a"), Document(content=None)])
    assert refused.value.index == 1
    with pytest.raises(TypeError, match="JinaDocumentWriter"):
        JinaDocumentWriter(retriever).run(["a"])
    with pytest.raises(InputError, match="top_k"):
        JinaRetriever(retriever, top_k=0)
    with pytest.raises(ConfigError, match="retrieve"):
        JinaRetriever(Reranker())
    with pytest.raises(ConfigError, match="Retriever"):
        JinaDocumentWriter(JinaRetriever(retriever))
