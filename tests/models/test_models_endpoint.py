import json
import pickle
import subprocess
import sys

import pytest
from local_server import http

from jina_components.errors import BackendError, ConfigError, InputError, UnknownNameError
from jina_components.models.backends.http import HTTPEmbeddingModel, HTTPReranker
from jina_components.models.endpoint import DIALECTS, Endpoint

KEY = "sk-secret-key"
TEXTS = ["first", "second"]
DATA = [{"index": 1, "embedding": [0, 2.5]}, {"index": 0, "embedding": "AACAPwAAAMA="}]
FLOATS = {"float": [[1.0, -2.0], [0.0, 2.5]]}
ROWS = [[1.0, -2.0], [0.0, 2.5]]
RESULTS = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": -0.25}]


def endpoint_of(server, dialect):
    return Endpoint(server.url("/api"), dialect=dialect, api_key=KEY, retries=0)


async def embed(server, dialect, answer, **options):
    """What a model makes of TEXTS when the server answers `answer`."""
    path = "/api/embed" if dialect == "cohere" else "/api/embeddings"
    server.routes[path] = [http(200, json.dumps(answer).encode())]
    model = HTTPEmbeddingModel("tiny", endpoint_of(server, dialect))
    try:
        return await model.aembed(TEXTS, **options)
    finally:
        await model.aclose()


async def score(server, dialect, answer, **options):
    server.routes["/api/rerank"] = [http(200, json.dumps(answer).encode())]
    model = HTTPReranker("tiny", endpoint_of(server, dialect))
    try:
        return await model.ascore("which?", TEXTS, **options)
    finally:
        await model.aclose()


def sent(server):
    [request] = server.received
    assert request.headers["authorization"] == f"Bearer {KEY}"
    return json.loads(request.body)


def test_defaults():
    endpoint = Endpoint("http://localhost:8000/v1")
    assert (endpoint.dialect, endpoint.api_key, endpoint.batch_size) == ("openai", None, None)


def test_the_key_is_hidden_and_travels():
    endpoint = Endpoint("https://api.example.com/v1", api_key=KEY, dialect="jina", batch_size=7, timeout=2)
    assert KEY not in repr(endpoint) + str(endpoint) + repr(endpoint.client())
    copy = pickle.loads(pickle.dumps(endpoint))
    assert copy == endpoint
    assert copy.api_key == KEY
    assert hash(copy) == hash(endpoint)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 0},
        {"batch_size": 2.0},
        {"batch_size": True},
        {"concurrency": 0},
        {"concurrency": None},
        {"retries": -1},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": "60"},
        {"api_key": KEY + "\n"},
        {"api_key": KEY.encode()},
        {"api_key": ""},
        {"base_url": "localhost:8000"},
        {"base_url": "ftp://localhost"},
        {"base_url": "http://user:pass@localhost"},
        {"base_url": None},
    ],
)
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ConfigError) as caught:
        Endpoint(**{"base_url": "http://localhost", **settings})
    assert KEY not in str(caught.value)
    assert next(iter(settings)) in str(caught.value)


def test_an_unknown_dialect_lists_the_known():
    with pytest.raises(UnknownNameError, match=r"'jina'\? Known: cohere, jina, openai"):
        Endpoint("http://localhost", dialect="jinaa")


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_embeds_queries_and_passages_and_says_what_it_cannot_do(name):
    dialect = DIALECTS[name]
    assert {"retrieval.query", "retrieval.passage"} <= set(dialect.tasks)
    for operation in filter(None, (dialect.embed, dialect.rerank)):
        assert len(operation.truncate) == 2 or operation.truncate_note


def test_an_endpoint_is_known_without_httpx():
    code = "import sys, jina_components.models.endpoint; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The wire.


async def test_openai_embedding(server):
    rows, tokens = await embed(
        server, "openai", {"data": DATA, "usage": {"prompt_tokens": 6, "total_tokens": 6}}, task="retrieval.query"
    )
    assert (rows.tolist(), tokens) == (ROWS, 6)
    assert sent(server) == {"model": "tiny", "encoding_format": "base64", "input": TEXTS}


async def test_jina_embedding(server):
    answer = {"data": DATA, "usage": {"total_tokens": 9}}
    rows, tokens = await embed(server, "jina", answer, task="code.query", truncate=True)
    assert (rows.tolist(), tokens) == (ROWS, 9)
    fields = {"embedding_type": "base64", "task": "code.query", "truncate": True}
    assert sent(server) == {"model": "tiny", **fields, "input": TEXTS}


