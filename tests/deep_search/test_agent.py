import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import DeepSearchAgent, Document, Reranker, Retriever, Segmenter
from jina_components.core.quotable import quotable_spans
from jina_components.deep_search.citing.citations import cite
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ConfigError, InputError
from jina_components.testing import FakeEmbedder, FakeSearchProvider
from jina_components.types import Page, SearchResult, SearchResults
from jina_components.web_search import WebSearch

FACTS = Page(
    "facts.md",
    "Facts",
    "# Tides\n\nThe Bay of Fundy has the highest tides in the world. They reach 16 metres.\n\n"
    "# Moons\n\nHuygens landed on Titan in 2005. Titan is the largest moon of Saturn.\n",
)


@pytest.fixture(scope="module")
def retriever(bundled_embedder):
    retriever = Retriever(bundled_embedder)
    retriever.add(Segmenter(max_chunk_length=120).segment_page(FACTS))
    retriever.add([Document("Bread is baked from flour, water and salt.", "bread")])
    return retriever


@pytest.fixture(scope="module")
def agent(retriever):
    return DeepSearchAgent(retriever, reranker=Reranker())


def test_the_answering_sentence_is_quoted_with_its_place(agent):
    answer = agent.run("When did Huygens land on Titan?")
    assert answer.answered
    first = answer.citations[0]
    assert first.quote == "Huygens landed on Titan in 2005."
    assert (first.source, first.title) == ("facts.md", "Facts")
    assert FACTS.content[first.start : first.end] == first.quote
    assert answer.text.startswith("Huygens landed on Titan in 2005.[^1]")
    assert answer.usage.prompt_tokens > 0
    assert answer.spent.tokens == 0
    assert (answer.ended, answer.warnings) == ("answered", ())


def test_numbers_of_notes_are_not_taken_for_citations(bundled_embedder):
    retriever = Retriever(bundled_embedder)
    retriever.add(["Huygens came down on Titan in January 2005.[2][17]"])
    answer = DeepSearchAgent(retriever, reranker=Reranker()).run("When did Huygens come down on Titan?")
    assert answer.text == "Huygens came down on Titan in January 2005.[^1]"
    assert answer.citations[0].quote.endswith("[2][17]")


def test_a_question_is_no_answer(bundled_embedder):
    retriever = Retriever(bundled_embedder)
    retriever.add(["When did Huygens land on Titan? It came down on Titan in January 2005."])
    answer = DeepSearchAgent(retriever, reranker=Reranker(), min_relevance=0.1).run("When did Huygens land on Titan?")
    assert [citation.quote for citation in answer.citations] == ["It came down on Titan in January 2005."]


def test_a_document_without_a_source_is_cited_by_its_id(agent):
    [citation, *_] = agent.run("What is bread baked from?").citations
    assert citation.source == citation.document_id == "bread"
    assert citation.quote == "Bread is baked from flour, water and salt."[citation.start : citation.end]


@pytest.mark.parametrize(
    "question",
    [
        "Who won the football world cup?",
        "How do I renew my passport?",
        "What does quantum entanglement mean?",
    ],
)
def test_what_the_documents_do_not_say_is_not_answered(agent, question):
    answer = agent.run(question)
    assert not answer.answered
    assert answer.citations == ()
    assert "do not answer" in answer.text


@pytest.mark.parametrize("question", ["", "  ", "???", None, 7])
def test_a_question_is_needed(agent, question):
    with pytest.raises(InputError, match="question"):
        agent.run(question)


async def test_a_stream_refuses_at_once(agent):
    with pytest.raises(InputError, match="question"):
        agent.astream("???")
    with pytest.raises(ConfigError, match="chat model"):
        agent.astream("Who?", options=DeepSearchOptions(schema={"type": "object"}))


