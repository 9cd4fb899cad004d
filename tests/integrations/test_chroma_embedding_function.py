from __future__ import annotations

import json

import chromadb
import numpy as np
import pytest
from chroma_jina_components import JinaEmbeddingFunction
from local_server import http

from jina_components import Embedder, Endpoint
from jina_components.errors import ConfigError, InputError

TEXTS = ["The moon pulls the water of the sea.", "Bread is made of flour, water, salt and yeast.", "Ünï ☂ 雨"]


@pytest.fixture
def client(tmp_path):
    client = chromadb.PersistentClient(str(tmp_path), chromadb.Settings(anonymized_telemetry=False))
    yield client
    client.close()


def test_documents_and_queries_are_embedded_each_in_its_own_way(bundled_embedder, server):
    function = JinaEmbeddingFunction(bundled_embedder)
    assert np.allclose(function(TEXTS), bundled_embedder.embed_documents(TEXTS))
    assert np.allclose(function.embed_query(TEXTS[:1]), [bundled_embedder.embed_query(TEXTS[0])])
    answer = {"data": [{"index": 0, "embedding": [0.6, 0.8]}], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    server.routes["/v1/embeddings"] = [http(body=json.dumps(answer).encode())] * 2
    function = JinaEmbeddingFunction(model_name="jina-embeddings-v3", base_url=server.url(""))
    function(TEXTS[:1])
    function.embed_query(TEXTS[:1])
    assert [json.loads(each.body)["task"] for each in server.received] == ["retrieval.passage", "retrieval.query"]
    function._embedder.close()


def test_a_collection_finds_and_remembers_how_it_embeds(client):
    function = JinaEmbeddingFunction(Embedder("static-minilm-v1", dimensions=64))
    notes = client.create_collection("notes", embedding_function=function)
    notes.add(ids=["tides", "bread", "rain"], documents=TEXTS)
    again = client.get_collection("notes")  # which is told nothing
    found = again.query(query_texts=["Why are there tides?", "How is bread baked?"], n_results=1)
    assert found["ids"] == [["tides"], ["bread"]]
    stored = again.get(ids=["bread"], include=["embeddings"])["embeddings"]
    assert np.allclose(stored, Embedder("static-minilm-v1", dimensions=64).embed_documents(TEXTS[1:2]), atol=1e-6)
    assert again.configuration["hnsw"]["space"] == "cosine"
    assert JinaEmbeddingFunction().get_config()["model_name"] == Embedder().name
    with pytest.raises(ConfigError, match="another collection"):
        again.modify(configuration={"embedding_function": JinaEmbeddingFunction()})
    again.modify(configuration={"embedding_function": function})
    assert client.get_collection("notes").query(query_texts=["bread"], n_results=1)["ids"] == [["bread"]]


def test_of_a_server_the_name_of_the_variable_is_kept_and_not_the_key(service, client, monkeypatch):
    monkeypatch.setenv("MY_KEY", "s3cret")
    function = JinaEmbeddingFunction(
        model_name="small-embedding-v1", base_url=service.url, api_key_env_var="MY_KEY"
    )  # fmt: skip
    notes = client.create_collection("notes", embedding_function=function)
    notes.add(ids=["tides", "bread"], documents=TEXTS[:2])
    assert notes.query(query_texts=["tides"], n_results=1)["ids"] == [["tides"]]
    config = function.get_config()
    assert config["api_key_env_var"] == "MY_KEY"
    assert "s3cret" not in json.dumps(config)
    assert client.get_collection("notes").query(query_texts=["bread"], n_results=1)["ids"] == [["bread"]]


def test_a_key_within_an_embedder_is_not_written_down():
    embedder = Embedder("m", endpoint=Endpoint("http://localhost:1/v1", api_key="s3cret"))
    with pytest.raises(ConfigError, match="secret"):
        JinaEmbeddingFunction(embedder).get_config()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"embedder": Embedder(), "model_name": "m"}, "already"),
        ({"base_url": "http://localhost:1"}, "model_name"),
        ({"model_name": "m", "api_key_env_var": "NO_SUCH_KEY"}, "NO_SUCH_KEY"),
    ],
)
def test_settings_that_do_not_go_together(settings, words):
    with pytest.raises(ConfigError, match=words):
        JinaEmbeddingFunction(**settings)


def test_what_cannot_be_embedded_is_told(client):
    notes = client.create_collection("notes", embedding_function=JinaEmbeddingFunction())
    with pytest.raises(InputError, match="empty"):
        notes.add(ids=["a", "b"], documents=["a text", " "])
