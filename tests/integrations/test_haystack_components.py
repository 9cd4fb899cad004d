"""The splitter, the classifiers, the grounder and deep search in Haystack."""

from __future__ import annotations

import asyncio
import base64
import io
import json

import PIL.Image
import pytest
from haystack import Document, Pipeline
from haystack.components.builders import AnswerBuilder
from haystack.components.retrievers import SentenceWindowRetriever
from haystack.components.writers import DocumentWriter
from haystack.dataclasses import ChatMessage, ImageContent, StreamingChunk
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.utils import Secret
from haystack_jina_components import (
    JinaDeepSearch,
    JinaDocumentClassifier,
    JinaDocumentSplitter,
    JinaGrounder,
    JinaTextClassifier,
)

from jina_components import Classifier, DeepSearchAgent, Embedder, FaissStore, Grounder, Reranker, Retriever, Segmenter
from jina_components.entailment import EntailmentScorer
from jina_components.errors import ConfigError, InputError, UnknownNameError
from jina_components.testing import FakeEmbedder
from jina_components.types import Answer, Citation, DeepSearchStep

MODEL = "static-minilm-v1"
LABELS = ["sports", "politics", "food"]
TEXTS = ["The match ended in a draw.", "The bread is baked with butter.", "Parliament passed the law."]
ANSWERS = ["sports", "food", "politics"]
KINDS = [JinaDocumentSplitter, JinaTextClassifier, JinaDocumentClassifier, JinaGrounder, JinaDeepSearch]


@pytest.fixture(params=["here", "on a server"])
def place(request, service):
    return {} if request.param == "here" else {"base_url": service.url}


TEXT = "# Tides\n\nThe moon pulls 🌊. It rises twice a day.\n\n\f## Bergen\n\nIt rains, größtenteils. 数 is a number."


