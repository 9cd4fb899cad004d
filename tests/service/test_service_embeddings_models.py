"""`/v1/embeddings` of models with more than texts in and a vector out, as folders that the operator has named."""

from __future__ import annotations

import base64

import httpx
import numpy as np
import openai
import pytest
from local_server import http
from test_embedder_images import file_of, picture, save_clip
from tiny_checkpoints import byte_bpe, save_tokenizer
from tiny_colberts import save_bert_colbert
from tiny_published import tiny_config, write_tiny
from tiny_vision_models import save_v4

from jina_components import Embedder, Image

TEXTS = ["a cat on a mat", "the sea at night"]
PNG = file_of(picture(1))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    v3 = base / "jina-embeddings-v3"
    v3.mkdir()
    write_tiny(v3, "jina-embeddings-v3", tiny_config("jina-embeddings-v3", num_attention_heads=4))
    save_tokenizer(v3, byte_bpe(), model_max_length=120)
    v4 = base / "jina-embeddings-v4"
    v4.mkdir()
    return {
        "jina-clip-v2": save_clip(base / "jina-clip-v2", "jina-clip-v2"),
        "jina-colbert-v2": save_bert_colbert(base / "colbert"),
        "jina-embeddings-v3": v3,
        "jina-embeddings-v4": save_v4(v4),
    }


@pytest.fixture(scope="module")
def library(folders):
    embedders = {name: Embedder(folder, precision="float32") for name, folder in folders.items()}
    yield embedders
    for embedder in embedders.values():
        embedder.close()


@pytest.fixture(scope="module")
def service(make_app, start_service, folders):
    aliases = {name: str(folder) for name, folder in folders.items()}
    stood_in_for = ("jina-embeddings-v5-text-small", "jina-code-embeddings-0.5b")
    aliases |= dict.fromkeys(stood_in_for, aliases["jina-embeddings-v3"])
    return start_service(make_app(aliases=aliases, precision="float32", allow_networks=("127.0.0.0/8",)))