async def test_no_task_no_field(server):
    await embed(server, "jina", {"data": DATA})
    assert sent(server) == {"model": "tiny", "embedding_type": "base64", "truncate": False, "input": TEXTS}


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("retrieval.query", "search_query"),
        ("retrieval.passage", "search_document"),
        ("classification", "classification"),
        ("separation", "clustering"),
    ],
)
@pytest.mark.parametrize(("truncate", "word"), [(False, "NONE"), (True, "END")])
async def test_cohere_embedding(server, task, kind, truncate, word):
    answer = {"id": "x", "embeddings": FLOATS, "meta": {"billed_units": {"input_tokens": 6.0}}}
    rows, tokens = await embed(server, "cohere", answer, task=task, truncate=truncate)
    assert (rows.tolist(), tokens) == (ROWS, 6)
    fields = {"embedding_types": ["float"], "input_type": kind, "truncate": word}
    assert sent(server) == {"model": "tiny", **fields, "texts": TEXTS}


@pytest.mark.parametrize(
    ("dialect", "truncate", "fields", "meter", "tokens"),
    [
        ("jina", False, {"return_documents": False, "truncation": False}, {"usage": {"total_tokens": 12}}, 12),
        ("jina", True, {"return_documents": False, "truncation": True}, {"usage": {"total_tokens": 12}}, 12),
        ("cohere", False, {}, {"meta": {"billed_units": {"search_units": 1}}}, 0),
        ("cohere", True, {}, {"meta": {"billed_units": {"search_units": 1}}}, 0),
    ],
)
async def test_reranking(server, dialect, truncate, fields, meter, tokens):
    scores, used = await score(server, dialect, {"results": RESULTS, **meter}, truncate=truncate)
    assert (scores.dtype, scores.tolist(), used) == (float, [-0.25, 0.9], tokens)
    assert sent(server) == {"model": "tiny", "query": "which?", "documents": TEXTS, **fields}


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 4, "total_tokens": 5}, 4),
        ({"prompt_tokens": 0, "total_tokens": 5}, 5),
        ({"total_tokens": 5.0}, 5),
        ({"prompt_tokens": None}, 0),
        ({}, 0),
        (None, 0),
    ],
)
async def test_tokens_are_those_the_server_reports(server, usage, tokens):
    assert (await embed(server, "openai", {"data": DATA, "usage": usage}))[1] == tokens


@pytest.mark.parametrize("answer", [{}, {"embeddings": {}}, {"embeddings": ROWS}, {"embeddings": FLOATS, "meta": 1}])
async def test_cohere_answers_out_of_form(server, answer):
    with pytest.raises(BackendError, match=r"texts\[0:2\]: .*/api/embed answered out of form"):
        await embed(server, "cohere", answer, task="retrieval.query")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"detail": f"bad key {KEY}"},
        {"data": [], "usage": {}},
        *({"data": DATA, "usage": {"prompt_tokens": odd}} for odd in (-1, "many", float("nan"), float("inf"))),
        {"data": DATA, "usage": [1]},
    ],
)
async def test_other_answers_out_of_form(server, answer):
    with pytest.raises(BackendError, match="out of form") as caught:
        await embed(server, "jina", answer)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("odd", [None, "0.5", [0.5], float("nan"), float("inf")])
async def test_scores_out_of_form(server, odd):
    with pytest.raises(BackendError, match=r"documents\[0:2\]: .*/api/rerank answered out of form"):
        await score(server, "jina", {"results": [RESULTS[0], {"index": 0, "relevance_score": odd}]})


async def test_too_few_scores(server):
    with pytest.raises(BackendError, match="1 results for 2 items"):
        await score(server, "cohere", {"results": RESULTS[:1]}, truncate=True)


async def test_what_a_dialect_cannot_be_asked_is_refused_before_anything_is_sent(server):
    with pytest.raises(InputError, match="segment long texts; pass truncate=False"):
        await embed(server, "openai", {}, truncate=True)
    with pytest.raises(InputError, match=r"needs a task: pass one of .*retrieval\.passage"):
        await embed(server, "cohere", {})
    with pytest.raises(UnknownNameError, match="task of the openai dialect 'classification'"):
        await embed(server, "openai", {}, task="classification")
    with pytest.raises(ConfigError, match="openai dialect has no reranking; set one of: cohere, jina"):
        await score(server, "openai", {})
    with pytest.raises(ConfigError, match="which model"):
        HTTPEmbeddingModel("", endpoint_of(server, "openai"))
    assert server.connections == 0
