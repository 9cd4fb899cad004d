from __future__ import annotations

import argparse
import json

import pytest

from jina_components.cli import searching
from jina_components.errors import ConfigError
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
    with pytest.raises(ConfigError, match="--pages"):
        run("rain")
    with pytest.raises(ConfigError, match="--provider local"):
        run("rain", "--provider", "ddgs", "--pages", "x")
