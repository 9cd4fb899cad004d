"""`jina-components mcp`, in a process of its own, with the client that starts it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chromium import page
from local_server import LocalServer, ServerThread
from mcp_clients import started, told

from jina_components.cli import main


@pytest.fixture
def site() -> Iterator[LocalServer]:
    thread = ServerThread()
    yield thread.start(LocalServer({"/tides": page("<title>Tides</title><article><p>The moon pulls the sea.</p>")}))
    thread.stop()


async def test_tools_over_standard_input(site: LocalServer, tmp_path: Path) -> None:
    options = ("--data", str(tmp_path), "--allow-network", "127.0.0.0/8", "--exclude-tags", "parallel")
    async with started(*options) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "read_url" in names
        assert not [name for name in names if name.startswith("parallel_")]
        [read] = told(await client.call_tool("read_url", {"url": site.url("/tides")}))
        assert (read["title"], read["content"]) == ("Tides", "The moon pulls the sea.")
        ranked = await client.call_tool("sort_by_relevance", {"query": "sea", "documents": ["bread", "the sea"]})
        assert told(ranked)[0]["index"] == 1
        assert (await client.call_tool("show_api_key", {})).is_error
        [context] = told(await client.call_tool("primer", {}))
        assert {"utc", "userTimezone", "userLocalTime"} == {*context["timestamp"]}


def test_standard_output_holds_the_protocol_alone(tmp_path: Path) -> None:
    message = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", '
    message += b'"capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}}\n'
    command = [sys.executable, "-m", "jina_components", "mcp", "--data", str(tmp_path)]
    done = subprocess.run(command, input=message + b"no message\n", capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b'{"jsonrpc":"2.0","id":1,"result":{')
    assert all(line.startswith(b'{"jsonrpc"') for line in done.stdout.splitlines())


def test_over_http_it_is_the_service(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jina_components", "mcp", "--http", "--port", "0", "--data", str(tmp_path)]
    log = tmp_path / "log"
    with log.open("wb") as written, subprocess.Popen(command, stderr=written) as running:
        try:
            while "Listening on" not in log.read_text():
                assert running.poll() is None, log.read_text()
                time.sleep(0.05)
            url = log.read_text().partition("Listening on ")[2].partition('"')[0]
            listed = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            answer = httpx.post(f"{url}/mcp", json=listed, headers={"accept": "application/json"}, timeout=60)
            assert "read_url" in answer.text
            running.terminate()
            assert running.wait(60) == 0
        finally:
            running.kill()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--url", "http://u:jina_k@a.example"], "a key goes into the variable JINA_API_KEY"),
        (["--url", "a.example"], "--url must be"),
        (["--url", "http://127.0.0.1:1"], "could not be asked"),
        (["--url", "https://a.example", "--data", "/tmp/x", "--offline"], "leave out --data, --offline"),
        (["--url", "https://a.example", "--http"], "https://a.example/mcp"),
        (["--http", "--include-tools", "read_url"], "query string"),
        (["--port", "8000"], "--http"),
        (["--max-tokens", "-1"], "--max-tokens"),
        (["--include-tools", "read_page"], "read_page"),
        (["--exclude-tags", "searching"], "searching"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", *arguments]) == 2
    told_of = capsys.readouterr()
    assert says in told_of.err
    assert "jina_k" not in told_of.err
    assert told_of.out == ""
