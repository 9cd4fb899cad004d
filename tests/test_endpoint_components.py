"""The components over an endpoint give what the model behind it gives."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from embedding_server import serve_models

from jina_components import Embedder, Endpoint, Reranker
from jina_components.errors import ConfigError, UnknownNameError, WebError
from jina_components.testing import check_embedder, check_reranker

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


def test_the_embedders_contract(endpoint):
    with Embedder("some-model", endpoint=endpoint) as embedder:
        check_embedder(embedder)


def test_the_rerankers_contract(endpoint):
    with Reranker("some-model", endpoint=endpoint) as reranker:
        check_reranker(reranker)


async def test_async_twins(endpoint, bundled_embedder):
    with Embedder("some-model", endpoint=endpoint) as embedder:
        vectors = await asyncio.gather(*(embedder.aembed_query(text) for text in TEXTS))
    np.testing.assert_allclose(np.stack(vectors), bundled_embedder.embed_documents(TEXTS), atol=1e-6)
    with Reranker("some-model", endpoint=endpoint) as reranker:
        ranking = await reranker.arerank("calm sea", TEXTS)
    assert [hit.index for hit in ranking] == [hit.index for hit in Reranker().rerank("calm sea", TEXTS)]


def test_a_cache_spares_requests(endpoint, server, tmp_path):
    with Embedder("some-model", endpoint=endpoint, cache=tmp_path) as embedder:
        first = embedder.embed(TEXTS)
        asked = len(server.received)
        np.testing.assert_array_equal(embedder.embed(TEXTS).vectors, first.vectors)
        assert len(server.received) == asked


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
