import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import DeepSearchAgent, Document, Reranker, Retriever, Segmenter
from jina_components.core.quotable import quotable_spans
from jina_components.deep_search.citations import cite
from jina_components.errors import ChatError, ConfigError, InputError
from jina_components.testing import FakeChat, FakeEmbedder
from jina_components.types import Page, Ranking

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
    assert answer.text.startswith("Huygens landed on Titan in 2005. [1]")
    assert answer.usage.prompt_tokens > 0


def test_numbers_of_notes_are_not_taken_for_citations(bundled_embedder):
    retriever = Retriever(bundled_embedder)
    retriever.add(["Huygens came down on Titan in January 2005.[2][17]"])
    answer = DeepSearchAgent(retriever, reranker=Reranker()).run("When did Huygens come down on Titan?")
    assert answer.text == "Huygens came down on Titan in January 2005. [1]"
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


def test_an_empty_corpus_is_an_error():
    agent = DeepSearchAgent(Retriever(FakeEmbedder()), reranker=Reranker())
    with pytest.raises(InputError, match="no documents"):
        agent.run("Anything?")


def test_settings_are_checked(retriever):
    with pytest.raises(ConfigError):
        DeepSearchAgent(retriever, reranker=Reranker(), max_citations=0)


async def test_async_twin_and_running_loops(agent):
    question = "How high are the tides of the Bay of Fundy?"
    assert await agent.arun(question) == agent.run(question)
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


# --- with a chat model ----------------------------------------------------------------------------------------


def test_the_chat_model_writes_from_the_same_quotes(retriever):
    chat = FakeChat(["It landed in 2005 [1], on Titan [1]."])
    answer = DeepSearchAgent(retriever, reranker=Reranker(), chat=chat).run("When did Huygens land on Titan?")
    assert answer.text == "It landed in 2005 [1], on Titan [1]."
    assert [citation.quote for citation in answer.citations] == ["Huygens landed on Titan in 2005."]
    assert answer.usage.completion_tokens == 8
    system, user = chat.asked[0]
    assert system.role == "system"
    assert "[1] (Facts) Huygens landed on Titan in 2005." in user.content
    assert user.content.endswith("Question: When did Huygens land on Titan?")


def test_citations_are_renumbered_in_order_of_use(retriever):
    chat = FakeChat(["B [2, 1] and again [2]."])
    answer = DeepSearchAgent(retriever, reranker=Reranker(), chat=chat).run("Huygens on Titan?")
    assert answer.text == "B [1][2] and again [1]."
    assert len(answer.citations) == 2


def test_an_invented_citation_is_sent_back(retriever):
    chat = FakeChat(["Surely [99].", "No citation at all.", "In 2005 [1]."])
    answer = DeepSearchAgent(retriever, reranker=Reranker(), chat=chat).run("When did Huygens land on Titan?")
    assert answer.text == "In 2005 [1]."
    assert "no quote [99]" in chat.asked[1][-1].content
    assert "cites no quote" in chat.asked[2][-1].content
    assert answer.usage.completion_tokens == 9


def test_a_model_that_never_cites_is_an_error(retriever):
    agent = DeepSearchAgent(retriever, reranker=Reranker(), chat=FakeChat(["a", "b", "c"]))
    with pytest.raises(ChatError, match="3 attempts"):
        agent.run("When did Huygens land on Titan?")


@pytest.mark.parametrize("marker", ["[1-3]", "[see 1]", f"[{'9' * 5000}]"])
def test_odd_markers_are_sent_back(retriever, marker):
    chat = FakeChat([f"In 2005 {marker}.", "In 2005 [1]."])
    answer = DeepSearchAgent(retriever, reranker=Reranker(), chat=chat).run("When did Huygens land on Titan?")
    assert answer.text == "In 2005 [1]."
    assert "is no citation" in chat.asked[1][-1].content


@pytest.mark.parametrize(
    "reply", ["NO ANSWER", "no answer.", " **NO ANSWER** ", "No answer: the quotes do not say. [1]"]
)
def test_the_model_may_find_no_answer(retriever, reply):
    answer = DeepSearchAgent(retriever, reranker=Reranker(), chat=FakeChat([reply])).run("Why is the sky blue?")
    assert not answer.answered
    assert answer.citations == ()


def test_documents_without_a_sentence_need_no_model():
    class Headings:
        def retrieve(self, query, *, top_k=10, filter=None):
            return Ranking()

    answer = DeepSearchAgent(Headings(), reranker=Reranker(), chat=FakeChat([])).run("Anything?")
    assert not answer.answered
