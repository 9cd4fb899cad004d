"""Two processes serve a team from one PostgreSQL and one Redis, started as deploy/compose.yaml starts them."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from redis_server import RedisServer
from served_process import serving

from jina_components.cli import main

DEPLOY = Path(__file__).parents[2] / "deploy"
MODEL = "small-embedding-v1"
# What these tests have no server of, and what `serving` chooses by itself.
LEFT_OUT = ("serve", "--host", "--pages", "--tiers")


@pytest.fixture(scope="module")
def database_url(make_postgres_url: Callable[[], str]) -> str:
    return make_postgres_url()


@pytest.fixture(scope="module")
def clients(
    database_url: str, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["service"]
    options = [each for each in composed["command"] if not each.startswith(LEFT_OUT)]
    options += ["--tiers", str(DEPLOY / "kubernetes" / "tiers.toml"), "--no-playground", "--no-mcp"]
    environment = {
        "JINA_COMPONENTS_DATABASE": database_url,
        "JINA_COMPONENTS_LIMITS": redis_server.url,
        "SEARXNG_URL": composed["environment"]["SEARXNG_URL"],
    }
    assert environment.keys() <= composed["environment"].keys()
    with ExitStack() as running:
        urls = [
            running.enter_context(serving(tmp_path_factory.mktemp("machine"), *options, env=environment)).url
            for _ in range(2)
        ]
        yield tuple(running.enter_context(httpx.Client(base_url=url, timeout=60)) for url in urls)


@pytest.fixture(scope="module")
def run(database_url: str) -> Callable[..., Any]:
    """What the command answers, as JSON."""

    def command(*arguments: str) -> Any:
        with redirect_stdout(io.StringIO()) as printed:
            assert main([*arguments, "--database", database_url, "--json"]) == 0
        return [json.loads(line) for line in printed.getvalue().splitlines()]

    return command


@pytest.fixture
def key(run: Callable[..., Any]) -> dict[str, Any]:
    [made] = run("keys", "create", "a key of the team")
    return made


def asked(client: httpx.Client, method: str, path: str, key: dict[str, Any], **more: Any) -> httpx.Response:
    return client.request(method, path, headers={"Authorization": f"Bearer {key['key']}"}, **more)


def embed(client: httpx.Client, key: dict[str, Any], texts: list[str]) -> httpx.Response:
    return asked(client, "POST", "/v1/embeddings", key, json={"model": MODEL, "input": texts})


def test_usage_of_both_adds_up(clients, run, key):
    answers = [embed(client, key, ["some words"] * count) for client in clients for count in (1, 2)]
    assert [answer.status_code for answer in answers] == [200] * 4
    tokens = sum(answer.json()["usage"]["total_tokens"] for answer in answers)
    [row] = run("usage", "--key", key["id"], "--by", "product,model")
    assert (row["product"], row["model"], row["tokens"], row["requests"]) == ("embeddings", MODEL, tokens, 4)
    balances = {asked(client, "GET", "/v1/account", key).json()["balance"] for client in clients}
    assert balances == {key["balance"] - tokens}


def test_who_has_no_key_is_refused_by_both(clients):
    for client in clients:
        assert client.post("/v1/embeddings", json={"model": MODEL, "input": ["a"]}).status_code == 401


def test_a_batch_of_one_is_the_others_too(clients, key):
    first, second = clients
    body = {"model": MODEL, "input": [{"custom_id": each, "body": {"input": "words"}} for each in "abc"]}
    made = asked(first, "POST", "/v1/batch/embeddings", key, json=body)
    assert made.status_code == 200, made.text
    path = f"/v1/batch/{made.json()['batch_id']}"
    wait_for(lambda: asked(second, "GET", path, key).json()["status"] == "completed")
    lines = asked(second, "GET", f"{path}/output", key).text.splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == ["a", "b", "c"]


def test_both_count_against_one_limit(clients, run):
    def remaining(client: httpx.Client, key: dict[str, Any]) -> int:
        return int(embed(client, key, ["a"]).headers["X-RateLimit-Remaining-Requests"])

    def pair() -> tuple[int, int]:
        [key] = run("keys", "create", "counted")
        return remaining(clients[0], key), remaining(clients[1], key)

    pairs = (pair() for _ in range(3))  # between the two of one, a minute may end
    assert any(second == first - 1 for first, second in pairs)


def test_a_key_that_is_revoked_ends_for_both(clients, run, key):
    assert [embed(client, key, ["a"]).status_code for client in clients] == [200, 200]
    run("keys", "revoke", key["id"])
    for client in clients:
        wait_for(lambda client=client: embed(client, key, ["a"]).status_code == 401)


def wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
