"""The components over an endpoint give what the model behind it gives."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from embedding_server import serve_models
from local_server import http

from jina_components import Embedder, Endpoint, Reranker
from jina_components.errors import BackendError, ConfigError, InputError, UnknownNameError, WebError
from jina_components.models.backends.http import HTTPEmbeddingModel
from jina_components.testing import check_embedder, check_reranker
from jina_components.testing.assertions import in_threads

TEXTS = ["The sea is calm today.", "Stocks fell sharply on Monday.", "A boat lies in the harbour."]


@pytest.fixture
def endpoint(server):
    return serve_models(server)


def test_vectors_are_those_of_the_server(endpoint, bundled_embedder):
    with Embedder("some-model", endpoint=endpoint) as embedder:
        result = embedder.embed(TEXTS)
        np.testing.assert_allclose(result.vectors, bundled_embedder.embed_documents(TEXTS), atol=1e-6)
        assert result.usage.total_tokens == 7
        assert embedder.dimensions == 256
        assert embedder.context is None
        assert embedder.embed([]).vectors.shape == (0, 256)
        narrow = embedder.embed(TEXTS, dimensions=64).vectors
        np.testing.assert_allclose(narrow, bundled_embedder.embed(TEXTS, dimensions=64).vectors, atol=1e-6)


@pytest.mark.parametrize("dialect", ["openai", "jina", "cohere"])
def test_the_embedders_contract(server, dialect):
    with Embedder("some-model", endpoint=serve_models(server, dialect=dialect)) as embedder:
        check_embedder(embedder)


@pytest.mark.parametrize("dialect", ["jina", "cohere"])
def test_the_rerankers_contract(server, dialect):
    with Reranker("some-model", endpoint=serve_models(server, dialect=dialect)) as reranker:
        check_reranker(reranker)


async def test_async_twins(endpoint, bundled_embedder):
    with Embedder("some-model", endpoint=endpoint) as embedder:
        vectors = await asyncio.gather(*(embedder.aembed_query(text) for text in TEXTS))
    np.testing.assert_allclose(np.stack(vectors), bundled_embedder.embed_documents(TEXTS), atol=1e-6)
    with Reranker("some-model", endpoint=endpoint) as reranker:
        ranking = await reranker.arerank("calm sea", TEXTS)
    local = Reranker("static-minilm-v1-maxsim").rerank("calm sea", TEXTS)
    assert [hit.index for hit in ranking] == [hit.index for hit in local]


def test_a_cache_spares_requests(endpoint, server, tmp_path):
    with Embedder("some-model", endpoint=endpoint, cache=tmp_path) as embedder:
        first = embedder.embed(TEXTS)
        asked = len(server.received)
        np.testing.assert_array_equal(embedder.embed(TEXTS).vectors, first.vectors)
        assert len(server.received) == asked


def test_servers_and_dialects_share_no_cached_vectors(server, tmp_path):
    for dialect in ("openai", "jina", "cohere"):  # two of them on one path
        with Embedder("some-model", endpoint=serve_models(server, dialect=dialect), cache=tmp_path) as embedder:
            embedder.embed_documents(TEXTS)
            assert [_texts(request) for request in server.received[-2:]] == [["width"], TEXTS]


def _texts(request):
    body = json.loads(request.body)
    return body.get("input") or body.get("texts")


def test_no_request_is_made_for_the_width_where_an_answer_tells_it(endpoint, server):
    with Embedder("some-model", endpoint=endpoint, dimensions=64) as embedder:
        assert embedder.embed(TEXTS).vectors.shape == (3, 64)
        assert embedder.embed(TEXTS, dimensions=256).vectors.shape == (3, 256)
        assert embedder.embed([]).vectors.shape == (0, 64)
        assert embedder.dimensions == 64
        with pytest.raises(InputError, match="within 1 and 256"):
            embedder.embed(TEXTS[:1], dimensions=257)
        assert [_texts(request) for request in server.received] == [TEXTS, TEXTS]


def test_one_request_for_the_width_serves_all_who_ask_at_once(endpoint, server):
    with Embedder("some-model", endpoint=endpoint) as embedder:
        assert in_threads(lambda _: embedder.dimensions, 8) == [256] * 8
        assert [_texts(request) for request in server.received] == [["width"]]


def test_a_failed_request_for_the_width_is_not_laid_to_the_callers_texts(endpoint, server, tmp_path):
    server.routes.clear()
    with Embedder("some-model", endpoint=endpoint, cache=tmp_path) as embedder:
        with pytest.raises(WebError, match="^One word, sent to learn the width of the vectors: .*404"):
            embedder.embed(TEXTS)
        serve_models(server)
        assert embedder.embed(TEXTS).vectors.shape == (3, 256)


def test_a_server_that_changes_the_width(endpoint, server):
    def answer(request):
        width = 3 if "Stocks" in request.body.decode() else 2
        return http(200, json.dumps({"data": [{"index": 0, "embedding": [1.0] * width}]}).encode())

    async def route(request, writer):
        writer.write(answer(request))
        await writer.drain()

    server.routes["/v1/embeddings"] = route
    said = rf"texts\[0:1\]: {server.url('/v1/embeddings')} .*width 3 after others of width 2.*'some-model'"
    with Embedder("some-model", endpoint=endpoint) as embedder:
        embedder.embed(TEXTS[:1])
        with pytest.raises(BackendError, match=said):
            embedder.embed(TEXTS[1:2])
        embedder.close()
        assert embedder.embed(TEXTS[1:2]).vectors.shape == (1, 3)


def test_an_error_lists_scattered_texts(endpoint, server, tmp_path):
    texts = [f"text {number}" for number in range(8)]
    with Embedder("some-model", endpoint=endpoint, cache=tmp_path) as embedder:
        embedder.embed([texts[0], texts[2], texts[5]])
        server.routes.clear()
        for count, said in ((5, "1, 3, 4"), (8, "1, 3, 4 and 2 more")):
            with pytest.raises(WebError, match=rf"^texts\[{said}\]: "):
                embedder.embed(texts[:count])


@pytest.mark.parametrize(
    ("indices", "said"),
    [([4, 5], "4:6"), ([7], "7:8"), ([5, 4], "5, 4"), ([2, 7, 500, 501, 502, 900], "2, 7, 500 and 3 more")],
)
async def test_positions_in_the_callers_list(endpoint, server, indices, said):
    server.routes.clear()
    model = HTTPEmbeddingModel("some-model", endpoint)
    with pytest.raises(WebError, match=rf"^texts\[{said}\]: "):
        await model.aembed(["sea"] * len(indices), indices=indices)
    await model.aclose()


async def test_an_answer_out_of_form_tells_no_width(endpoint, server):
    server.routes["/v1/embeddings"] = [http(200, b'{"data": [{"index": 0, "embedding": [NaN, 1.0]}]}')]
    model = HTTPEmbeddingModel("some-model", endpoint)
    with pytest.raises(BackendError, match="^One word, sent to learn the width of the vectors: .*NaN"):
        await model.aprobe()
    assert model.width is None
    serve_models(server)
    assert await model.aprobe() == model.width == 256
    await model.aclose()


def test_an_error_names_the_callers_texts(endpoint, server, tmp_path):
    with Embedder("some-model", endpoint=endpoint, cache=tmp_path) as embedder:
        embedder.embed(TEXTS[:2])
        server.routes.clear()
        with pytest.raises(WebError, match=r"texts\[2:3\].*404") as error:
            embedder.embed(TEXTS)
    assert "secret" not in str(error.value)


def test_settings_that_do_not_fit(endpoint):
    with pytest.raises(ConfigError, match="belong together"):
        Embedder("some-model", backend="http")
    with pytest.raises(ConfigError, match="belong together"):
        Reranker("some-model", backend="torch", endpoint=endpoint)
    with pytest.raises(ConfigError, match="counts tokens by itself"):
        Reranker("some-model", endpoint=endpoint, max_query_length=8).rerank("a", ["b"])
    with pytest.raises(ConfigError, match="no reranking"):
        Reranker("some-model", endpoint=Endpoint(endpoint.base_url)).rerank("a", ["b"])
    with pytest.raises(UnknownNameError, match="nonsense"):
        Embedder("some-model", endpoint=endpoint).embed(TEXTS, task="nonsense")
