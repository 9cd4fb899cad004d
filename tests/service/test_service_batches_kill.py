"""What a killed server had acknowledged is done by the next: every line, and once."""

import contextlib
import functools
import multiprocessing
import os
import socket
import time
from pathlib import Path

import httpx
import numpy as np
import orjson
import pytest
import uvicorn

from jina_components import Embedder
from jina_components.service import ServiceSettings, create_app
from jina_components.service.batches import running
from jina_components.service.batches.store import BatchStore

LINES = 2000


def serve(listening: socket.socket, data: Path) -> None:
    running.BatchStore = functools.partial(BatchStore, lease=1.0)
    app = create_app(ServiceSettings(data=data, warm_up=()))
    uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listening])


@contextlib.contextmanager
def server(data: Path):
    """A server in a process of its own, which is killed at the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        process = multiprocessing.get_context("fork").Process(target=serve, args=(listening, data), daemon=True)
        process.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        process.kill()
        process.join()
        process.close()


def text(number: int) -> str:
    return f"line {number} " + "of many words about the sea and the wind " * 20


def posted(client: httpx.Client, given: list[dict]) -> str:
    answer = client.post("/v1/batch/embeddings", json={"model": "static-minilm-v1", "input": given})
    return f"/v1/batch/{answer.json()['batch_id']}"


def worked_on(client: httpx.Client, path: str, until: int) -> dict:
    """The status of a batch once so many lines are done, or all."""
    while True:
        status = client.get(path).json()
        if status["status"] == "completed" or status["stats"]["completed"] >= until:
            return status
        time.sleep(0.005)


def lines(client: httpx.Client, path: str) -> list[dict]:
    return [orjson.loads(line) for line in client.get(path).content.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_no_line_is_lost_or_done_twice_when_the_server_is_killed(tmp_path, bundled_embedder: Embedder):
    given = [{"custom_id": f"id-{number}", "body": {"input": text(number)}} for number in range(1, LINES + 1)]
    twice = LINES // 2
    given[twice - 1]["custom_id"] = "id-1"
    with server(tmp_path) as client:
        path = posted(client, given)
        first = worked_on(client, path, LINES // 5)
    with server(tmp_path) as client:
        second = worked_on(client, path, LINES // 2)
        late = posted(client, given[:100])  # killed as soon as it is acknowledged
    with server(tmp_path) as client:
        status = worked_on(client, path, LINES + 1)
        assert worked_on(client, late, LINES + 1)["stats"]["completed"] == 100
        output, errors = lines(client, f"{path}/output"), lines(client, f"{path}/errors")
        assert [row["line"] for row in lines(client, f"{late}/output")] == list(range(1, 101))
    assert first["status"] == second["status"] == "processing", "it was not killed at work"
    assert first["stats"]["completed"] < second["stats"]["completed"]
    stats = status["stats"]
    assert (stats["total"], stats["completed"], stats["failed"]) == (LINES, LINES - 1, 1)
    assert [row["line"] for row in errors] == [twice]
    assert [row["line"] for row in output] == [number for number in range(1, LINES + 1) if number != twice]
    assert sum(row["response"]["body"]["usage"]["total_tokens"] for row in output) == stats["total_tokens"]
    vectors = np.array([row["response"]["body"]["data"][0]["embedding"] for row in output])
    wanted = bundled_embedder.embed([text(row["line"]) for row in output]).vectors
    np.testing.assert_allclose(vectors, wanted, atol=1e-6)
