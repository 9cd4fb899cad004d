"""`read` with its options."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from local_server import LocalServer, http

from jina_components.cli import main
from jina_components.cli.main import build_parser
from jina_components.cli.read_options import add_read_options, read_options
from jina_components.errors import ConfigError
from jina_components.read_options import MarkdownStyle, ReadOptions, Viewport

WORDS = "The lighthouse keeper wrote down the weather every evening for forty years. " * 4
PAGE = f"<title>Rain</title><main><h1>Rain</h1><p>{WORDS}</p><h2>Wind</h2><p>{WORDS} <a href='/b'>b</a></p></main>"


@pytest.fixture
def page(tmp_path: Path) -> str:
    path = tmp_path / "page.html"
    path.write_text(PAGE, encoding="utf-8")
    return str(path)


def parsed(*flags: str) -> ReadOptions:
    parser = argparse.ArgumentParser()
    add_read_options(parser)
    return read_options(parser.parse_args(flags))


def test_without_flags_options_are_the_defaults() -> None:
    assert parsed() == ReadOptions()


def test_every_option_has_a_flag() -> None:
    shown = " ".join(build_parser().parse_args(["read", "x"]).__dict__)
    for each in fields(ReadOptions):
        assert each.name in shown or each.name == "style", each.name
    for each in fields(MarkdownStyle):
        assert f"md_{each.name}" in shown


def test_flags_become_options(tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}')
    assert parsed(
        "--format", "text", "--target-selector", "main", "--cookie", "a=1; Path=/", "--cookie", "b=2",
        "--header", "x-a=1=2", "--timeout", "7.5", "--max-tokens", "50", "--iframes", "--viewport", "390x844@3,mobile",
        "--script", "x()", "--json-schema", str(schema), "--md-bullet", "*", "--no-md-gfm", "--md-emphasis", "",
    ) == ReadOptions(
        format="text", target_selector="main", cookies=("a=1; Path=/", "b=2"), headers={"x-a": "1=2"}, timeout=7.5,
        max_tokens=50, iframes=True, viewport=Viewport(width=390, height=844, scale=3, mobile=True), scripts=("x()",),
        json_schema={"type": "object"}, style=MarkdownStyle(bullet="*", gfm=False, emphasis=""),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--header", "x-a"], "NAME=VALUE"),
        (["--viewport", "large"], "WIDTHxHEIGHT"),
        (["--viewport", "0x10"], "1 to 10,000"),
        (["--timeout", "0"], "up to 180"),
        (["--max-tokens", "0"], "max_tokens must be"),
        (["--engine", "direct", "--iframes"], "engine='direct'"),
    ],
)
def test_wrong_values_are_said(flags: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parsed(*flags)


def test_a_schema_must_be_an_object(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    for text in ("[1]", "{"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="no JSON Schema"):
            parsed("--json-schema", str(path))


def test_reading_with_options(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", page, "--target-selector", "h2", "--md-heading", "setext"]) == 0
    assert capsys.readouterr().out == "Wind\n----\n"
    assert main(["read", page, "--chunking", "h2"]) == 0
    chunks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert chunks[-1].startswith("## Wind")
    assert main(["read", page, "--max-tokens", "3"]) == 0
    printed = capsys.readouterr()
    assert "cut after 3" in printed.err
    assert main(["read", page, "--token-budget", "3"]) == 2
    assert "over the budget of 3" in capsys.readouterr().err
    assert main(["read", page, "--json", "--links", "none"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Rain"


def test_a_picture_needs_both_its_options(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (["--format", "screenshot"], ["--picture", str(tmp_path / "x.png")]):
        assert main(["read", page, *flags]) == 2
        assert "--picture" in capsys.readouterr().err


def test_a_picture_of_a_page(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.png"
    assert main(["read", page, "--format", "screenshot", "--picture", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert "lighthouse" in capsys.readouterr().out


def test_extraction_needs_a_model(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", page, "--instruction", "the price"]) == 2
    assert "--chat-model" in capsys.readouterr().err


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stdin(monkeypatch, PAGE.encode())
    assert main(["read", "-", "--base-url", "https://a.example/x/", "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert (page["title"], page["url"]) == ("Rain", "https://a.example/x/")
    assert "(https://a.example/b)" in page["content"]
    stdin(monkeypatch, "<p>Ünwetter</p>".encode("latin-1"))
    assert main(["read", "-", "--content-type", "text/plain; charset=latin-1"]) == 0
    assert capsys.readouterr().out == "<p>Ünwetter</p>\n"
    stdin(monkeypatch, b"")
    assert main(["read", "-"]) == 2
    assert "nothing to read" in capsys.readouterr().err


def test_captions_without_pillow_fail_before_anything_is_fetched(server: LocalServer) -> None:
    server.routes["/"] = [http(body=PAGE.encode())]
    code = "import sys; sys.modules['PIL'] = None; from jina_components.cli import main; sys.exit(main(sys.argv[1:]))"
    flags = ["--captions", "--chat-model", "m", "--allow-network", "127.0.0.0/8"]
    done = subprocess.run(
        [sys.executable, "-c", code, "read", server.url("/"), *flags], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "'jina-components[images]'" in done.stderr
    assert not server.received


def test_what_to_do_is_said_in_flags(
    server: LocalServer, tmp_path: Path, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.routes["/"] = [http(404, PAGE.encode(), content_type="text/html")]
    for arguments, says in (
        (["read", server.url("/")], "see --allow-network."),
        (["read", server.url("/"), "--allow-network", "localhost"], "127.0.0.0/8 for localhost"),
        (["index", server.url("/"), "--to", str(tmp_path / "index")], "see --allow-network."),
        (["read", page, "--format", "readerlm"], "name it with --reader-lm."),
        (["read", str(tmp_path)], "name a file of it"),
    ):
        assert main(arguments) == 2
        assert says in capsys.readouterr().err
