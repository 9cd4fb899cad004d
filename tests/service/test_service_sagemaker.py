"""What Amazon SageMaker asks of a container, and what Jina's model packages for it answer."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from jina_components.service.accounts.keys import FREE_GRANT, Keys
from jina_components.service.settings import Limits

EMBEDDER, RERANKER = "static-minilm-v1", "small-cross-encoder-v1"
CHAT = {
    "model": "jina-deepsearch-v1", "messages": [{"role": "user", "content": "What pulls the sea?"}], "stream": True
}  # fmt: skip
DOCUMENTS = [{"text": "Bread needs salt."}, {"text": "The moon pulls the sea."}]


@pytest.fixture(scope="module")
def client(make_app: Callable[..., FastAPI]) -> Iterator[TestClient]:
    app = make_app(embedder=EMBEDDER, reranker=RERANKER)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def asked(client: TestClient, body: object, **headers: str) -> Any:
    answer = client.post("/invocations", json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


def embedded(client: TestClient, *texts: str, **others: Any) -> list[list[float]]:
    answer = client.post("/v1/embeddings", json={"model": EMBEDDER, "input": list(texts), **others}).json()
    return [each["embedding"] for each in answer["data"]]


def test_it_is_asked_whether_it_is_ready(make_app: Callable[..., FastAPI]) -> None:
    app = make_app()
    with TestClient(app) as client:
        assert (client.get("/ping").status_code, client.get("/ping").content) == (200, b"")
        app.state.ready = False
        assert client.get("/ping").status_code == 503


@pytest.mark.parametrize(
    "data", [["tides", "moon"], [{"text": "tides"}, {"text": "moon"}], [{"text": "tides"}, "moon"]]
)
def test_texts_are_embedded(client: TestClient, data: object) -> None:
    answer = asked(client, {"data": data, "parameters": {"dimensions": "64"}})
    assert [each["embedding"] for each in answer["data"]] == embedded(client, "tides", "moon", dimensions=64)
    assert answer["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("data", [{"text": "tides"}, "tides"])
def test_one_text_is_embedded(client: TestClient, data: object) -> None:
    [one] = asked(client, {"data": data})["data"]
    assert one["embedding"] == embedded(client, "tides")[0]


def test_documents_are_ranked(client: TestClient) -> None:
    one = {"query": "What pulls the sea?", "documents": DOCUMENTS, "top_n": 1}
    [ranked] = asked(client, {"data": one})["data"]
    [best] = ranked["results"]
    assert (best["index"], best["document"]) == (1, DOCUMENTS[1])
    several = asked(client, {"data": [one, {**one, "query": "What does bread need?", "top_n": 2}]})["data"]
    assert [each["results"][0]["index"] for each in several] == [1, 0]
    assert [len(each["results"]) for each in several] == [1, 2]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"input": ["tides"]}, "/v1/embeddings"),
        ({"model": "small-embedding-v1", "input": "tides"}, "/v1/embeddings"),
        ({"query": "sea", "documents": ["bread", "the sea"]}, "/v1/rerank"),
        ({"input": ["I love it"], "labels": ["good", "bad"]}, "/v1/classify"),
        ({"content": "It rains. We stay.", "return_chunks": True}, "/v1/segment"),
    ],
)
def test_bodies_of_the_api_are_known_by_their_fields(client: TestClient, body: dict[str, Any], path: str) -> None:
    own = {"/v1/embeddings": EMBEDDER, "/v1/rerank": RERANKER, "/v1/classify": EMBEDDER}
    model = {"model": own[path]} if path in own else {}
    assert asked(client, body) == client.post(path, json={**model, **body}).json()


def test_a_route_may_be_named(client: TestClient) -> None:
    body = {"input": ["tides"], "model": EMBEDDER, "data": "what no route reads"}
    named = asked(client, body, x_amzn_sagemaker_custom_attributes="trace=1, route=/v1/embeddings")
    assert named == client.post("/v1/embeddings", json=body).json()
    pages = {"html": "<title>T</title><p>Some words of a page.</p>"}
    page = asked(client, pages, x_amzn_sagemaker_custom_attributes="route=/r/", accept="application/json")
    assert page["data"]["content"] == "Some words of a page."
    assert "Some words" in client.post("/invocations", json=pages).text


def test_answers_stream(client: TestClient) -> None:
    answer = client.post("/invocations", json=CHAT)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.rstrip().endswith("data: [DONE]")


def test_a_client_that_goes_is_gone_for_the_route(make_app: Callable[..., FastAPI], run_service: Any) -> None:
    app = make_app()
    with run_service(app) as url:
        with httpx.Client() as client, client.stream("POST", f"{url}/invocations", json=CHAT) as answer:
            next(answer.iter_raw())
        while app.state.metrics.in_flight._value.get():
            time.sleep(0.01)


def rows(*given: tuple[str, ...]) -> str:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(given)
    return written.getvalue()


def test_rows_of_a_batch(client: TestClient) -> None:
    ranking = json.dumps(DOCUMENTS)
    body = rows(
        ("id-1", 'He said: "The tide is high".\nAnd it was.'),
        ("id-2", json.dumps(["tides", "moon"]), json.dumps({"dimensions": 64})),
        ("id-3", "What pulls the sea?", ranking, "1"),
    )
    answer = client.post("/invocations", content=body, headers={"content-type": "text/csv"})
    first, second, third = answer.json()["data"]
    assert [each["id"] for each in (first, second, third)] == ["id-1", "id-2", "id-3"]
    assert first["embedding"] == embedded(client, 'He said: "The tide is high".\nAnd it was.')[0]
    assert first["usage"]["total_tokens"] > 0
    assert [each["embedding"] for each in second["data"]] == embedded(client, "tides", "moon", dimensions=64)
    assert third["results"][0]["index"] == 1
    plain = client.post("/invocations", content="id-4,tides\r\nid-5,moon\r\n", headers={"content-type": "text/csv"})
    assert [each["embedding"] for each in plain.json()["data"]] == embedded(client, "tides", "moon")


def test_lines_of_a_batch(client: TestClient) -> None:
    ranking = {"query": "sea", "documents": ["bread", "sea"]}
    lines = [{"data": "tides"}, ranking, {"data": ranking}]
    body = "\n".join(map(json.dumps, lines)) + "\n\n"
    answer = client.post("/invocations", content=body, headers={"content-type": "application/jsonlines"})
    assert answer.headers["content-type"].startswith("application/jsonlines")
    first, second, third = map(json.loads, answer.text.splitlines())
    assert first["data"][0]["embedding"] == embedded(client, "tides")[0]
    assert second["results"][0]["index"] == 1
    assert third["data"] == [second]


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        ("{", "application/json", 400, "no JSON"),
        ("[]", "application/json", 400, "must be a JSON object"),
        ("{}", "application/json", 400, "Nothing tells what is asked for"),
        ('{"data": []}', "application/json", 422, "input"),
        ('{"data": [{"x": 1}]}', "application/json", 422, "input"),
        ('{"data": ["a"], "parameters": 3}', "application/json", 400, "parameters"),
        ('{"data": ["a"], "parameters": {"model": "nothing"}}', "application/json", 400, "nothing"),
        ('{"data": {"documents": ["a"]}}', "application/json", 422, "query"),
        ("id-1,tides\nid-2", "text/csv", 400, "Row 2 has 1 cells"),
        ('id-1,"[",{}', "text/csv", 400, "Row 1"),
        ('id-1,"[]",{}', "text/csv", 422, "Row id-1: "),
        ("id-1,tid\x00es\nid-2,tides,3", "text/csv", 400, "Row 2"),
        (b"id-1,\xff", "text/csv", 400, "UTF-8"),
        ('{"data": "a"}\n{', "application/jsonlines", 400, "no JSON"),
        ('{"data": "a"}\n{"data": []}', "application/jsonlines", 422, "Line 2: "),
        (f'{{"data": "a"}}\n{json.dumps(CHAT)}', "application/x-ndjson", 400, "Line 2: The answer is a stream"),
        pytest.param("id,tides\n" * 5001, "text/csv", 413, "up to 5,000", id="rows"),
        pytest.param('{"data": "a"}\n' * 5001, "application/jsonlines", 413, "up to 5,000", id="lines"),
        pytest.param(
            json.dumps({"data": [{"documents": 0}] * 5001}), "application/json", 413, "up to 5,000", id="rankings"
        ),
        pytest.param(
            f"{json.dumps({'data': [{'documents': 0}] * 2501})}\n" * 2,
            "application/jsonlines",
            413,
            "up to 5,000",
            id="rankings of lines",
        ),
        pytest.param(
            json.dumps({"data": ["a"], "parameters": {"x": "y" * 100_000}}),
            "application/json",
            400,
            "parameters",
            id="parameters",
        ),
    ],
)
def test_what_does_not_fit_is_told(client: TestClient, body: str | bytes, kind: str, status: int, says: str) -> None:
    answer = client.post("/invocations", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/keys", "/invocations", "/mcp", "//evil.example", "/v1/embeddings/../keys", "x"])
def test_no_other_route_can_be_named(client: TestClient, path: str) -> None:
    headers = {"x-amzn-sagemaker-custom-attributes": f"route={path}"}
    answer = client.post("/invocations", json={"name": "mine"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_INVALID")


def test_the_models_of_the_operator_answer(make_app: Callable[..., FastAPI]) -> None:
    app = make_app(aliases={"mine": EMBEDDER}, only=("mine",))
    with TestClient(app) as client:
        answer = asked(client, {"data": "tides"})
        assert answer["model"] == "mine"
        large = client.post("/invocations", json={"query": "q", "documents": ["d"]})
        assert large.status_code in (400, 422)  # it has no reranker


def test_limits_and_keys_are_those_of_the_routes(make_app: Callable[..., FastAPI]) -> None:
    app = make_app(embedder=EMBEDDER, needs_keys=True, limits=Limits(max_items=2, max_body_bytes=2000))
    with TestClient(app) as client:
        made, secret = (keys := Keys(app.state.database)).create(name="endpoint")
        assert client.post("/invocations", json={"data": "tides"}).status_code == 401
        client.headers["authorization"] = f"Bearer {secret}"
        assert len(asked(client, {"data": ["tides", "moon"]})["data"]) == 2
        assert keys.get(made.id).balance < FREE_GRANT
        assert client.post("/invocations", json={"data": ["a", "b", "c"]}).status_code in (400, 413, 422)
        assert client.post("/invocations", json={"data": "x" * 2000}).status_code == 413
        assert client.get("/ping").status_code == 200
