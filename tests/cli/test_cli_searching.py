from __future__ import annotations

import argparse
import json

import pytest
from local_server import http

from jina_components.cli import searching
from jina_components.errors import ConfigError, WebError
from jina_components.retriever import Retriever
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.testing import FakeEmbedder
from jina_components.types import Page
from jina_components.web_search import LocalIndex


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    searching.add_commands(parser.add_subparsers())
    options = parser.parse_args(["web", *arguments])
    code: int = options.run(options)
    return code


@pytest.fixture
def pages(tmp_path):
    with LocalIndex.from_defaults(tmp_path / "pages") as index:
        index.remember([Page("https://a.example/rain", "Rain", "Rain falls from clouds.")])
    return str(tmp_path / "pages")


def test_pages_read_before(pages, capsys):
    assert run("what falls from clouds", "--pages", pages) == 0
    assert capsys.readouterr().out == "1. Rain\n   https://a.example/rain\n   Rain falls from clouds.\n"
    assert run("clouds", "--provider", "local", "--pages", pages, "--json", "--country", "de") == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["url"], found["content"], found["error"]) == (
        "https://a.example/rain", "Rain falls from clouds.", None,
    )  # fmt: skip
    assert printed.err == "jina-components: local does not know country.\n"
    assert run("clouds", "--pages", pages, "--site", "b.example") == 1


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.delenv("BRAVE_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="BRAVE_API_KEY"):
        run("rain", "--provider", "brave")
    with pytest.raises(ConfigError, match="--pages, or ask another: --provider ddgs .*arxiv, searxng"):
        run("rain")
    with pytest.raises(ConfigError, match="--provider local"):
        run("rain", "--provider", "ddgs", "--pages", "x")


def test_an_index_of_other_documents_is_refused(tmp_path):
    with Retriever(FakeEmbedder(), store=FaissStore(tmp_path / "docs")) as retriever:
        retriever.add(["Rain falls from clouds."])
    with pytest.raises(ConfigError, match="by --index DIR"):
        run("rain", "--pages", str(tmp_path / "docs"))


def test_an_index_without_pages_is_named(pages, tmp_path, capsys):
    assert run("rain", "--pages", str(tmp_path / "nothere")) == 1
    assert f"the index {tmp_path / 'nothere'} is empty or not there" in capsys.readouterr().err
    assert run("clouds", "--pages", pages, "--site", "b.example") == 1
    assert "empty" not in capsys.readouterr().err


def test_pages_begin_as_they_were_read_or_say_why_not(server, monkeypatch, capsys):
    monkeypatch.setenv("SEARXNG_URL", server.url(""))
    asked = ("tides", "--provider", "searxng", "--allow-network", "127.0.0.0/8")
    with pytest.raises(WebError):
        run(*asked)
    rows = [{"url": server.url(path), "title": path, "content": f"Snippet of {path}"} for path in ("/read", "/gone")]
    server.routes[server.paths()[-1]] = [http(body=json.dumps({"results": rows}).encode())]
    server.routes["/read"] = [http(body=b"<main><p>The moon pulls the sea. " + b"It rises twice a day. " * 30)]
    assert run(*asked) == 0
    shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert shown[2].startswith("The moon pulls the sea. It rises")
    assert len(shown[2]) == 200
    assert shown[5] == "Snippet of /gone"
    assert shown[6].startswith("not read: ")
    assert "404" in shown[6]
    assert len(shown) == 7
    assert run(*asked, "--json") == 0
    assert f"not read: {server.url('/gone')}" in capsys.readouterr().err
    assert run(*asked, "--no-contents") == 0
    assert "not read" not in capsys.readouterr().out