@pytest.fixture(scope="module")
def client(service):
    with httpx.Client(base_url=service, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def ask(client):
    def post(model, given, path="/v1/embeddings", **body):
        return client.post(path, json={"model": model, "input": given, **body})

    return post


@pytest.fixture(scope="module")
def embed(ask):
    def rows(model, given, path="/v1/embeddings", **body):
        answer = ask(model, given, path, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return rows


def alike(given, wanted, atol=1e-4):
    np.testing.assert_allclose(np.asarray(given), wanted, atol=atol)


def field_of(answer):
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    return error["field"], error["type"]


# --- images ----------------------------------------------------------------------------------------------------------

PAYLOAD = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "given",
    [
        {"image": PAYLOAD},
        {"image": f"data:image/png;base64,{PAYLOAD}"},
        {"image": base64.encodebytes(PNG).decode()},
        {"bytes": PAYLOAD},
        {"url": f"data:image/png;base64,{PAYLOAD}"},
        f"data:image/png;base64,{PAYLOAD}",
    ],
)
@pytest.mark.parametrize("model", ["jina-clip-v2", "jina-embeddings-v4"])
def test_images_come_in_many_forms(ask, library, model, given):
    wanted = library[model].embed([TEXTS[0], Image(PNG), TEXTS[1]])
    answer = ask(model, [TEXTS[0], given, {"text": TEXTS[1]}])
    assert answer.status_code == 200, answer.text
    alike([item["embedding"] for item in answer.json()["data"]], wanted.vectors)
    usage = answer.json()["usage"]
    assert usage["total_tokens"] == wanted.usage.total_tokens
    assert usage["image_tokens"] == library[model].embed([Image(PNG)]).usage.total_tokens > 0


def test_images_are_fetched(embed, ask, library, server):
    server.routes["/x.png"] = [http(body=PNG)]
    server.routes["/none.png"] = [http(404)]
    for given in ({"image": server.url("/x.png")}, {"url": server.url("/x.png")}):
        [item] = embed("jina-clip-v2", given)
        alike(item["embedding"], library["jina-clip-v2"].embed([Image(PNG)]).vectors[0])
    missing = ask("jina-clip-v2", [TEXTS[0], {"image": server.url("/none.png")}])
    assert field_of(missing) == ("body -> input -> 1", "value_error")


@pytest.mark.parametrize(
    "given",
    [
        "data:image/png;base64,AAAAAAAAAAAAAAAAAAAA",
        {"image": "not base64 at all, but a sentence"},
        {"image": PAYLOAD[:-40] + "!" + PAYLOAD[-40:]},
        {"image": base64.b64encode(b"no image, but bytes of text").decode()},
        {"url": "http://169.254.169.254/latest/meta-data"},
        {"url": "ftp://example.com/x.png"},
    ],
)
def test_a_broken_image_is_named(ask, given):
    assert field_of(ask("jina-clip-v2", [TEXTS[0], given])) == ("body -> input -> 1", "value_error")


def test_images_are_no_chunks(ask):
    answer = ask("jina-embeddings-v4", [TEXTS[0], {"image": PAYLOAD}], late_chunking=True)
    assert field_of(answer) == ("body -> input -> 1", "value_error")


# --- vectors of tokens -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/multi-vector", "/v1/multi-embeddings"])
@pytest.mark.parametrize(
    ("body", "task"),
    [
        ({}, "retrieval.passage"),
        ({"input_type": "document"}, "retrieval.passage"),
        ({"input_type": "query"}, "retrieval.query"),
        ({"task": "retrieval.query"}, "retrieval.query"),
    ],
)
def test_a_colbert_gives_a_vector_a_token(embed, library, path, body, task):
    wanted = library["jina-colbert-v2"].embed_multi_vector(TEXTS, task=task)
    found = embed("jina-colbert-v2", TEXTS, path, **body)
    assert [list(item) for item in found] == [["object", "index", "embeddings"]] * 2
    assert {item["object"] for item in found} == {"embeddings"}
    for item, vectors in zip(found, wanted.vectors, strict=True):
        alike(item["embeddings"], vectors)


def test_encodings_are_of_each_token(embed):
    types = ["float", "base64", "binary", "ubinary"]
    [plain], [typed] = (embed("jina-colbert-v2", TEXTS[0], embedding_type=form) for form in ("float", types))
    floats, forms = np.asarray(plain["embeddings"], np.float32), typed["embeddings"]
    assert list(forms) == types
    alike(forms["float"], floats)
    np.testing.assert_array_equal([np.frombuffer(base64.b64decode(one), "<f4") for one in forms["base64"]], floats)
    np.testing.assert_array_equal(forms["ubinary"], np.packbits(floats > 0, axis=1))
    np.testing.assert_array_equal(np.asarray(forms["binary"]) + 128, forms["ubinary"])
    [alone] = embed("jina-colbert-v2", TEXTS[0], embedding_type="base64")
    assert alone["embeddings"] == forms["base64"]


def test_a_colberts_long_text_is_cut(ask):
    for body in ({}, {"input_type": "query"}, {"truncate": True}):
        assert ask("jina-colbert-v2", "fox " * 300, **body).status_code == 200
    refused = ask("jina-colbert-v2", "fox " * 300, truncate=False)
    assert (refused.status_code, refused.json()["code"]) == (400, "INPUT_TOKEN_LIMIT_EXCEEDED")


def test_what_a_colbert_does_not_take_is_named(ask, client):
    assert field_of(ask("jina-colbert-v2", TEXTS, dimensions=17)) == ("body -> dimensions", "less_than_equal")
    assert field_of(ask("jina-colbert-v2", TEXTS, dimensions=8)) == ("body -> dimensions", "enum")
    assert field_of(ask("jina-colbert-v2", TEXTS, task="classification")) == ("body -> task", "enum")
    assert field_of(ask("jina-colbert-v2", TEXTS, late_chunking=True))[0] == "body -> late_chunking"
    assert field_of(ask("jina-colbert-v2", [{"image": PAYLOAD}]))[0] == "body -> input -> 0"
    refused = client.post("/v2/embed", json={"model": "jina-colbert-v2", "texts": TEXTS})
    assert (refused.status_code, refused.json()["message"].count("a vector a token")) == (422, 1)


def test_v4_gives_either(embed, library, ask):
    model = "jina-embeddings-v4"
    [one] = embed(model, TEXTS[:1])
    alike(one["embedding"], library[model].embed(TEXTS[:1]).vectors[0])
    found = embed(model, [TEXTS[0], {"image": PAYLOAD}], return_multivector=True, return_tokenized_input=True)
    wanted = library[model].embed_multi_vector([TEXTS[0], Image(PNG)], task="text-matching").vectors
    for item, vectors in zip(found, wanted, strict=True):
        alike(item["embeddings"], vectors)
    assert len(found[0]["tokenized_input"]) == len(wanted[0])
    assert "".join(found[0]["tokenized_input"]).endswith(TEXTS[0])
    assert "tokenized_input" not in found[1]
    refused = ask(model, TEXTS, return_multivector=True, dimensions=8)
    assert field_of(refused) == ("body -> dimensions", "value_error")


# --- late chunking ---------------------------------------------------------------------------------------------------


def test_late_chunks_know_what_stands_around_them(embed, library):
    chunks = ["The fox jumps over. ", "They had come.", " Hello world,"]
    alone, late = (
        np.asarray([item["embedding"] for item in embed("jina-embeddings-v3", chunks, late_chunking=late)])
        for late in (False, True)
    )
    assert late.shape == alone.shape
    assert (np.abs(late - alone).max(axis=1) > 1e-3).all()
    alike(late, library["jina-embeddings-v3"].embed(chunks, late_chunking=True).vectors)


# --- a client --------------------------------------------------------------------------------------------------------


def test_openais_client_asks_for_base64_and_reads_it(service, library):
    with openai.OpenAI(base_url=f"{service}/v1", api_key="key", timeout=120) as client:
        for more in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
            answer = client.embeddings.create(model="jina-embeddings-v3", input=TEXTS, dimensions=9, user="x", **more)
            found = [
                np.frombuffer(base64.b64decode(item.embedding), "<f4")
                if isinstance(item.embedding, str)
                else item.embedding
                for item in answer.data
            ]
            alike(found, library["jina-embeddings-v3"].embed(TEXTS, dimensions=9).vectors)
            assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0
        assert not isinstance(client.embeddings.create(model="jina-embeddings-v3", input="x").data[0].embedding, str)
        with pytest.raises(openai.UnprocessableEntityError, match="less than or equal"):
            client.embeddings.create(model="jina-embeddings-v3", input="x", dimensions=10_000)
        with pytest.raises(openai.BadRequestError, match="no-such-model"):
            client.embeddings.create(model="no-such-model", input="x")


@pytest.mark.parametrize(
    ("model", "task", "nearest"),
    [
        ("jina-embeddings-v5-text-small", "clustering", "separation"),
        ("jina-code-embeddings-0.5b", "nl2code.query", "retrieval.query"),
        ("jina-code-embeddings-0.5b", "qa.passage", "retrieval.passage"),
        ("jina-embeddings-v5-text-small", "classification", "classification"),
    ],
)
def test_a_model_that_stands_in_does_the_nearest_task(embed, model, task, nearest):
    tasks = ("separation", "classification", "retrieval.query", "retrieval.passage", "text-matching")
    by_task = {own: embed("jina-embeddings-v3", TEXTS, task=own) for own in tasks}
    given = embed(model, TEXTS, task=task)
    assert [own for own in tasks if by_task[own] == given] == [nearest]


@pytest.mark.parametrize("model", ["jina-embeddings-v3", "jina-code-embeddings-0.5b"])
def test_a_task_that_the_named_model_has_not_is_none(ask, model):
    answer = ask(model, TEXTS, task="clustering")
    assert [error["field"] for error in answer.json()["errors"]] == ["body -> task"]
