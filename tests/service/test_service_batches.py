import asyncio
import contextlib
import functools
import json
import threading
import time

import numpy as np
import pytest
from local_server import LocalServer, ServerThread, http
from sqlalchemy import select
from starlette.testclient import TestClient
from stored_batches import order

from jina_components import Embedder
from jina_components.errors import BackendError
from jina_components.net import Fetcher, URLGuard
from jina_components.service import Components, ServiceSettings, create_app
from jina_components.service.batches import running, worker
from jina_components.service.batches.files import web_url
from jina_components.service.batches.jobs import Line
from jina_components.service.batches.store import BatchStore
from jina_components.service.database import Database
from jina_components.service.database.tables import BATCHES
from jina_components.service.errors import Problem

MODEL = "static-minilm-v1"
FIELDS = [
    "batch_id", "status", "model", "created_at", "completed_at", "expires_at", "output_url", "error_file_url", "error",
    "stats",
]  # fmt: skip


@pytest.fixture(scope="module")
def web():
    thread = ServerThread()
    yield thread.start(LocalServer())
    thread.stop()


@pytest.fixture(scope="module")
def client(make_app):
    with TestClient(make_app(allow_networks=("127.0.0.0/8",)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def going_on(monkeypatch):
    """What the models wait for."""
    event = threading.Event()
    real = Embedder.aembed

    async def aembed(self, inputs, **options):
        while not event.is_set():  # noqa: ASYNC110 (in another thread)
            await asyncio.sleep(0.01)
        return await real(self, inputs, **options)

    monkeypatch.setattr(Embedder, "aembed", aembed)
    return event


def items(*inputs):
    return [{"custom_id": f"id-{number}", "body": {"input": each}} for number, each in enumerate(inputs)]


@contextlib.contextmanager
def kept(data, model, *texts):
    """A store of a service that does not run, whose turns are over at once, and the path of the one batch it holds."""
    database = Database(ServiceSettings(data=data).database)
    store = BatchStore(database, lease=0)
    lines = [Line(number, f"id-{number}", 1, json.dumps(text).encode()) for number, text in enumerate(texts, 1)]
    yield store, f"/v1/batch/{store.add(order('anyone', model=model), lines).id}"
    database.close()


def sent(client, inputs, **more):
    return client.post("/v1/batch/embeddings", json={"model": MODEL, "input": inputs, **more})


def ended(client, status, **headers):
    while status["status"] in ("pending", "processing"):
        time.sleep(0.02)
        status = client.get(f"/v1/batch/{status['batch_id']}", headers=headers).json()
    return status


def rows(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jsonl"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_batch_gives_what_single_calls_give(client):
    inputs = ["The sea is calm.", {"text": "Stocks fell."}, ["one", "two"]]
    answer = sent(client, items(*inputs), dimensions=64, normalized=False)
    assert answer.status_code == 200
    status = answer.json()
    assert list(status) == FIELDS
    assert (status["model"], status["output_url"], status["error_file_url"]) == (MODEL, None, None)
    status = ended(client, status)
    assert list(status) == FIELDS
    assert (status["status"], status["error"], status["error_file_url"]) == ("completed", None, None)
    assert status["created_at"] < status["completed_at"] < status["expires_at"]
    tokens = 0
    for row, given in zip(rows(client.get(status["output_url"])), inputs, strict=True):
        single = client.post(
            "/v1/embeddings", json={"model": MODEL, "input": given, "dimensions": 64, "normalized": False}
        ).json()
        body = row["response"]["body"]
        assert [row["response"]["status_code"], row["error"]] == [200, None]
        assert body["usage"] == single["usage"]
        assert [each["index"] for each in body["data"]] == list(range(len(single["data"])))
        np.testing.assert_allclose(
            [each["embedding"] for each in body["data"]], [each["embedding"] for each in single["data"]], atol=1e-6
        )
        tokens += single["usage"]["total_tokens"]
    assert status["stats"] == {"total": 3, "completed": 3, "failed": 0, "total_tokens": tokens}
    assert client.get(f"/v1/batch/{status['batch_id']}/errors").content == b""


def test_bad_lines_are_named_and_stop_no_others(client):
    given = [
        *items("good"),
        {"custom_id": "id-0", "body": {"input": "again"}},
        {"custom_id": "", "body": {"input": "x"}},
        {"custom_id": "blank", "body": {"input": " "}},
        {"custom_id": "none", "body": {}},
        {"custom_id": "other", "body": {"input": "x", "model": "small-embedding-v1"}},
        {"custom_id": "number", "body": {"input": 3.5}},
        {"custom_id": "many", "body": {"input": ["x"] * 513}},
        {"custom_id": "long", "body": {"input": "word " * 9000}},
        {"custom_id": "picture", "body": {"input": {"image": "https://example.com/a.png"}}},
        "text",
        {"custom_id": "last", "body": {"input": "good", "model": MODEL}},
    ]
    status = ended(client, sent(client, given).json())
    stats = status["stats"]
    assert (status["status"], stats["total"], stats["completed"], stats["failed"]) == ("completed", 12, 2, 10)
    assert [row["custom_id"] for row in rows(client.get(status["output_url"]))] == ["id-0", "last"]
    failed = {row["line"]: row for row in rows(client.get(status["error_file_url"]))}
    assert [*failed] == list(range(2, 12))
    assert [row["custom_id"] for row in failed.values()] == [
        "id-0", None, "blank", "none", "other", "number", "many", "long", "picture", None,
    ]  # fmt: skip
    words = [
        "line 1 already",
        "1 to 512",
        "",
        "missing",
        "body.model",
        "body.input",
        "513",
        "context",
        "images",
        "object",
    ]
    for row, word in zip(failed.values(), words, strict=True):
        body = row["response"]["body"]
        assert 400 <= row["response"]["status_code"] < 500
        assert word in body["detail"]
        assert row["error"] == {"code": body["code"], "message": body["detail"]}
        assert body["message"] == body["detail"]
    assert failed[9]["error"]["code"] == "INPUT_TOKEN_LIMIT_EXCEEDED"


def test_long_texts_are_cut_where_that_is_asked_for(client):
    status = ended(client, sent(client, items("word " * 9000), truncate=True).json())
    assert status["stats"]["total_tokens"] == 8192


@pytest.mark.parametrize(
    ("request_body", "status", "word"),
    [
        ({"input": items("x")}, 422, "body -> model"),
        ({"model": MODEL}, 422, "either"),
        ({"model": MODEL, "input": items("x"), "input_url": "https://example.com/x"}, 422, "either"),
        ({"model": MODEL, "input": []}, 422, "body -> input"),
        ({"model": MODEL, "input": [{}] * 10_001}, 422, "body -> input"),
        ({"model": "no-such-model", "input": items("x")}, 400, "no-such-model"),
        ({"model": "../../etc", "input": items("x")}, 400, "not known"),
        ({"model": "small-cross-encoder-v1", "input": items("x")}, 400, "not known"),
        ({"model": "jina-colbert-v2", "input": items("x")}, 400, "vector a token"),
        ({"model": MODEL, "input": items("x"), "dimensions": 0}, 422, "body -> dimensions"),
        ({"model": MODEL, "input": items("x"), "dimensions": 257}, 422, "less than or equal to 256"),
        ({"model": MODEL, "input": items("x"), "task": "poetry"}, 422, "body -> task"),
        ({"model": MODEL, "input": items("x"), "webhook_url": "http://169.254.169.254/"}, 422, "body -> webhook_url"),
        ({"model": MODEL, "input": items("x"), "webhook_url": "file:///etc/passwd"}, 422, "body -> webhook_url"),
        ({"model": MODEL, "input_url": "http://10.0.0.1/x"}, 422, "body -> input_url"),
        ({"model": MODEL, "input_url": "/etc/passwd"}, 422, "body -> input_url"),
        ({"model": MODEL, "input_url": "gs://bucket"}, 422, "gs://bucket/file"),
    ],
)
def test_a_request_that_is_wrong_is_refused_whole(client, request_body, status, word):
    before = client.get("/v1/batches").json()
    answer = client.post("/v1/batch/embeddings", json=request_body)
    assert answer.status_code == status
    assert word in answer.json()["detail"]
    assert client.get("/v1/batches").json() == before


@pytest.mark.parametrize("task", ["retrieval", "text-matching", "clustering", "classification", "retrieval.query", ""])
def test_tasks_of_the_batch_api_are_known(client, task):
    assert ended(client, sent(client, items("x"), task=task).json())["stats"]["completed"] == 1


def test_a_file_is_fetched_and_read_by_lines(client, web):
    content = [
        '\ufeff{"custom_id": "a", "method": "POST", "body": {"input": "grün"}}',
        "",
        "{not json",
        '{"custom_id": "b", "body": {"input": "x"}}\r',
        '{"custom_id": "a", "body": {"input": "again"}}',
        '{"custom_id": "\\ud800", "body": {"input": "half"}}',
    ]
    web.routes["/lines.jsonl"] = [http(body="\n".join(content).encode())]
    answer = client.post("/v1/batch/embeddings", json={"model": MODEL, "input_url": web.url("/lines.jsonl")})
    status = ended(client, answer.json())
    assert [(row["line"], row["custom_id"]) for row in rows(client.get(status["output_url"]))] == [(1, "a"), (4, "b")]
    failed = rows(client.get(status["error_file_url"]))
    assert [(row["line"], row["custom_id"]) for row in failed] == [(3, None), (5, "a"), (6, None)]
    assert failed[0]["error"]["message"].startswith("Line 3: it is not JSON")


@pytest.mark.parametrize(
    ("response", "status", "word"),
    [
        (http(403), 422, "403"),
        (http(200, b""), 400, "no lines"),
        (http(200, b'{"custom_id": "a"}\n' * 50_001), 413, "50,000"),
        (http(302, location="http://10.0.0.1/"), 422, "10.0.0.1"),
    ],
)
def test_a_file_that_cannot_be_had_is_told(client, web, response, status, word):
    web.routes["/other.jsonl"] = [response]
    answer = client.post("/v1/batch/embeddings", json={"model": MODEL, "input_url": web.url("/other.jsonl")})
    assert (answer.status_code, word in answer.json()["detail"]) == (status, True)


def test_public_buckets_have_addresses():
    assert web_url("https://example.com/a") == "https://example.com/a"
    assert web_url("gs://my_bucket/a b/c.jsonl") == "https://storage.googleapis.com/my_bucket/a%20b/c.jsonl"
    assert web_url("s3://bucket/a.jsonl") == "https://bucket.s3.amazonaws.com/a.jsonl"
    assert web_url("s3://my.bucket/a.jsonl") == "https://s3.amazonaws.com/my.bucket/a.jsonl"
    for url in ("gs://", "s3://b/x", "gs:bucket/x", "s3://evil.com@host/x", "gs://../x"):
        with pytest.raises(Problem):
            web_url(url)


def test_who_waits_is_told_to_and_may_cancel(make_app, going_on):
    with TestClient(make_app()) as client:
        status = sent(client, items("x")).json()
        for what in ("output", "errors"):
            answer = client.get(f"/v1/batch/{status['batch_id']}/{what}")
            assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT_RESOURCE_BUSY")
            assert answer.headers["retry-after"]
        cancelled = client.delete(f"/v1/batch/{status['batch_id']}").json()
        assert (cancelled["status"], cancelled["completed_at"] is None) == ("cancelled", False)
        assert rows(client.get(cancelled["output_url"])) == []
        other = sent(client, items("x")).json()
        assert client.get(f"/v1/batch/{other['batch_id']}").json()["status"] == "pending"
        going_on.set()
        assert ended(client, other)["status"] == "completed"
        assert client.get(f"/v1/batch/{status['batch_id']}").json() == cancelled


def test_batches_are_their_owners(client):
    mine, yours = {"Authorization": "Bearer mine"}, {"Authorization": "Bearer yours"}
    answer = client.post("/v1/batch/embeddings", json={"model": MODEL, "input": items("x")}, headers=mine)
    status = ended(client, answer.json(), **mine)
    assert client.get("/v1/batches", headers=mine).json() == [status]
    assert client.get("/v1/batches", headers=yours).json() == []
    path = f"/v1/batch/{status['batch_id']}"
    answers = [
        client.request(method, path, headers=yours)
        for method, path in (
            ("GET", path), ("DELETE", path), ("GET", f"{path}/output"), ("GET", f"{path}/errors"),
            ("GET", "/v1/batch/batch_0"),
        )
    ]  # fmt: skip
    assert {(answer.status_code, answer.json()["code"], answer.json()["detail"]) for answer in answers} == {
        (404, "RESOURCE_NOT_FOUND", "There is no batch of this id, or it is another's.")
    }


def test_the_newest_batches_are_listed(client):
    key = {"Authorization": "Bearer lists"}
    made = [
        client.post("/v1/batch/embeddings", json={"model": MODEL, "input": items("x")}, headers=key).json()["batch_id"]
        for _ in range(3)
    ]
    listed = client.get("/v1/batches?limit=2", headers=key).json()
    assert [each["batch_id"] for each in listed] == made[:0:-1]
    assert len(client.get("/v1/batches", headers=key).json()) == 3
    assert client.get("/v1/batches?limit=0", headers=key).status_code == 422


def test_the_webhook_is_told_of_the_end(client, web):
    web.received.clear()
    web.routes["/hook"] = [http(503, Retry_After="0"), http(204)]
    status = ended(client, sent(client, items("x"), webhook_url=web.url("/hook")).json())
    while sum(request.path == "/hook" for request in web.received) < 2:
        time.sleep(0.02)
    for request in web.received:
        assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
        assert json.loads(request.body) == status


def test_a_model_that_is_not_to_be_had_is_told_of_at_once(make_app):
    asked = {"model": "jina-embeddings-v3", "input": items("x")}
    with TestClient(make_app(offline=True)) as client:
        answer = client.post("/v1/batch/embeddings", json=asked)
        assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_MODEL_NOT_FOUND")
        assert client.get("/v1/batches").json() == []
        single = client.post("/v1/embeddings", json={**asked, "input": "x"})
        assert (single.status_code, single.json()["detail"]) == (400, answer.json()["detail"])


def test_a_batch_whose_model_is_gone_fails(make_app, tmp_path):
    aliases = {"ours": str(tmp_path / "nothing")}
    with kept(tmp_path, "ours", "x") as (_, path):
        pass
    with TestClient(make_app(data=tmp_path, aliases=aliases)) as client:
        status = ended(client, client.get(path).json())
        assert (status["status"], status["stats"]["completed"]) == ("failed", 0)
        assert "'ours' cannot be loaded here" in status["error"]
        assert str(tmp_path) not in status["error"]
        assert rows(client.get(status["output_url"])) == []


def test_a_model_that_fails_is_tried_again(make_app, monkeypatch):
    """A whole chunk that fails is the fault of the model: it is tried again, and in the end the batch fails."""
    calls = []
    fails = [True]
    real = Embedder.aembed

    async def aembed(self, inputs, **options):
        calls.append(len(inputs))
        if fails[0]:
            raise BackendError("The device is gone.")
        return await real(self, inputs, **options)

    monkeypatch.setattr(Embedder, "aembed", aembed)
    monkeypatch.setattr(worker, "_RETRY_SECONDS", (0.0, 0.0, 0.0))
    with TestClient(make_app()) as client:
        status = ended(client, sent(client, items("x", "y")).json())
        assert (status["status"], len(calls)) == ("failed", 8)
        assert "device" not in status["error"]
        fails[0] = False
        assert ended(client, sent(client, items("x", "y")).json())["stats"]["completed"] == 2


@pytest.mark.parametrize(("begun", "completed"), [(2, 40), (3, 24)])
def test_lines_at_which_the_process_is_killed_fail_in_the_end(make_app, tmp_path, begun, completed):
    """Those that are begun together, of about a kilobyte, and no others."""
    with kept(tmp_path, MODEL, *["x" * 60] * 40) as (store, path):
        for _ in range(begun):
            store.next_turn("")
    with TestClient(make_app(data=tmp_path)) as client:
        status = ended(client, client.get(path).json())
        assert (status["status"], status["stats"]["completed"]) == ("completed", completed)
        failed = rows(client.get(f"{path}/errors"))
    assert [row["line"] for row in failed] == [*range(1, 41 - completed)]
    assert all("killed 3 times" in row["error"]["message"] for row in failed)


def test_a_batch_that_kills_the_process_line_by_line_fails(make_app, tmp_path):
    with kept(tmp_path, MODEL, *["x" * 60] * 40) as (store, path):
        for _ in range(3):
            batch = store.next_turn("")
        line = store.waiting(batch, max_inputs=1, max_bytes=1)[0]
        store.commit(batch, [line.failed_with(Problem(500, "CODE", "It was killed."))])
        for _ in range(3):
            store.next_turn("")
    with TestClient(make_app(data=tmp_path)) as client:
        status = ended(client, client.get(path).json())
    assert (status["status"], status["stats"]["failed"]) == ("failed", 1)
    assert "killed 3 times" in status["error"]


def test_a_service_that_ends_in_order_blames_no_lines(make_app, tmp_path, monkeypatch):
    begun = threading.Event()

    async def aembed(self, inputs, **options):
        begun.set()
        await asyncio.sleep(3600)

    with kept(tmp_path, MODEL, "x") as (store, path), monkeypatch.context() as patch:
        patch.setattr(Embedder, "aembed", aembed)
        for _ in range(4):
            begun.clear()
            with TestClient(make_app(data=tmp_path)):
                assert begun.wait(30)
        assert store.get(path.rpartition("/")[2], "anyone").begun == 0
    with TestClient(make_app(data=tmp_path)) as client:
        assert ended(client, client.get(path).json())["stats"]["completed"] == 1


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_services_of_one_database_share_the_work(make_app, request, tmp_path, monkeypatch, going_on, database):
    """Each works on a batch of its own, and goes on with that of one that has ended."""
    url = request.getfixturevalue("make_postgres_url")() if database == "postgresql" else ""
    turns = []
    real = BatchStore.next_turn

    def next_turn(self, after):
        if batch := real(self, after):
            turns.append((self, batch.id))
        return batch

    monkeypatch.setattr(BatchStore, "next_turn", next_turn)
    with TestClient(make_app(data=tmp_path, database_url=url)) as second:
        with TestClient(make_app(data=tmp_path, database_url=url)) as first:
            made = [sent(first, items(*["some words to embed"] * 300)).json() for _ in range(2)]
            while len(turns) < 2:
                time.sleep(0.01)
            assert len({store for store, _ in turns}) == len({batch for _, batch in turns}) == 2
            going_on.set()
        for status in made:
            stats = ended(second, status)["stats"]
            assert (stats["completed"], stats["failed"]) == (300, 0)
            assert [row["line"] for row in rows(second.get(f"/v1/batch/{status['batch_id']}/output"))] == [
                *range(1, 301)
            ]


def test_a_turn_lasts_as_long_as_its_model_takes(make_app, going_on, monkeypatch):
    monkeypatch.setattr(running, "BatchStore", functools.partial(BatchStore, lease=2.0))
    app = make_app()
    held = select(BATCHES.c.held_until, BATCHES.c.begun)
    with TestClient(app) as client:
        status = sent(client, items("x")).json()
        with app.state.database.connected() as db:
            while (first := db.execute(held).one()) == (0, 0):
                time.sleep(0.01)
            while (later := db.execute(held).one()) == first:
                time.sleep(0.05)
        assert (later[0] > first[0], later[1]) == (True, 1)
        going_on.set()
        assert ended(client, status)["stats"]["completed"] == 1


@pytest.mark.parametrize("field", ["custom_id", "task", "webhook_url", "path"])
def test_texts_that_not_every_database_takes_are_refused(make_app, make_postgres_url, tmp_path, field):
    """A NUL, wherever a client can put one."""
    given = {"model": "ours", "input": [{"custom_id": "a\0" if field == "custom_id" else "a", "body": {"input": "x"}}]}
    if field in ("task", "webhook_url"):
        given[field] = {"task": "a\0", "webhook_url": "https://example.com/\0"}[field]
    app = make_app(data=tmp_path, aliases={"ours": MODEL}, database_url=make_postgres_url())
    with TestClient(app, raise_server_exceptions=False) as client:
        if field == "path":
            assert client.get("/v1/batch/batch_%00").status_code == 404
            return
        answer = client.post("/v1/batch/embeddings", json=given)
        if field != "custom_id":
            assert (answer.status_code, f"body -> {field}" in answer.json()["detail"]) == (422, True)
            return
        status = ended(client, answer.json())
        (failed,) = rows(client.get(status["error_file_url"]))
        assert (failed["custom_id"], "NUL" in failed["error"]["message"]) == (None, True)


def test_what_was_accepted_waits_for_the_next_start(make_app, tmp_path):
    with TestClient(make_app(data=tmp_path)) as client:
        made = sent(client, items(*["some words to embed"] * 1500)).json()
    with TestClient(make_app(data=tmp_path)) as client:
        status = ended(client, made)
        assert [row["line"] for row in rows(client.get(status["output_url"]))] == list(range(1, 1501))


async def test_a_webhook_whose_name_leads_inside_is_refused(tmp_path, monkeypatch):
    async def addresses_of(host, port):
        return ["10.0.0.1"]

    monkeypatch.setattr("jina_components.net.guard.addresses_of", addresses_of)
    components = Components(ServiceSettings(data=tmp_path, warm_up=()), fetcher=Fetcher(guard=URLGuard()))
    with TestClient(create_app(components.settings, components=components)) as client:
        answer = sent(client, items("x"), webhook_url="https://intranet.example/hook")
        assert (answer.status_code, "10.0.0.1" in answer.json()["detail"]) == (422, True)
