"""Clients as they are published, against the running service; addresses that they have written down lead to it."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
import requests
from service.hosted import Authority, hosts_at

from jina_components import Document, Embedder, Reranker, Retriever
from jina_components.service import Components, ServiceSettings
from jina_components.types import Page

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what they import
    import cohere
    import openai
    from langchain_community.document_compressors import JinaRerank
    from langchain_community.embeddings import JinaEmbeddings
    from langchain_community.utilities.jina_search import JinaSearchAPIWrapper
    from langchain_core.documents import Document as LangChainDocument
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings
    from llama_index.core.schema import NodeWithScore, TextNode
    from llama_index.embeddings.jinaai import JinaEmbedding
    from llama_index.postprocessor.jinaai_rerank import JinaRerank as LlamaIndexRerank

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ALIASES = {
    "jina-embeddings-v2-base-en": "small-embedding-v1",
    "jina-embeddings-v3": "small-embedding-v1",
    "jina-reranker-v1-base-en": "small-reranker-v1",
    "text-embedding-3-small": "small-embedding-v1",
    "embed-v4.0": "small-embedding-v1",
    "rerank-v3.5": "small-reranker-v1",
}
TEXTS = ["The sea is calm tonight.", "Stocks fell sharply on Monday.", "Le chat dort."]
QUESTION = "What is the capital of France?"
DOCUMENTS = ["Bread is baked in the morning.", "Paris is the capital of France.", "Rome is in Italy."]


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    retriever = Retriever(Embedder())
    retriever.add(
        [Document(text, metadata={"source": f"https://example.com/{place}"}) for place, text in enumerate(DOCUMENTS)]
    )
    settings = ServiceSettings(data=tmp_path_factory.mktemp("data"), warm_up=(), aliases=ALIASES)
    made = Components(settings, retriever=retriever)
    made.pages.remember(
        Page(f"https://example.com/{place}", text.split()[0], text, description=f"About {text.split()[0]}")
        for place, text in enumerate(DOCUMENTS)
    )
    return made


@pytest.fixture(scope="module")
def hosts(
    components: Components,
    make_app: Callable[..., Any],
    start_service: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    app = make_app(components=components, data=components.settings.data, aliases=ALIASES)
    url = start_service(app, **authority.server_options)
    with hosts_at(urlsplit(url).port or 0, authority):
        yield


@pytest.fixture(autouse=True)
def _closed_sessions() -> Iterator[None]:
    """Clients leave their sessions open."""
    sessions: list[requests.Session] = []
    start = requests.Session.__init__

    def tracked(self: requests.Session, *arguments: Any) -> None:
        start(self, *arguments)
        sessions.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "__init__", tracked)
        yield
    for session in sessions:
        session.close()


@pytest.fixture(scope="module")
def vectors() -> np.ndarray[Any, Any]:
    with Embedder() as embedder:
        return embedder.embed(TEXTS).vectors


@pytest.fixture(scope="module")
def order() -> list[int]:
    with Reranker() as reranker:
        return [hit.index for hit in reranker.rerank(QUESTION, DOCUMENTS)]


def alike(given: Any, wanted: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(np.asarray(given, np.float64), wanted, atol=2e-3)


@pytest.mark.usefixtures("hosts")
class TestLangChain:
    def test_embeddings(self, vectors):
        client = JinaEmbeddings(jina_api_key="jina_key")
        alike(client.embed_documents(TEXTS), vectors)
        alike(client.embed_query(TEXTS[0]), vectors[0])

    def test_its_errors_tell_what_is_wrong(self):
        with pytest.raises(RuntimeError, match="no-such-model"):
            JinaEmbeddings(jina_api_key="key", model_name="no-such-model").embed_query("text")

    def test_images_are_refused_by_a_model_of_texts(self):
        with pytest.raises(RuntimeError, match="image"):
            JinaEmbeddings(jina_api_key="key").embed_images(["https://example.com/x.png"])

    def test_reranking(self, order):
        client = JinaRerank(jina_api_key="key", model="jina-reranker-v1-base-en", top_n=2)
        found = client.rerank(DOCUMENTS, QUESTION)
        assert [hit["index"] for hit in found] == order[:2]
        kept = client.compress_documents([LangChainDocument(text) for text in DOCUMENTS], QUESTION)
        assert kept[0].page_content == DOCUMENTS[1]
        assert len(client.rerank(DOCUMENTS, QUESTION, top_n=None)) == len(DOCUMENTS)

    def test_search(self):
        client = JinaSearchAPIWrapper(api_key="bare-key")
        found = json.loads(client.run("capital of France?"))
        assert found[0]["link"] == "https://example.com/1"
        assert found[0]["content"] == DOCUMENTS[1]
        documents = client.download_documents("capital / of France & Italy")
        assert documents[0].metadata["link"].startswith("https://example.com/")

    def test_its_client_of_openai(self, vectors):
        client = OpenAIEmbeddings(
            model="text-embedding-3-small", base_url="https://api.jina.ai/v1", api_key="key",
            check_embedding_ctx_length=False,
        )  # fmt: skip
        alike(client.embed_documents(TEXTS), vectors)

    def test_its_chat_asks_deep_search(self):
        chat = ChatOpenAI(model="jina-deepsearch-v1", base_url="https://deepsearch.jina.ai/v1", api_key="key")
        assert "Paris" in str(chat.invoke(QUESTION).content)


@pytest.mark.usefixtures("hosts")
class TestLlamaIndex:
    @pytest.mark.parametrize("encoding", ["float", "binary", "ubinary"])
    def test_embeddings(self, vectors, encoding):
        client = JinaEmbedding(api_key="key", model="jina-embeddings-v3", encoding_queries=encoding)
        given = client.get_query_embedding(TEXTS[0])
        if encoding == "float":
            alike(client.get_text_embedding_batch(TEXTS), vectors)
        else:
            assert np.mean(np.array(given) == (vectors[0] > 0)) > 0.98

    async def test_async(self, vectors):
        client = JinaEmbedding(api_key="key", model="jina-embeddings-v3")
        import aiohttp

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", __import__("ssl").create_default_context())
            alike(await client.aget_text_embedding_batch(TEXTS), vectors)

    def test_reranking(self, order):
        client = LlamaIndexRerank(api_key="key", model="jina-reranker-v1-base-en", top_n=3)
        nodes = [NodeWithScore(node=TextNode(text=text)) for text in DOCUMENTS]
        found = client.postprocess_nodes(nodes, query_str=QUESTION)
        assert [DOCUMENTS.index(node.node.get_content()) for node in found] == order


@pytest.mark.usefixtures("hosts")
class TestOpenAI:
    @pytest.fixture
    def client(self) -> Iterator[Any]:
        with openai.OpenAI(base_url="https://api.jina.ai/v1", api_key="key", max_retries=0) as client:
            yield client

    def test_embeddings_as_base64_which_is_its_default(self, client, vectors):
        answer = client.embeddings.create(model="text-embedding-3-small", input=TEXTS)
        alike([item.embedding for item in answer.data], vectors)
        assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0

    def test_fewer_dimensions(self, client, vectors):
        answer = client.embeddings.create(model="text-embedding-3-small", input=TEXTS[0], dimensions=64, user="me")
        short = vectors[0][:64] / np.linalg.norm(vectors[0][:64])
        alike(answer.data[0].embedding, short)

    def test_models(self, client):
        known = {model.id for model in client.models.list()}
        assert any("small-embedding-v1" in name for name in known)
        assert client.models.retrieve("small-embedding-v1").id

    def test_errors(self, client):
        with pytest.raises(openai.BadRequestError, match="no-such-model") as unknown:
            client.embeddings.create(model="no-such-model", input="text")
        with pytest.raises(openai.UnprocessableEntityError, match="dimensions") as unfit:
            client.embeddings.create(model="text-embedding-3-small", input="text", dimensions=100_000)
        for failed, word in ((unknown, "no-such-model"), (unfit, "dimensions")):
            told: Any = failed.value.body
            assert word in told["message"]  # of which some of its releases show nothing else

    def test_deep_search(self):
        with openai.OpenAI(base_url="https://deepsearch.jina.ai/v1", api_key="key", max_retries=0) as client:
            asked: Any = {"model": "jina-deepsearch-v1", "messages": [{"role": "user", "content": QUESTION}]}
            answer = client.chat.completions.create(**asked)
            chunks = list(client.chat.completions.create(**asked, stream=True))
        assert "Paris" in (answer.choices[0].message.content or "")
        assert [chunk.choices[0].finish_reason for chunk in chunks].count("stop") == 1
        assert "Paris" in (chunks[-1].choices[0].delta.content or "")


@pytest.mark.usefixtures("hosts")
class TestCohere:
    @pytest.mark.parametrize("make", [cohere.ClientV2, cohere.Client])
    def test_embeddings(self, vectors, make):
        with make(api_key="key", base_url="https://api.jina.ai") as client:
            answer = client.embed(
                model="embed-v4.0", texts=TEXTS, input_type="classification", embedding_types=["float", "int8"]
            )
        assert np.asarray(answer.embeddings.float_).shape == vectors.shape
        assert np.abs(np.asarray(answer.embeddings.int8)).max() <= 128

    @pytest.mark.parametrize("make", [cohere.ClientV2, cohere.Client])
    def test_reranking(self, order, make):
        with make(api_key="key", base_url="https://api.jina.ai") as client:
            answer = client.rerank(model="rerank-v3.5", query=QUESTION, documents=DOCUMENTS, top_n=2)
        assert [hit.index for hit in answer.results] == order[:2]

    def test_errors(self):
        with (
            cohere.ClientV2(api_key="key", base_url="https://api.jina.ai") as client,
            pytest.raises(cohere.core.ApiError) as raised,
        ):
            client.embed(model="none", texts=["x"], input_type="classification", embedding_types=["float"])
        assert raised.value.status_code == 400


@pytest.mark.usefixtures("hosts")
class TestWireOnly:
    """Clients whose requests are known, and which are too heavy to install: Haystack, Dify, LiteLLM, Weaviate."""

    def test_haystack(self):
        asked = {"input": TEXTS, "model": "jina-embeddings-v3", "task": "retrieval.passage", "dimensions": 128}
        answer = requests.post("https://api.jina.ai/v1/embeddings", json=asked, timeout=60).json()
        assert set(answer["usage"]) >= {"prompt_tokens", "total_tokens"}
        accept = {"Accept": "application/json", "Authorization": "Bearer key"}
        found = requests.get(f"https://s.jina.ai/{quote(QUESTION, safe='')}", headers=accept, timeout=60).json()
        assert found["data"][0]["content"] == DOCUMENTS[1]
        grounded = requests.get(f"https://g.jina.ai/{quote(DOCUMENTS[1], safe='')}", headers=accept, timeout=60).json()
        assert grounded["data"]["reason"]
        assert 0 <= grounded["data"]["factuality"] <= 1

    def test_dify(self):
        asked = {"model": "jina-embeddings-v3", "input": [{"text": text} for text in TEXTS], "truncate": True}
        answer = requests.post("https://api.jina.ai/v1/embeddings", json=asked, timeout=60).json()
        assert len(answer["data"]) == len(TEXTS)
        asked = {
            "model": "jina-reranker-v1-base-en", "query": QUESTION, "documents": DOCUMENTS, "top_n": 2,
            "return_documents": True,
        }  # fmt: skip
        answer = requests.post("https://api.jina.ai/v1/rerank", json=asked, timeout=60).json()
        assert answer["results"][0]["document"] in (DOCUMENTS[1], {"text": DOCUMENTS[1]})

    def test_weaviate(self):
        asked = {
            "model": "jina-embeddings-v3", "input": TEXTS, "embedding_type": "float", "normalized": False, "task": "",
        }  # fmt: skip
        answer = requests.post("https://api.jina.ai/v1/embeddings", json=asked, timeout=60).json()
        assert all(math.isfinite(sum(item["embedding"])) for item in answer["data"])

    def test_autogpt_segments_with_strings_for_numbers(self):
        asked = {"content": "One. Two.\n\nThree.", "return_chunks": "true", "max_chunk_length": "1000"}
        for url in ("https://api.jina.ai/v1/segment", "https://segment.jina.ai/"):
            answer = requests.post(url, json=asked, timeout=60).json()
            assert "".join(answer["chunks"]) == asked["content"]

    def test_classifiers_of_two_keys(self):
        def headers(key: str) -> dict[str, str]:
            return {"Authorization": f"Bearer {key}"}

        examples = [{"text": text, "label": label} for text, label in zip(TEXTS[:2], ("sea", "money"), strict=True)]
        asked = {"model": "jina-embeddings-v3", "access": "private", "input": examples}
        url = "https://api.jina.ai/v1"
        made = requests.post(f"{url}/train", json=asked, headers=headers("one"), timeout=60).json()
        few = {"classifier_id": made["classifier_id"], "input": ["The waves are high."]}
        mine = requests.post(f"{url}/classify", json=few, headers=headers("one"), timeout=60).json()
        assert mine["data"][0]["prediction"] == "sea"
        other = requests.post(f"{url}/classify", json=few, headers=headers("two"), timeout=60)
        assert (other.status_code, other.json()["code"]) == (404, "RESOURCE_NOT_FOUND")
        assert requests.get(f"{url}/classifiers", headers=headers("two"), timeout=60).json() == []
