"""`/v1/embeddings`: forms of the input, encodings, aliases, limits, errors."""

from __future__ import annotations

import asyncio
import base64
import json
from functools import cache

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from jina_components import Embedder

MODEL = "small-embedding-v1"
TEXTS = ["The sea is calm tonight.", "Stocks fell sharply on Monday.", "Le chat dort."]
LONG = "a b " * 600


@pytest.fixture(scope="module")
def vectors():
    with Embedder() as embedder:
        return embedder.embed(TEXTS).vectors


@pytest.fixture(scope="module")
def ask(client):
    """Answers to a body, which is sent in ASCII, so that it may hold lone surrogates."""

    def post(path="/v1/embeddings", **body):
        content = json.dumps({"model": MODEL, "input": TEXTS, **body})
        return client.post(path, content=content, headers={"content-type": "application/json"})

    return post


@pytest.fixture(scope="module")
def embed(ask):
    def values(**body):
        answer = ask(**body)
        assert answer.status_code == 200, answer.text
        return [item["embedding"] for item in answer.json()["data"]]

    return values


@cache
def embedder():
    return Embedder()


def alike(given, wanted):
    np.testing.assert_allclose(np.asarray(given), wanted, atol=2e-3)


def test_an_answer_has_jinas_keys_in_jinas_order(ask):
    answer = ask()
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert list(body) == ["model", "object", "usage", "data"]
    assert (body["model"], body["object"]) == (MODEL, "list")
    usage = embedder().embed(TEXTS).usage.total_tokens
    assert body["usage"] == {"total_tokens": usage, "prompt_tokens": usage}
    assert [list(item) for item in body["data"]] == [["object", "index", "embedding"]] * 3
    assert [(item["object"], item["index"]) for item in body["data"]] == [("embedding", n) for n in range(3)]


@pytest.mark.parametrize("model", [MODEL, f"jina-ai/{MODEL}"])
def test_a_model_has_one_name_and_that_with_its_owner(ask, model):
    assert ask(model=model).json()["model"] == model


@pytest.mark.parametrize(
    "given",
    [
        TEXTS,
        [{"text": text} for text in TEXTS],
        [TEXTS[0], {"text": TEXTS[1], "image": None, "id": 7}, TEXTS[2]],
    ],
)
def test_texts_come_as_strings_and_objects(embed, vectors, given):
    alike(embed(input=given), vectors)


@pytest.mark.parametrize("given", [TEXTS[0], {"text": TEXTS[0]}, [TEXTS[0]]])
def test_one_text_needs_no_list(embed, vectors, given):
    alike(embed(input=given), vectors[:1])


def test_tokens_of_openais_encoding_are_text(embed):
    alike(embed(input=[9906, 1917]), embed(input="Hello world"))
    alike(embed(input=[[9906, 1917], [15339]]), embed(input=["Hello world", "hello"]))


# --- encodings -------------------------------------------------------------------------------------------------------


def decoded(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_base64_is_little_endian_float32(embed, vectors):
    floats = np.asarray(embed(), np.float32)
    alike(floats, vectors)
    np.testing.assert_allclose(np.linalg.norm(floats, axis=1), 1, atol=1e-5)
    rows = np.stack([decoded(text) for text in embed(embedding_type="base64")])
    alike(rows, floats)
    assert rows.dtype == np.float32


def test_binary_forms_are_signs_most_significant_bit_first(embed):
    floats = np.asarray(embed(), np.float32)
    signs = (floats > 0).astype(np.uint8)
    binary, unsigned = np.asarray(embed(embedding_type="binary")), np.asarray(embed(embedding_type="ubinary"))
    assert (binary.dtype.kind, binary.shape) == ("i", (3, 48))
    np.testing.assert_array_equal(np.unpackbits((binary + 128).astype(np.uint8), axis=1), signs)
    np.testing.assert_array_equal(np.unpackbits(unsigned.astype(np.uint8), axis=1), signs)


def test_several_types_make_an_object(embed):
    [both] = embed(input=TEXTS[:1], embedding_type=["base64", "ubinary", "base64"])
    assert list(both) == ["base64", "ubinary"]
    alike(decoded(both["base64"]), embed(input=TEXTS[:1])[0])
    assert both["ubinary"] == embed(input=TEXTS[:1], embedding_type="ubinary")[0]
    [one] = embed(input=TEXTS[:1], embedding_type=["binary"])
    assert list(one) == ["binary"]


@settings(max_examples=20, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20), min_size=1, max_size=4),
    dimensions=st.integers(1, 48).map(lambda n: 8 * n),
)
def test_every_form_is_of_the_same_vector(ask, texts, dimensions):
    types = ["float", "base64", "binary", "ubinary"]
    answer = ask(input=texts, embedding_type=types, dimensions=dimensions)
    assert answer.status_code == 200, answer.text
    wanted = embedder().embed(texts, dimensions=dimensions).vectors
    for item, vector in zip(answer.json()["data"], wanted, strict=True):
        forms = item["embedding"]
        floats = np.asarray(forms["float"], np.float32)
        alike(floats, vector)
        np.testing.assert_array_equal(decoded(forms["base64"]), floats)
        np.testing.assert_array_equal(np.packbits(floats > 0), forms["ubinary"])
        np.testing.assert_array_equal(np.asarray(forms["binary"]) + 128, forms["ubinary"])


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["embedding_type", "encoding_format", "encoding_type", "embedding_types"])
def test_names_of_the_encoding(embed, name):
    assert isinstance(embed(**{name: "base64"})[0], str)


