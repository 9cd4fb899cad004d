"""Cohere's `/v1/embed` and `/v2/embed`, by its own client."""

from __future__ import annotations

import base64
import warnings

import httpx
import numpy as np
import pytest

from jina_components import Embedder
from jina_components.core.quantization import quantize

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it imports
    import cohere

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MODEL = "small-embedding-v1"
TEXTS = ["The sea is calm tonight.", "Stocks fell sharply on Monday."]
LONG = "a b " * 600


@pytest.fixture(scope="module")
def library():
    with Embedder() as embedder:
        yield embedder


@pytest.fixture(scope="module")
def clients(service_url):
    with httpx.Client(timeout=120) as connections:
        yield tuple(
            kind("key", base_url=service_url, httpx_client=connections) for kind in (cohere.Client, cohere.ClientV2)
        )


@pytest.fixture(scope="module")
def v1(clients):
    return clients[0]


@pytest.fixture(scope="module")
def v2(clients):
    return clients[1]


def alike(given, wanted):
    np.testing.assert_allclose(np.asarray(given), wanted, atol=2e-3)


@pytest.mark.parametrize(
    ("input_type", "task"),
    [
        ("search_document", "retrieval.passage"),
        ("search_query", "retrieval.query"),
        ("classification", "classification"),
        ("clustering", "separation"),
    ],
)
def test_v2_gives_vectors_by_type(v2, library, input_type, task):
    answer = v2.embed(model=MODEL, texts=TEXTS, input_type=input_type, embedding_types=["float"])
    wanted = library.embed(TEXTS, task=task)
    alike(answer.embeddings.float_, wanted.vectors)
    assert (answer.response_type, answer.texts) == ("embeddings_by_type", TEXTS)
    assert answer.meta.api_version.version == "2"
    assert answer.meta.billed_units.input_tokens == wanted.usage.prompt_tokens
    assert answer.embeddings.int8 is None


def test_every_type(v2):
    types = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    found = v2.embed(model=MODEL, texts=TEXTS, input_type="search_document", embedding_types=types).embeddings
    floats = np.asarray(found.float_, np.float32)
    for name in types[1:5]:
        np.testing.assert_array_equal(getattr(found, name), quantize(floats, name))
    np.testing.assert_array_equal([np.frombuffer(base64.b64decode(text), "<f4") for text in found.base64], floats)


def test_v2_gives_numbers_without_types(v2, library):
    answer = v2.embed(model=MODEL, texts=TEXTS, input_type="search_query", output_dimension=12)
    alike(answer.embeddings.float_, library.embed(TEXTS, task="retrieval.query", dimensions=12).vectors)


def test_inputs_of_one_part_each(v2, library):
    inputs = [{"content": [{"type": "text", "text": text}]} for text in TEXTS]
    answer = v2.embed(model=MODEL, inputs=inputs, input_type="search_document", embedding_types=["float"])
    alike(answer.embeddings.float_, library.embed_documents(TEXTS))


def test_v1_gives_plain_lists_or_types(v1, library):
    many = [f"Sentence {n}." for n in range(100)]  # which its client sends in two requests
    answer = v1.embed(model=MODEL, texts=many, input_type="search_document")
    assert (answer.response_type, answer.texts) == ("embeddings_floats", many)
    alike(answer.embeddings, library.embed_documents(many))
    typed = v1.embed(model=MODEL, texts=TEXTS, embedding_types=["ubinary"], batching=False)
    np.testing.assert_array_equal(typed.embeddings.ubinary, quantize(library.embed(TEXTS).vectors, "ubinary"))


def test_v1_needs_no_model(v1, library):
    alike(v1.embed(texts=TEXTS).embeddings, library.embed(TEXTS).vectors)


def test_a_long_text_is_cut_unless_it_must_not_be(v2, library):
    asked = {"model": MODEL, "texts": [LONG], "input_type": "search_document", "embedding_types": ["float"]}
    wanted = library.embed([LONG], task="retrieval.passage", truncate=True).vectors
    for more in ({}, {"truncate": "END"}):
        alike(v2.embed(**asked, **more).embeddings.float_, wanted)
    with pytest.raises(cohere.BadRequestError, match="512"):
        v2.embed(**asked, truncate="NONE")
    with pytest.raises(cohere.UnprocessableEntityError, match="START"):
        v2.embed(**asked, truncate="START")


def test_errors_are_in_coheres_form(v2):
    asked = {"input_type": "search_document", "embedding_types": ["float"]}
    with pytest.raises(cohere.BadRequestError) as raised:
        v2.embed(model="no-such-model", texts=TEXTS, **asked)
    assert set(raised.value.body) == {"id", "message"}
    assert "no-such-model" in raised.value.body["message"]
    wrong = [
        ({"texts": TEXTS, "images": ["https://example.com/x.png"]}, "Send one of"),
        ({"texts": []}, "Send one of"),
        ({"texts": ["x"] * 513}, "512"),
        ({"texts": ["x"], "output_dimension": 1000}, "output_dimension: .* 384"),
        ({"texts": ["x"], "output_dimension": 12, "embedding_types": ["binary"]}, "output_dimension: .* multiple of 8"),
        ({"texts": ["x", " "]}, "body -> texts -> 1"),
        ({"texts": ["x"], "max_tokens": 5}, "max_tokens"),
        ({"images": ["https://example.com/x.png"]}, "body -> images -> 0"),
        ({"images": ["/etc/passwd"]}, "body -> images -> 0"),
        ({"inputs": [{"content": [{"type": "text", "text": "a"}] * 2}]}, "one part"),
        ({"inputs": [{"content": [{"type": "audio"}]}]}, "body -> inputs -> 0"),
    ]
    for body, message in wrong:
        with pytest.raises(cohere.UnprocessableEntityError, match=message):
            v2.embed(model=MODEL, **{**asked, **body})
