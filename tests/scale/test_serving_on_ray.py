"""A service on a Ray cluster of this machine: two replicas for all models, and one or two for one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from serving_samples import FACT, GROUP, MOST, make_app, service_on_ray
from starlette.testclient import TestClient

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

OWN = {"x-process", "x-group", "x-request-id", "date", "connection"}
QUESTION = {"messages": [{"role": "user", "content": "How high are the tides in the Bay of Fundy?"}]}


@dataclass
class Running:
    url: str
    data: Path
    client: httpx.Client
    process: subprocess.Popen
    of_the_group: set[int] = field(default_factory=set)

    def pid(self, **asked) -> int:
        """The process that answers."""
        body = {"model": asked.get("model", "of-the-others"), "input": ["a"]}
        return int(self.client.post("/v1/embeddings", json=body).headers["X-Process"])


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="ray-") as name, service_on_ray(Path(name)) as (url, process):
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
        with httpx.Client(base_url=url, timeout=60, limits=limits) as client:
            wait_for(lambda: client.get("/ready").status_code == 200)
            yield Running(url, Path(name) / "data", client, process)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Iterator[TestClient]:
    with TestClient(make_app(tmp_path_factory.mktemp("plain"), ""), raise_server_exceptions=False) as client:
        yield client


def wait_for(is_so, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_replicas_come_with_work(running: Running):
    folder = running.data / "growing"
    folder.mkdir(parents=True)
    hold = partial(running.client.request, "GET", "/held/growing", json={"model": GROUP})
    threads = [threading.Thread(target=hold) for _ in range(2)]  # which leave the processor to what starts
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: running.of_the_group.add(running.pid(model=GROUP)) or len(running.of_the_group) == 2)
    finally:
        (folder / "go").touch()
        for thread in threads:
            thread.join()


PAGE = {"url": "https://example.com", "html": "<h1>A</h1><p>Some words of a page.</p>"}
REQUESTS = {
    "embeddings": ("POST", "/v1/embeddings", {"json": {"model": GROUP, "input": ["Hello", "wörld"], "dimensions": 64}}),
    "of another's": ("POST", "/v1/embeddings", {"json": {"model": "of-the-others", "input": "Hello"}}),
    "packed": ("POST", "/v1/embeddings", {"json": {"model": GROUP, "input": "Hi", "embedding_type": "base64"}}),
    "cohere": ("POST", "/v2/rerank", {"json": {"model": "small-reranker-v1", "query": "a", "documents": ["b", "a"]}}),
    "rerank": ("POST", "/v1/rerank", {"json": {"model": "small-reranker-v1", "query": "a", "documents": ["b", "a"]}}),
    "classify": ("POST", "/v1/classify", {"json": {"model": GROUP, "input": ["a cat"], "labels": ["animal", "city"]}}),
    "segment": ("POST", "/v1/segment", {"json": {"content": "One. Two.\n\nThree.", "return_chunks": True}}),
    "models": ("GET", "/v1/models", {}),
    "a page": ("POST", "/r/", {"json": PAGE}),
    "the same, of a host": ("POST", "/", {
        "json": PAGE, "headers": {"Host": "r.example.com", "Accept": "application/json"},
    }),
    "grounding": ("POST", "/g/", {"json": {"q": FACT}, "headers": {"Accept": "application/json"}}),
    "schema": ("GET", "/openapi.json", {}),
    "preflight": ("OPTIONS", "/v1/embeddings", {
        "headers": {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"},
    }),
    "of a script": ("GET", "/v1/models/small-embedding-v1", {"headers": {"Origin": "https://a.example"}}),
    "an error, of a script": ("GET", "/v1/nope", {"headers": {"Origin": "https://a.example"}}),
    "too large": ("POST", "/v1/embeddings", {
        "content": bytes(200_000), "headers": {"Origin": "https://a.example"},
    }),
    "no such model": ("POST", "/v1/embeddings", {"json": {"model": "nope", "input": "Hello"}}),
    "no such field": ("POST", "/v1/embeddings", {"json": {"model": GROUP}}),
    "no JSON": ("POST", "/v1/rerank", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    "no such path": ("GET", "/v1/nope", {}),
    "no such method": ("DELETE", "/v1/embeddings", {}),
    "compressed": ("POST", "/v1/embeddings", {"content": b"x", "headers": {"Content-Encoding": "gzip"}}),
    "no URL": ("GET", "/r/http://127.0.0.1/", {"headers": {"Accept": "application/json"}}),
    "no Cohere model": ("POST", "/v2/embed", {"json": {"model": "nope", "texts": ["a"], "input_type": "image"}}),
    "no question": ("POST", "/v1/chat/completions", {"json": {"messages": []}}),
    "head": ("HEAD", "/v1/models", {}),
    "a probe": ("GET", "/live", {}),
    "the probe of SageMaker": ("GET", "/ping", {}),
    "no method of a probe": ("POST", "/ready", {}),
    "what is here": ("GET", "/", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_those_of_the_plain_service(running: Running, plain: TestClient, name: str):
    method, path, more = REQUESTS[name]
    ours, theirs = (each.request(method, path, **more) for each in (running.client, plain))
    assert ours.status_code == theirs.status_code
    assert told(ours) == told(theirs)
    assert len(ours.headers["X-Request-ID"]) == 32


def told(response: httpx.Response) -> tuple:
    headers = {name: value for name, value in response.headers.items() if name not in OWN}
    request_id = response.headers["X-Request-ID"]
    text = response.text.replace(request_id, "ID").replace(str(uuid.UUID(request_id)), "ID")
    if '"in_memory":' in text:  # which differs from replica to replica
        del headers["content-length"]
    return headers, text.replace('"in_memory":true', '"in_memory":false')


def test_deep_search_streams_the_same_events(running: Running, plain: TestClient):
    def chunks(client):
        text = client.post("/v1/chat/completions", json={**QUESTION, "stream": True}).text
        *events, done, _ = text.split("\n\n")
        assert done == "data: [DONE]"
        return [json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in events]

    assert chunks(running.client) == chunks(plain)
    assert len(chunks(running.client)) > 2


def test_each_model_has_a_group_and_what_has_none_goes_to_the_others(running: Running):
    def group(**body):
        return running.client.post("/v1/embeddings", json={"input": ["a"], **body}).headers["X-Group"]

    assert {group(model=GROUP), group(model=f"jinaai/{GROUP}")} == {GROUP}
    assert {group(model="of-the-others"), group(model="nope"), group()} == {""}


def test_a_stream_comes_piece_by_piece(running: Running):
    folder = running.data / "streamed"
    folder.mkdir()
    with running.client.stream("GET", "/held/streamed") as answer:
        coming = answer.iter_raw()
        assert next(coming) == b"one"
        (folder / "go").touch()
        assert next(coming) == b"two"


def test_who_goes_away_ends_the_work_in_the_replica(running: Running):
    folder = running.data / "left"
    folder.mkdir()
    with running.client.stream("GET", "/held/left") as answer:
        assert next(answer.iter_raw()) == b"one"
    wait_for((folder / "gone").exists)


def test_more_than_may_wait_is_told_to_come_again(running: Running):
    folder = running.data / "full"
    folder.mkdir()
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(running.client.get("/held/full"))) for _ in range(MOST + 4)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(answers) >= 4)  # two replicas have 6 each, and 12 wait
    (folder / "go").touch()
    for thread in threads:
        thread.join()
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(answers) - len(refused) >= 12
    assert refused
    for answer in refused:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["code"] == "SERVICE_UNAVAILABLE"
        assert "come again" in answer.json()["detail"]
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


@dataclass
class Asked:
    began: float
    ended: float
    status: int
    pid: str


def test_a_killed_replica_is_replaced_and_only_what_it_worked_on_fails(running: Running):
    before = pids(running, 2)
    asked: list[Asked] = []
    is_over = threading.Event()

    def ask() -> None:
        body = {"model": "of-the-others", "input": ["some words"] * 20}
        with httpx.Client(base_url=running.url, timeout=60) as client:
            while not is_over.wait(0.02):  # the replica that comes needs the processor too
                began = time.monotonic()
                answer = client.post("/v1/embeddings", json=body)
                asked.append(Asked(began, time.monotonic(), answer.status_code, answer.headers.get("X-Process", "")))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(asked) > 100)
        [killed, *_] = before
        killing = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        after_killing = time.monotonic()
        wait_for(lambda: {each.pid for each in asked[-50:]} - {"", *map(str, before)})
        assert running.client.get("/ready").status_code == 200
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    failed = [each for each in asked if each.status != 200]
    assert {each.status for each in failed} <= {503}
    assert all(each.began <= after_killing and each.ended >= killing for each in failed), (failed, killing)
    assert len(failed) <= len(threads)
    assert not {each.pid for each in asked if each.began > after_killing} & {str(killed)}


def pids(running: Running, count: int) -> set[int]:
    """The processes of the replicas for all models."""
    found: set[int] = set()
    wait_for(lambda: found.add(running.pid()) or len(found) >= count)
    return found


def test_metrics_and_the_log_tell_of_requests_to_replicas(running: Running):
    answer = running.client.post("/v1/embeddings", json={"model": GROUP, "input": ["a"]})
    numbers = running.client.get("/metrics").text
    counted = [line for line in numbers.splitlines() if line.startswith("jina_tokens_total{")]
    assert any(f'model="{GROUP}",product="embeddings"' in line for line in counted)
    log = running.data.parent / "log"
    wait_for(lambda: answer.headers["X-Request-ID"] in log.read_text())
    lines = map(json.loads, log.read_text().splitlines())
    [line] = [line for line in lines if line.get("request_id") == answer.headers["X-Request-ID"]]
    assert (line["route"], line["model"], line["items"]) == ("/v1/embeddings", GROUP, 1)


def test_replicas_go_without_work(running: Running):
    """Those that came in the first test of all, of which the requests since may have made others."""
    wait_for(lambda: sum(map(is_alive, running.of_the_group)) <= 1)
    running.of_the_group.add(running.pid(model=GROUP))


def test_it_ends_when_it_has_answered(running: Running):
    folder = running.data / "ending"
    folder.mkdir()
    with running.client.stream("GET", "/held/ending") as answer:
        coming = answer.iter_raw()
        assert next(coming) == b"one"
        running.process.terminate()
        wait_for(lambda: "The service ends" in (running.data.parent / "log").read_text())
        (folder / "go").touch()
        assert next(coming) == b"two"
    assert running.process.wait(60) == 0
    wait_for(lambda: not any(map(is_alive, running.of_the_group)))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]
