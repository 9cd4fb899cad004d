"""`/v1/rerank`, `/rerank` and Cohere's `/v2/rerank`."""

import json
import tempfile
import uuid

import numpy as np
import pytest
from starlette.testclient import TestClient
from tiny_listwise import save_listwise
from tiny_vision_models import save_m0

from jina_components import Reranker
from jina_components.models.catalog import DEFAULT_RERANKER
from jina_components.service import Limits

QUERY = "What is the capital of France?"
DOCUMENTS = ["Bread is baked.", {"text": "Paris is the capital of France.", "id": 3, "image": None}, "Berlin is big."]
TEXTS = ["Bread is baked.", "Paris is the capital of France.", "Berlin is big."]
ASKED = {"model": DEFAULT_RERANKER, "query": QUERY, "documents": DOCUMENTS}
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def expected():
    with Reranker() as reranker:
        yield reranker.rerank(QUERY, TEXTS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    listwise = save_listwise(tmp_path_factory.mktemp("listwise"))
    seeing = save_m0(tmp_path_factory.mktemp("seeing"))
    return {"list": str(listwise), "seeing": str(seeing)}


@pytest.fixture(scope="module")
def client(make_app, folders):
    limits = Limits(max_documents=40)
    aliases = {**folders, "jina-reranker-v3": DEFAULT_RERANKER}
    with TestClient(make_app(aliases=aliases, limits=limits), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def rerank(client):
    def ask(path="/v1/rerank", **more):
        answer = client.post(path, json=ASKED | more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


def test_documents_come_best_first_with_scores_and_as_they_were_given(rerank, expected):
    answer = rerank()
    assert {key: answer[key] for key in ("model", "object")} == {"model": DEFAULT_RERANKER, "object": "list"}
    tokens = expected.usage.total_tokens
    assert answer["usage"] == {"total_tokens": tokens, "prompt_tokens": tokens}
    given = [DOCUMENTS[0], {"text": TEXTS[1]}, DOCUMENTS[2]]
    assert answer["results"] == [
        {"index": hit.index, "relevance_score": round(hit.score, 8), "document": given[hit.index]} for hit in expected
    ]
    assert answer["results"][0]["index"] == 1


def test_clients_of_vllm_get_objects(rerank):
    answer = rerank()
    for result in answer["results"]:
        result["document"] = {"text": TEXTS[result["index"]]}
    assert rerank("/rerank") == answer
    assert rerank("/rerank", return_documents=False) == rerank(return_documents=False)


def test_what_stands_in_for_a_listwise_model_echoes_objects_too(rerank):
    [best] = rerank(model="jina-reranker-v3", top_n=1)["results"]
    assert best["document"] == {"text": TEXTS[best["index"]]}


@pytest.mark.parametrize(("top_n", "number"), [(None, 3), (1, 1), (2, 2), (99, 3), ("2", 2)])
def test_so_many_are_given(rerank, top_n, number):
    for name in ("top_n", "top_k"):
        assert rerank(**{name: top_n})["results"] == rerank()["results"][:number]


def test_documents_are_left_out_where_they_are_not_wanted(rerank):
    for wanted in (None, True, "true"):
        assert rerank(return_documents=wanted) == rerank()
    for result, full in zip(rerank(return_documents=False)["results"], rerank()["results"], strict=True):
        assert result == {"index": full["index"], "relevance_score": full["relevance_score"]}


def test_a_query_may_be_an_object_and_unknown_fields_are_ignored(rerank):
    assert rerank(query={"text": QUERY}, user="me", rank_fields=None, embeddings=[1]) == rerank()
    assert rerank(model=f"jina-ai/{DEFAULT_RERANKER}")["results"] == rerank()["results"]


def test_documents_are_cut_where_that_is_asked_for(rerank):
    with Reranker(max_document_length=2) as reranker:
        limited = reranker.rerank(QUERY, TEXTS)
    for name in ("max_doc_length", "max_tokens_per_doc"):
        answer = rerank(**{name: 2})
        assert [result["relevance_score"] for result in answer["results"]] == [round(hit.score, 8) for hit in limited]
        assert answer["usage"]["total_tokens"] == limited.usage.total_tokens


def test_a_long_document_counts_by_its_best_part_or_its_head(rerank):
    long = ["Bread is baked in an oven. " * 200 + TEXTS[1], "Bread is baked."]
    by_part, by_head = (rerank(documents=long, truncation=truncation)["results"] for truncation in (None, True))
    assert by_part[0]["index"] == 0
    scores = [next(r["relevance_score"] for r in found if r["index"] == 0) for found in (by_part, by_head)]
    assert scores[0] > 2 * scores[1]


def test_a_listwise_model_echoes_objects_and_gives_vectors(rerank, folders):
    answer = rerank(model="list", return_embeddings=True, top_n=2)
    with Reranker(folders["list"]) as reranker:
        wanted = reranker.rerank(QUERY, TEXTS, top_n=2)
    assert [result["document"] for result in answer["results"]] == [{"text": TEXTS[hit.index]} for hit in wanted]
    vectors = np.array([result["embedding"] for result in answer["results"]])
    np.testing.assert_allclose(vectors, wanted.vectors, atol=1e-6)
    assert not any("embedding" in result for result in rerank(model="list")["results"])


def test_a_model_that_sees_ranks_images_in_each_form(rerank):
    bare = PIXEL.partition(",")[2]
    documents = ["a text", PIXEL, {"image": PIXEL}, {"image": bare}, {"url": PIXEL, "text": None}]
    results = {result["index"]: result for result in rerank(model="seeing", documents=documents)["results"]}
    assert len({results[index]["relevance_score"] for index in range(1, 5)}) == 1
    assert [results[index]["document"] for index in range(5)] == [*documents[:4], {"url": PIXEL}]
    asked = rerank(model="seeing", query={"image": PIXEL}, documents=documents)
    assert asked["results"] == rerank(model="seeing", query=PIXEL, documents=documents)["results"]


def test_coheres_second_version_has_an_id_and_no_documents_unless_asked(rerank):
    answer = rerank("/v2/rerank", top_n=2, max_tokens_per_doc=100_000)
    assert answer["results"] == rerank(return_documents=False, top_n=2)["results"]
    assert str(uuid.UUID(answer["id"])) == answer["id"]
    assert answer["meta"] == {
        "api_version": {"version": "2"},
        "billed_units": {"search_units": 1},
        "tokens": {"input_tokens": rerank()["usage"]["total_tokens"]},
    }
    assert rerank("/v2/rerank", return_documents=True)["results"] == rerank("/rerank")["results"]


@pytest.mark.parametrize(
    ("wrong", "field", "kind"),
    [
        ({"documents": []}, "documents", "too_short"),
        ({"documents": "text"}, "documents", "list_type"),
        ({"documents": ["a"] * 41}, "documents", "too_long"),
        ({"documents": ["a", "", " "]}, "documents -> 1", "value_error"),
        ({"documents": ["a", 3]}, "documents -> 1", "string_type"),
        ({"documents": ["a", {"title": "b"}]}, "documents -> 1", "missing"),
        ({"documents": ["a", {"image": "/etc/passwd"}]}, "documents -> 1", "value_error"),
        ({"documents": ["a", {"image": PIXEL}]}, "documents -> 1", "value_error"),
        ({"model": "seeing", "documents": ["a", {"image": "http://127.0.0.1/x"}]}, "documents -> 1", "value_error"),
        ({"model": "seeing", "documents": ["a", {"image": PIXEL[:60]}]}, "documents -> 1", "value_error"),
        ({"query": ""}, "query", "value_error"),
        ({"query": {"image": PIXEL}}, "query", "value_error"),
        ({"model": "list", "query": {"image": PIXEL}}, "query", "value_error"),
        ({"query": None}, "query", "string_type"),
        ({"top_n": 0}, "top_n", "greater_than_equal"),
        ({"max_doc_length": 8193}, "max_doc_length", "less_than_equal"),
        ({"return_embeddings": True}, "return_embeddings", "value_error"),
        ({"model": None}, "model", "string_type"),
    ],
)
def test_what_does_not_fit_is_named(client, wrong, field, kind):
    answer = client.post("/v1/rerank", json=ASKED | wrong)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "INPUT_VALIDATION"), told
    assert [(each["field"], each["type"]) for each in told["errors"]] == [(f"body -> {field}", kind)]
    assert told["detail"].startswith(f"Validation error(s): body -> {field}: ")
    assert tempfile.gettempdir() not in told["detail"]
    asked = {"max_tokens_per_doc": 0} if field == "max_doc_length" else wrong
    cohere = client.post("/v2/rerank", json=ASKED | asked)
    assert (cohere.status_code, cohere.json().keys()) == (422, {"id", "message"})


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"model": "jina-reranker-v9"}, "INPUT_MODEL_NOT_FOUND"),
        ({"model": "small-embedding-v1"}, "INPUT_MODEL_NOT_FOUND"),
        ({"model": "../../etc"}, "INPUT_MODEL_NOT_FOUND"),
        ({"query": "word " * 3000}, "INPUT_TOKEN_LIMIT_EXCEEDED"),
    ],
)
def test_what_cannot_be_done_has_its_code(client, wrong, code):
    answer = client.post("/v1/rerank", json=ASKED | wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert isinstance(answer.json()["detail"], str)
    assert client.post("/v2/rerank", json=ASKED | wrong).status_code == 400


@pytest.mark.parametrize("place", ["query", "documents", "model"])
def test_half_a_surrogate_pair_is_refused(client, place):
    wrong = ["b\ud83d"] if place == "documents" else "b\ud83d"
    body = json.dumps(ASKED | {place: wrong}).encode()
    answer = client.post("/v1/rerank", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == (400 if place == "model" else 422)


def test_nothing_of_a_document_that_cannot_be_ranked_is_logged(client, caplog):
    client.post("/v1/rerank", json=ASKED | {"model": "seeing", "documents": [{"image": "http://127.0.0.1/secret"}]})
    assert "secret" not in caplog.text
