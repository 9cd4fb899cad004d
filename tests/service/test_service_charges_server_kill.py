"""A server that is killed at work has charged each request that it answered, and each once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from jina_components.service.accounts.audit import audit
from jina_components.service.accounts.keys import FREE_GRANT, Keys
from jina_components.service.accounts.usage import entries
from jina_components.service.database import Database

# Forked from a process that has imported everything, so that a round is short.
LAUNCHER = """
import os, socket, sys, uvicorn
import jina_components.embedder
from jina_components.service import ServiceSettings, create_app
from jina_components.service.limits.tiers import Tier

for line in sys.stdin:
    data, url = line.split()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        child = os.fork()
        if not child:
            unlimited = {"free": Tier({})}
            app = create_app(
                ServiceSettings(data=data, warm_up=(), needs_keys=True, database_url=url, tiers=unlimited)
            )
            uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listening])
            os._exit(1)
        print(child, listening.getsockname()[1], flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""
ROUNDS, CLIENTS = 3, 12

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL"),
]


@pytest.fixture(scope="module")
def launcher() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def database(make_database_url: Callable[[], str]) -> Iterator[tuple[str, Database]]:
    url = make_database_url()
    database = Database(url)
    yield url, database
    database.close()


async def under_load(port: int, secret: str, until: int, child: int) -> tuple[dict[str, int], int]:
    """Tokens of each request that was answered, by its id, and how many were not, of a server killed after so many."""
    answered, unanswered = {}, 0
    auth = {"Authorization": f"Bearer {secret}"}

    async def ask(client: httpx.AsyncClient) -> None:
        nonlocal unanswered
        try:
            while True:
                body = {"model": "static-minilm-v1", "input": ["some words"] * (1 + len(answered) % 5)}
                answer = await client.post("/v1/embeddings", json=body, headers=auth)
                assert answer.status_code == 200, answer.text
                answered[answer.headers["X-Request-ID"]] = answer.json()["usage"]["total_tokens"]
                if len(answered) == until:
                    os.kill(child, signal.SIGKILL)
        except httpx.TransportError:
            unanswered += 1

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        await asyncio.gather(*(ask(client) for _ in range(CLIENTS)))
    return answered, unanswered


async def test_what_was_answered_is_charged_once(
    launcher: subprocess.Popen[str], database: tuple[str, Database], tmp_path: Path
) -> None:
    url, database = database
    key, secret = Keys(database).create(name="a")
    chance = random.Random(11)
    seen: set[str] = set()
    for _ in range(ROUNDS):
        launcher.stdin.write(f"{tmp_path} {url}\n")
        child, port = map(int, launcher.stdout.readline().split())
        try:
            answered, unanswered = await under_load(port, secret, chance.randrange(20, 150), child)
        except BaseException:
            os.kill(child, signal.SIGKILL)  # lest the launcher waits for it
            raise
        assert launcher.stdout.readline() == "ended\n"
        assert audit(database) == []
        kept = {
            posted.entry.reference: -posted.entry.tokens
            for posted in entries(database, key.id, limit=1000)
            if posted.entry.kind == "charge" and posted.entry.reference not in seen
        }
        assert answered.items() <= kept.items()
        assert len(kept) <= len(answered) + unanswered, "others were charged than those asked for"
        seen |= kept.keys()
    spent = sum(-posted.entry.tokens for posted in entries(database, key.id, limit=1000)[:-1])
    assert Keys(database).get(key.id).balance == FREE_GRANT - spent