@pytest.mark.parametrize("name", ["dimensions", "output_dimension", "output_dimensionality"])
@pytest.mark.parametrize("given", [7, "7"])
def test_any_number_of_dimensions_within_the_models_is_renormalized(embed, vectors, name, given):
    rows = np.asarray(embed(**{name: given}))
    assert rows.shape == (3, 7)
    alike(rows, vectors[:, :7] / np.linalg.norm(vectors[:, :7], axis=1, keepdims=True))


@pytest.mark.parametrize("name", ["input", "content", "texts"])
def test_names_of_the_input(client, vectors, name):
    answer = client.post("/v1/embeddings", json={"model": MODEL, name: TEXTS})
    alike([item["embedding"] for item in answer.json()["data"]], vectors)


def test_vectors_need_not_be_normalized(embed):
    wanted = embedder().embed(TEXTS, normalized=False).vectors
    alike(embed(normalized=False), wanted)
    alike(embed(normalized=None, dimensions=None, embedding_type=None, task=None), embed())


@pytest.mark.parametrize("name", ["task", "task_type"])
def test_tasks_that_the_model_knows(embed, vectors, name):
    wanted = embedder().embed(TEXTS, task="retrieval.query").vectors
    alike(embed(**{name: "retrieval.query"}), wanted)
    alike(embed(**{name: ""}), vectors)


@pytest.mark.parametrize("name", ["truncate", "truncation"])
def test_of_a_long_text_the_head_is_kept_and_counted(ask, name):
    answer = ask(input=LONG, **{name: True}).json()
    assert answer["usage"]["total_tokens"] == 512
    alike(answer["data"][0]["embedding"], embedder().embed([LONG], truncate=True).vectors[0])


def test_fields_that_nobody_knows_are_ignored(embed, vectors):
    alike(embed(user="someone", temperature=3, id=[]), vectors)


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field", "kind"),
    [
        ({"dimensions": 385}, "body -> dimensions", "less_than_equal"),
        ({"dimensions": 0}, "body -> dimensions", "greater_than_equal"),
        ({"output_dimension": "many"}, "body -> output_dimension", "int_parsing"),
        ({"dimensions": 12, "embedding_type": "binary"}, "body -> dimensions", "value_error"),
        ({"embedding_type": "int4"}, "body -> embedding_type", "literal_error"),
        ({"encoding_format": ["float", 3]}, "body -> encoding_format", "literal_error"),
        ({"embedding_type": []}, "body -> embedding_type", "literal_error"),
        ({"task": "cooking"}, "body -> task", "enum"),
        ({"input": []}, "body -> input", "too_short"),
        ({"input": ["x"] * 513}, "body -> input", "too_long"),
        ({"input": ["good", " \n"]}, "body -> input -> 1", "value_error"),
        ({"input": ["good", {"text": ""}]}, "body -> input -> 1", "value_error"),
        ({"input": ["good", "\ud800"]}, "body -> input -> 1", "value_error"),
        ({"input": ["good", 3.5]}, "body -> input -> 1", "string_type"),
        ({"input": ["good", None]}, "body -> input -> 1", "string_type"),
        ({"input": ["good", {"text": 3}]}, "body -> input -> 1", "string_type"),
        ({"input": ["good", {"txt": "\ud800"}]}, "body -> input -> 1", "missing"),
        ({"input": {"pdf": "https://example.com/x.pdf"}}, "body -> input -> 0", "value_error"),
        ({"input": ["good", {"image": "https://example.com/x.png"}]}, "body -> input -> 1", "value_error"),
        ({"input": [{"image": "/etc/passwd"}]}, "body -> input -> 0", "value_error"),
        ({"input": [{"image": "file:///etc/passwd"}]}, "body -> input -> 0", "value_error"),
        ({"input": [{"text": "a", "image": "https://example.com/x.png"}]}, "body -> input -> 0", "value_error"),
        ({"input": [9906, 100256]}, "body -> input -> 0", "value_error"),
        ({"input": [[9906], [-1]]}, "body -> input -> 1", "value_error"),
        ({"input": [[9906], [2**70]]}, "body -> input -> 1", "value_error"),
        ({"input": [[9906], []]}, "body -> input -> 1", "int_type"),
        ({"input": [[9906], ["x"]]}, "body -> input -> 1", "int_type"),
        ({"late_chunking": True}, "body -> late_chunking", "value_error"),
        ({"return_multivector": True}, "body -> model", "value_error"),
        ({"return_tokenized_input": True}, "body -> return_tokenized_input", "value_error"),
        ({"input_type": "passage"}, "body -> input_type", "literal_error"),
        ({"model": None}, "body -> model", "string_type"),
    ],
)
def test_what_does_not_fit_is_named(ask, body, field, kind):
    answer = ask(**body)
    told = answer.json()
    assert answer.status_code == 422, told
    assert [(each["field"], each["type"]) for each in told["errors"]] == [(field, kind)]
    assert told["detail"].startswith("Validation error(s): ")
    assert told["message"] == told["detail"]
    assert len(told["request_id"]) == 32