def test_a_page_lends_its_images_and_has_the_date_that_its_finder_tells(bundled_embedder):
    def found(name, text, **more):
        images = tuple(("", f"https://{name}.com/{image}.png") for image in (name, "other"))
        page = Page(f"https://{name}.com/", name, text, images=images)
        return SearchResult(page.url, name, text, page=page, **more)

    bread = found("bread", "When bread is baked, it rises.")
    moons = found("moons", "Huygens landed on Titan in 2005.", published_time="2024-05-06")
    search = WebSearch(FakeSearchProvider([bread, moons]))
    agent = DeepSearchAgent(search, reranker=Reranker(), embedder=bundled_embedder)
    answer = agent.run("When did Huygens land on Titan?")
    [citation] = answer.citations
    assert (citation.source, citation.published_time) == ("https://moons.com/", "2024-05-06")
    of_moons, of_bread = (
        [f"https://{name}.com/{image}.png" for image in (name, "other")] for name in ("moons", "bread")
    )
    assert list(answer.images) == of_moons + of_bread


def test_an_empty_corpus_is_an_error():
    agent = DeepSearchAgent(Retriever(FakeEmbedder()), reranker=Reranker())
    with pytest.raises(InputError, match="no documents"):
        agent.run("Anything?")


def test_settings_are_checked(retriever):
    with pytest.raises(ConfigError):
        DeepSearchAgent(retriever, reranker=Reranker(), max_quotes=0)


async def test_async_twin_and_running_loops(agent):
    question = "How high are the tides of the Bay of Fundy?"
    awaited, waited = await agent.arun(question), agent.run(question)
    assert (awaited.text, awaited.citations, awaited.usage) == (waited.text, waited.citations, waited.usage)
    answers = await asyncio.gather(*(agent.arun(question) for _ in range(4)))
    assert len(set(map(str, answers))) == 1


def test_answers_are_json_ready_and_drawn_in_notebooks(agent):
    answer = agent.run("When did Huygens land on Titan?")
    assert "2005" in answer._repr_html_()
    json.dumps([citation.quote for citation in answer.citations])


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab .:!?\n#-|>`é漢。"), min_size=1, max_size=300), st.integers(5, 60))
def test_every_citation_of_every_chunk_is_verbatim(text, length):
    page = Page("p", "t", text)
    for chunk in Segmenter(max_chunk_length=length).segment_page(page):
        for span in quotable_spans(chunk.text):
            citation = cite(chunk, span)
            assert text[citation.start : citation.end] == citation.quote


def test_a_chunk_whose_text_was_changed_is_cited_in_its_own_text():
    changed = Document("Changed text.", metadata={"source": "s", "start": 100, "end": 900})
    [span] = quotable_spans(changed.text)
    citation = cite(changed, span)
    assert citation.source == changed.id
    assert changed.text[citation.start : citation.end] == citation.quote == "Changed text."


def test_a_document_with_a_source_alone_is_the_sources_text():
    whole = Document("Whole text.", metadata={"source": "a.txt"})
    citation = cite(whole, quotable_spans(whole.text)[0])
    assert (citation.source, citation.start, citation.end) == ("a.txt", 0, 11)


def test_words_of_private_documents_go_to_no_web_search(bundled_embedder):
    class Web:
        def __init__(self):
            self.queries = []

        async def asearch(self, query, *, options=None):
            self.queries.append(query)
            return SearchResults(query)

    retriever, web = Retriever(bundled_embedder), Web()
    retriever.add([
        Document("Project Falcon is led by Mara Lindt since May.", "falcon", {"title": "Project Falcon"}),
        Document("Mara Lindt was born in Uppsala, where she studied.", "lindt", {"title": "Mara Lindt"}),
    ])  # fmt: skip
    question = "Where was the leader of Project Falcon born?"
    answer = DeepSearchAgent([retriever, web], reranker=Reranker(), min_relevance=0.1).run(question)
    assert "Uppsala" in answer.text
    assert len([step for step in answer.trace.steps if step.kind == "search"]) > 1
    assert web.queries == [question]
