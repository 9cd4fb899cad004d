"""Processes over one PostgreSQL and one Redis enforce one limit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import limited_process
import pytest
from redis_server import RedisServer
from served_process import serving

from jina_components.service.accounts.audit import audit
from jina_components.service.accounts.keys import FREE_GRANT, Keys
from jina_components.service.accounts.usage import usage
from jina_components.service.database import Database

pytestmark = pytest.mark.slow


class Asking:
    """A process that asks; its answers come later."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def order(self, do: str, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, do: str, **order: Any) -> Any:
        self.order(do, **order)
        return self.answer()


@contextmanager
def asking(database: str, limits: str) -> Iterator[Asking]:
    command = [sys.executable, limited_process.__file__, database, limits]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Asking(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def database_url(make_postgres_url: Callable[[], str]) -> str:
    return make_postgres_url()


@pytest.fixture(scope="module")
def keys(database_url: str) -> Iterator[Keys]:
    database = Database(database_url)
    yield Keys(database)
    database.close()


@pytest.fixture(scope="module")
def three(database_url: str, keys: Keys, redis_server: RedisServer) -> Iterator[list[Asking]]:
    keys.create(name="so that the tables are there")
    with ExitStack() as running:
        processes = [running.enter_context(asking(database_url, redis_server.url)) for _ in range(3)]
        assert [process.answer() for process in processes] == ["ready"] * 3
        yield processes


@pytest.fixture(scope="module")
def two(three: list[Asking]) -> list[Asking]:
    return three[:2]


def both(two: list[Asking], first: tuple[int, int], **order: Any) -> list[int]:
    """How many requests were let in by each: first so many by one after the other, then by both until it is over."""
    order = {"clients": 4, **order}
    admitted = [
        process.ask("spend", **order, most=number)["admitted"] for process, number in zip(two, first, strict=True)
    ]
    for process in two:
        process.order("spend", **order, most=10**9)
    return [number + process.answer()["admitted"] for process, number in zip(two, admitted, strict=True)]


@pytest.fixture(scope="module")
def requests_key(keys: Keys) -> str:
    return keys.create(name="requests", tier="requests")[1]


@pytest.mark.parametrize("minute", [100, 101])
def test_two_processes_have_one_limit_of_requests(two, requests_key, minute):
    limit = limited_process.TIERS["requests"].rates["embeddings"].requests
    admitted = both(two, (100, 100), secret=requests_key, minute=minute, size=0, tokens=0, patience=0.15)
    assert 0.98 * limit <= sum(admitted) <= limit
    assert min(admitted) >= 100


@pytest.mark.parametrize("most", [1, 25, 990])
def test_a_process_that_is_idle_keeps_hardly_anything_of_a_limit(two, keys, most):
    _, secret = keys.create(name="requests", tier="requests")
    limit = limited_process.TIERS["requests"].rates["embeddings"].requests
    order = {"secret": secret, "minute": 100, "clients": 1, "size": 0, "tokens": 0, "patience": 0.15}
    admitted = [
        process.ask("spend", **order, most=number)["admitted"]
        for process, number in zip(two, (most, 10**9), strict=True)
    ]
    assert 0.98 * limit <= sum(admitted) <= limit


@pytest.mark.parametrize(
    ("size", "tokens", "beyond"),
    [
        (400, 100, 0),  # as guessed
        (2000, 90, 0),  # fewer than guessed
        (400, 150, 8 * 50),  # more than guessed, by those that are in work when the limit is reached
    ],
)
def test_two_processes_have_one_limit_of_tokens(two, keys, size, tokens, beyond):
    key, secret = keys.create(name="tokens", tier="tokens")
    limit = limited_process.TIERS["tokens"].rates["embeddings"].tokens
    admitted = both(two, (100, 100), secret=secret, minute=200, size=size, tokens=tokens, patience=0.6)
    used = tokens * sum(admitted)
    assert 0.98 * limit <= used <= limit + beyond
    assert keys.get(key.id).balance == FREE_GRANT - used
    assert not audit(keys.database)


def test_two_processes_have_one_limit_of_requests_at_once_and_a_killed_one_loses_its_slots(three, keys):
    _, secret = keys.create(name="slots", tier="slots")
    one, _, third = three
    assert one.ask("hold", secret=secret, most=4) == {"admitted": 4}
    assert third.ask("hold", secret=secret, most=8) == {"admitted": 6}
    assert one.ask("hold", secret=secret, most=1) == {"admitted": 0}
    third.ask("end", most=1)
    assert one.ask("hold", secret=secret, most=2) == {"admitted": 1}
    third.process.kill()
    admitted = 0
    while admitted < 5:  # silence frees them; the time limit of tests ends this otherwise
        admitted += one.ask("hold", secret=secret, most=1)["admitted"]
        time.sleep(0.1)
    assert one.ask("hold", secret=secret, most=1) == {"admitted": 0}


def test_two_servers_have_one_limit(database_url, redis_server, keys, tmp_path: Path):
    (tmp_path / "tiers.toml").write_text("[tiers.fifty.segment]\nrequests = 50\nconcurrent = 4\n", "utf-8")
    arguments = ["--keys", "--database", database_url, "--limits", redis_server.url, "--no-warm-up", "--no-playground"]
    arguments += ["--no-mcp", "--tiers", str(tmp_path / "tiers.toml")]
    with ExitStack() as running:
        folders = [tmp_path / name for name in ("one", "other")]
        for folder in folders:
            folder.mkdir()
        starting = running.enter_context(ThreadPoolExecutor(2))
        servers = list(starting.map(lambda folder: running.enter_context(serving(folder, *arguments)), folders))
        client = running.enter_context(httpx.Client())
        while True:
            key, secret = keys.create(name="fifty", tier="fifty")
            minute = time.time() // 60
            answers = [
                client.post(
                    f"{servers[number % 2].url}/v1/segment",
                    json={"content": "A text."},
                    headers={"Authorization": f"Bearer {secret}"},
                )
                for number in range(60)
            ]
            if time.time() // 60 == minute:  # else some were counted in the next one
                break
    assert [answer.status_code for answer in answers] == [200] * 50 + [429] * 10
    assert {answer.json()["code"] for answer in answers[50:]} == {"RATE_REQUEST_LIMIT_EXCEEDED"}
    assert [int(answer.headers["X-RateLimit-Remaining-Requests"]) for answer in answers[:50]] == [*range(49, -1, -1)]
    (row,) = usage(keys.database, key_id=key.id, since=date.min, until=date.max, by=())
    assert row.requests == 50