def test_chunks_have_exact_places(place):
    splitter = JinaDocumentSplitter(max_chunk_length=40, **place)
    splitter.warm_up()
    document = Document(content=TEXT, meta={"url": "a", "tags": ["x"]})
    found = splitter.run([document, Document(content=""), Document(content=" \n ")])
    chunks = found["documents"]
    assert len(chunks) > 2
    assert [chunk.meta["split_id"] for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        start = chunk.meta["split_idx_start"]
        assert TEXT[start : start + len(chunk.content)] == chunk.content
        assert chunk.meta["source_id"] == document.id
        assert chunk.meta["page_number"] == 1 + TEXT[:start].count("\f")
        assert (chunk.meta["url"], chunk.meta["tags"]) == ("a", ["x"])
        assert chunk.meta["tags"] is not document.meta["tags"]
    joined = "".join(chunk.content for chunk in chunks)
    assert joined.split() == TEXT.split()
    assert place or joined == TEXT
    assert asyncio.run(splitter.run_async([document])) == {"documents": chunks}
    assert splitter.run([]) == {"documents": []}
    splitter.close()


def test_a_segmenter_cuts_by_its_own_settings():
    segmenter = Segmenter(max_chunk_length=8, length_unit="tokens", overlap=3)
    found = JinaDocumentSplitter(segmenter=segmenter).run([Document(content=TEXT)])["documents"]
    assert [each.meta["split_idx_start"] for each in found] == [chunk.start for chunk in segmenter.segment(TEXT).chunks]
    assert found[-1].meta["heading"] == "Tides"
    data = json.loads(json.dumps(JinaDocumentSplitter(segmenter=segmenter).to_dict()))
    assert JinaDocumentSplitter.from_dict(data).run([Document(content=TEXT)])["documents"] == found


def test_haystack_finds_the_window_around_a_chunk():
    store = InMemoryDocumentStore()
    chunks = JinaDocumentSplitter(max_chunk_length=40).run([Document(content=TEXT)])["documents"]
    DocumentWriter(store).run(chunks)
    found = SentenceWindowRetriever(store, window_size=1).run([chunks[1]])
    assert found["context_windows"] == ["".join(chunk.content for chunk in chunks[:3])]


def test_what_a_splitter_refuses():
    with pytest.raises(InputError, match=r"documents\[1\]"):
        JinaDocumentSplitter().run([Document(content="a"), Document(content=None)])
    with pytest.raises(TypeError, match="JinaDocumentSplitter"):
        JinaDocumentSplitter().run("a")
    with pytest.raises(ConfigError, match="max_chunk_length"):
        JinaDocumentSplitter(max_chunk_length=0)
    with pytest.raises(ConfigError, match="segmenter or max_chunk_length"):
        JinaDocumentSplitter(max_chunk_length=5, segmenter=Segmenter())
    with pytest.raises(ConfigError, match="segment"):
        JinaDocumentSplitter(segmenter=object())


def test_texts_and_documents_are_classified(place):
    text = JinaTextClassifier(LABELS, MODEL, **place)
    document = JinaDocumentClassifier(LABELS, MODEL, progress_bar=False, **place)
    text.warm_up()
    document.warm_up()
    assert [text.run(each)["label"] for each in TEXTS] == ANSWERS
    found = text.run(TEXTS[0])
    assert found["score"] == found["details"]["sports"] == max(found["details"].values())
    assert asyncio.run(text.run_async(TEXTS[0])) == found
    given = [Document(content=each, meta={"n": 1}) for each in TEXTS]
    labelled = document.run(given)["documents"]
    assert [each.meta["classification"]["label"] for each in labelled] == ANSWERS
    assert labelled[0].meta["classification"]["score"] == pytest.approx(found["score"], abs=1e-4)
    assert labelled[0].meta["n"] == 1
    assert [each.meta for each in given] == [{"n": 1}] * 3
    assert asyncio.run(document.run_async(given)) == {"documents": labelled}
    others = {"password": "about sports and games", "B": "about food"}
    assert text.run(TEXTS[1], labels=others)["label"] == "B"
    assert JinaTextClassifier(others, MODEL, **place).to_dict()["init_parameters"]["labels"] == others
    assert document.run([]) == {"documents": []}
    for each in (text, document):
        data = json.loads(json.dumps(each.to_dict()))
        assert type(each).from_dict(data).to_dict() == data
        assert each._get_telemetry_data() == {"model": MODEL}
        each.close()


def test_a_field_of_meta_is_classified():
    classifier = JinaDocumentClassifier(LABELS, MODEL, classification_field="title", progress_bar=False)
    found = classifier.run([Document(content=TEXTS[1], meta={"title": TEXTS[0]})])["documents"]
    assert found[0].meta["classification"]["label"] == "sports"
    with pytest.raises(InputError, match="empty"):
        classifier.run([Document(content=TEXTS[1])])


def test_a_trained_classifier_gives_what_it_learned(tmp_path):
    classifier = Classifier(Embedder(MODEL), path=tmp_path / "classifier")
    classifier.train(list(zip(TEXTS, ANSWERS, strict=True)))
    made = JinaTextClassifier(classifier=classifier)
    assert made.run("Voters went to the polls for the new law.")["label"] == "politics"
    again = JinaTextClassifier.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.run(TEXTS[1]) == made.run(TEXTS[1])
    abstaining = JinaTextClassifier(LABELS, classifier=Classifier(Embedder(MODEL), threshold=0.999))
    assert abstaining.run("Zebra.")["label"] is None


def test_what_classifiers_refuse():
    with pytest.raises(ConfigError, match="labels"):
        JinaTextClassifier(model=MODEL).run("a")
    with pytest.raises(InputError, match="at least 2"):
        JinaTextClassifier(["a"], MODEL).run("a")
    with pytest.raises(ConfigError, match="classifier or model"):
        JinaTextClassifier(LABELS, MODEL, classifier=Classifier(FakeEmbedder()))
    with pytest.raises(ConfigError, match="classify"):
        JinaDocumentClassifier(LABELS, classifier=FakeEmbedder())
    with pytest.raises(TypeError, match="JinaDocumentClassifier"):
        JinaDocumentClassifier(LABELS, MODEL).run(TEXTS)


def test_a_statement_is_checked_against_documents():
    grounder = JinaGrounder()
    documents = [Document(content="The Holm Bridge over the Ness was opened in 1952.", meta={"source": "a.md"})]
    refuted = grounder.run("The Holm Bridge was opened in 1925.", documents)
    assert (refuted["verdict"], refuted["result"]) == ("refuted", False)
    quote = refuted["references"][0]
    assert "1952" in quote.content
    assert quote.meta["is_supportive"] is False
    supported = asyncio.run(grounder.run_async("The Holm Bridge was opened in 1952.", documents))
    assert (supported["verdict"], supported["result"]) == ("supported", True)
    assert supported["factuality"] > refuted["factuality"]
    assert supported["meta"]["usage"]["total_tokens"] > 0


def test_a_server_checks_against_what_it_knows_or_reads(service):
    grounder = JinaGrounder(base_url=service.url)
    bridge = service.site.url("/bridge")
    found = grounder.run("The Holm Bridge opened in 1952.")
    assert found["verdict"] == "supported"
    assert {quote.meta["url"] for quote in found["references"]} == {bridge}
    assert asyncio.run(grounder.run_async("The Holm Bridge opened in 1925.", urls=[bridge]))["verdict"] == "refuted"
    with pytest.raises(InputError, match=r"references\[0\]"):
        grounder.run("The Holm Bridge opened in 1952.", [Document(content="It did.")])
    grounder.close()


def test_what_a_grounder_refuses():
    with pytest.raises(ConfigError):
        JinaGrounder().run("The Holm Bridge opened in 1952.")
    with pytest.raises(InputError):
        JinaGrounder().run("The Holm Bridge opened in 1952.", [])
    with pytest.raises(TypeError, match="JinaGrounder"):
        JinaGrounder().run("The Holm Bridge opened in 1952.", ["a"])
    with pytest.raises(ConfigError, match="grounder or base_url"):
        JinaGrounder(grounder=Grounder(entailment=EntailmentScorer()), base_url="http://x")
    with pytest.raises(ConfigError, match="aground"):
        JinaGrounder(grounder=Reranker())


@pytest.fixture
def agent(tmp_path):
    retriever = Retriever(Embedder(MODEL), store=FaissStore(tmp_path / "index"))
    retriever.add(["The tides in the Bay of Fundy reach 16 metres.", "Bread is made of flour."])
    yield DeepSearchAgent(retriever, reranker=Reranker())
    retriever.close()


QUESTION = "How high are the tides in the Bay of Fundy?"


def test_a_question_is_answered_with_citations(agent):
    search = JinaDeepSearch(agent=agent)
    found = search.run([ChatMessage.from_user(QUESTION)])
    reply = found["replies"][0]
    assert "16 metres" in reply.text
    assert reply.meta["answered"] is True
    assert reply.meta["citations"][0]["quote"] in "The tides in the Bay of Fundy reach 16 metres."
    assert reply.meta["usage"]["total_tokens"] > 0
    assert found["documents"][0].content == reply.meta["citations"][0]["quote"]
    assert found["documents"][0].meta["document_id"]
    assert json.dumps(reply.to_dict())
    assert search.run(QUESTION)["replies"][0].text == reply.text
    assert asyncio.run(search.run_async(QUESTION))["replies"][0].text == reply.text
    answers = AnswerBuilder().run(QUESTION, found["replies"], documents=found["documents"])["answers"]
    assert answers[0].documents == found["documents"] or answers[0].data == reply.text


def told(chunk):
    """What a callback of a module is told."""
    TOLD.append(chunk)


TOLD: list[StreamingChunk] = []


def test_steps_are_streamed(agent):
    TOLD.clear()
    search = JinaDeepSearch(agent=agent, streaming_callback=told)
    reply = search.run(QUESTION)["replies"][0]
    assert [chunk.content for chunk in TOLD if chunk.content] == [reply.text]
    assert any("Searching for" in chunk.meta["step"] for chunk in TOLD)
    data = json.loads(json.dumps(search.to_dict()))
    assert data["init_parameters"]["streaming_callback"].endswith("test_haystack_components.told")

    async def alive():
        heard = []

        async def hear(chunk):
            heard.append(chunk)

        await JinaDeepSearch(agent=agent).run_async(QUESTION, streaming_callback=hear)
        return heard

    assert [chunk.meta["kind"] for chunk in asyncio.run(alive())][-1] == "done"


def test_a_server_searches_deeply(service):
    search = JinaDeepSearch(base_url=service.url, generation_kwargs={"reasoning_effort": "low"})
    heard: list[StreamingChunk] = []
    found = search.run("When was the Holm Bridge opened?", streaming_callback=heard.append)
    assert "1952" in found["replies"][0].text
    assert found["replies"][0].meta["model"] == "jina-deepsearch-v1"
    assert found["documents"][0].meta["source"] == service.site.url("/bridge")
    assert heard[-1].content == found["replies"][0].text
    search.close()


class _Agent:
    """Remembers what it was asked."""

    def stream(self, question, *, options=None):
        self.asked, self.options = question, options
        yield DeepSearchStep("think", "a thought")
        quote = Citation("words", "https://a.example/", 0, 5, "a")
        yield DeepSearchStep("done", "", answer=Answer("q", "words[^1]", True, (quote,)))

    async def astream(self, question, *, options=None):
        for step in self.stream(question, options=options):
            yield step


def test_conversations_pictures_and_options_reach_the_agent():
    picture = io.BytesIO()
    PIL.Image.new("RGB", (2, 2)).save(picture, "PNG")
    shown = ImageContent(base64.b64encode(picture.getvalue()).decode(), "image/png")
    messages = [
        ChatMessage.from_system("Be brief."),
        ChatMessage.from_assistant("Hello."),
        ChatMessage.from_user(content_parts=["What is this?", shown]),
    ]
    agent = _Agent()
    search = JinaDeepSearch(agent=agent, generation_kwargs={"reasoning_effort": "low", "max_citations": 3})
    found = search.run(messages, generation_kwargs={"reasoning_effort": "high"})
    assert [(turn.role, turn.content) for turn in agent.asked] == [
        ("system", "Be brief."), ("assistant", "Hello."), ("user", "What is this?"),
    ]  # fmt: skip
    assert agent.asked[2].images[0].source == picture.getvalue()
    assert (agent.options.reasoning_effort, agent.options.max_citations) == ("high", 3)
    assert found["replies"][0].meta["model"] == "_Agent"
    JinaDeepSearch(agent=agent).run("q")
    assert agent.options is None


def test_what_deep_search_refuses(agent):
    with pytest.raises(ConfigError, match="agent=DeepSearchAgent"):
        JinaDeepSearch()
    with pytest.raises(ConfigError, match="agent or base_url"):
        JinaDeepSearch(agent=agent, base_url="http://x")
    with pytest.raises(ConfigError, match="temperature"):
        JinaDeepSearch(agent=agent, generation_kwargs={"temperature": 0})
    with pytest.raises(ConfigError, match="reasoning_effort"):
        JinaDeepSearch(agent=agent).run("q", generation_kwargs={"reasoning_effort": "huge"})
    with pytest.raises(ConfigError, match="astream"):
        JinaDeepSearch(agent=Reranker())
    with pytest.raises(InputError, match=r"messages\[0\].*tool"):
        JinaDeepSearch(agent=agent).run([ChatMessage.from_tool("1", origin=None)])
    with pytest.raises(TypeError, match=r"messages\[0\]"):
        JinaDeepSearch(agent=agent).run([QUESTION])
    with pytest.raises(InputError):
        JinaDeepSearch(agent=agent).run("")


async def test_a_cancelled_search_ends(agent):
    started = asyncio.Event()

    async def hear(_chunk):
        started.set()
        await asyncio.sleep(60)

    running = asyncio.create_task(JinaDeepSearch(agent=agent).run_async(QUESTION, streaming_callback=hear))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("kind", KINDS)
def test_keys_are_never_written_down(kind, monkeypatch):
    monkeypatch.setenv("JINA_API_KEY", "jina_secret_1")
    made = kind(api_key=Secret.from_env_var("JINA_API_KEY"))
    data = json.dumps(made.to_dict())
    assert "jina_secret_1" not in data + repr(made) + str(made._get_telemetry_data())
    again = kind.from_dict(json.loads(data))
    assert again.api_key.resolve_value() == "jina_secret_1"
    with pytest.raises(ValueError, match="token"):
        kind(api_key=Secret.from_token("jina_secret_1")).to_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_is_no_secret_is_told_what_to_be(kind):
    with pytest.raises(ConfigError, match="from_token") as raised:
        kind(api_key="jina_secret_1")
    assert "jina_secret_1" not in str(raised.value)


@pytest.mark.parametrize("kind", [JinaDocumentSplitter, JinaTextClassifier, JinaDocumentClassifier, JinaGrounder])
def test_a_key_in_the_environment_sends_no_texts_away_of_what_had_no_predecessor(kind, monkeypatch):
    monkeypatch.setenv("JINA_API_KEY", "jina_secret_1")
    assert kind()._remote() is None
    assert kind(api_key=Secret.from_env_var("JINA_API_KEY"))._remote() is not None


def test_names_that_nobody_knows():
    with pytest.raises(UnknownNameError):
        JinaTextClassifier(LABELS, "small-embeding-v1").run("a")


def test_a_pipeline_runs_them_one_after_another(agent):
    pipeline = Pipeline()
    pipeline.add_component("search", JinaDeepSearch(agent=agent))
    pipeline.add_component("split", JinaDocumentSplitter(max_chunk_length=20))
    pipeline.add_component("label", JinaDocumentClassifier(["sea", "bread"], MODEL, progress_bar=False))
    pipeline.connect("search.documents", "split.documents")
    pipeline.connect("split.documents", "label.documents")
    found = pipeline.run({"search": {"messages": [ChatMessage.from_user(QUESTION)]}})
    assert found["label"]["documents"][0].meta["classification"]["label"] == "sea"