def test_the_limit_of_inputs_is_told(ask):
    assert "512" in ask(input=["x"] * 513).json()["detail"]


@pytest.mark.parametrize(
    "name", ["no-such-model", "../../etc", "sentence-transformers/LaBSE", "small-reranker-v1", "\ud800"]
)
def test_models_are_those_that_are_served(ask, name):
    answer = ask(model=name)
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_MODEL_NOT_FOUND")
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("truncate", [False, None])
def test_a_text_over_the_context_is_refused(ask, truncate):
    answer = ask(input=["short", LONG], truncate=truncate)
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_TOKEN_LIMIT_EXCEEDED")
    assert "inputs[1]" in answer.json()["detail"]


def test_a_service_may_cut_where_a_request_does_not_say(make_app):
    with TestClient(make_app(truncate=True)) as client:
        for truncate, status in ((None, 200), (True, 200), (False, 400)):
            answer = client.post("/v1/embeddings", json={"model": MODEL, "input": LONG, "truncate": truncate})
            assert answer.status_code == status, answer.text
        answer = client.post("/v1/embeddings", json={"model": MODEL, "input": LONG})
        assert answer.json()["usage"]["total_tokens"] == 512
        ranking = {"model": "small-reranker-v1", "query": LONG, "documents": ["The sea."]}
        for asked, status in (({}, 200), ({"truncation": False}, 400)):
            assert client.post("/v1/rerank", json={**ranking, **asked}).status_code == status


def test_a_model_without_vectors_of_tokens_is_refused_where_they_are_asked_for(ask):
    for path in ("/v1/multi-vector", "/v1/multi-embeddings"):
        assert ask(path).json()["errors"][0]["field"] == "body -> model"


# --- many at once ----------------------------------------------------------------------------------------------------


def test_concurrent_requests_get_the_vectors_of_the_library(service_url):
    texts = [f"Sentence {n} is about {'the sea' if n % 2 else 'money'}." for n in range(48)]

    async def ask_all():
        async with httpx.AsyncClient(base_url=service_url, timeout=120) as client:
            bodies = [{"model": MODEL, "input": text, "embedding_type": "base64"} for text in texts]
            return await asyncio.gather(*(client.post("/v1/embeddings", json=body) for body in bodies))

    answers = asyncio.run(ask_all())
    assert {answer.status_code for answer in answers} == {200}
    rows = np.stack([decoded(answer.json()["data"][0]["embedding"]) for answer in answers])
    alike(rows, embedder().embed(texts).vectors)


def test_a_large_answer_is_whole(service_url):
    texts = [f"Sentence {n}." for n in range(300)]
    with httpx.Client(base_url=service_url, timeout=120) as client:
        answer = client.post("/v1/embeddings", json={"model": "static-minilm-v1", "input": texts}).json()
    assert [item["index"] for item in answer["data"]] == list(range(300))
    with Embedder("static-minilm-v1") as library:
        alike([item["embedding"] for item in answer["data"]], library.embed(texts).vectors)


@pytest.mark.parametrize(
    ("path", "field"), [("/v1/embeddings", "input"), ("/v1/rerank", "documents"), ("/v1/classify", "input")]
)
def test_of_many_wrong_items_the_first_is_told(ask, path, field):
    answer = ask(path, **{"query": "q", "labels": ["a", "b"], field: [None] * 10_000})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body -> {field} -> 0"]


def test_a_list_without_end_is_not_looked_through(ask):
    for endless in (["a"] * 150_000, [[1] * 150_000]):
        answer = ask(input=endless)
        assert answer.status_code == 422
        assert [error["type"] for error in answer.json()["errors"]] == ["too_long"]
