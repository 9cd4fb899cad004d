"""ReaderLM where it is an option: of the Reader, and of the command `read`."""

from __future__ import annotations

import json
import pickle
from inspect import signature

import pytest
from local_server import http, loopback_fetcher
from tiny_generators import save_generator, small_reader_lm

from jina_components import Reader, ReaderLM
from jina_components.cli import main, reading
from jina_components.core.background import run_sync
from jina_components.errors import (
    BackendError,
    ConfigError,
    HTTPStatusError,
    InputError,
    JinaComponentsError,
    ModelFilesError,
)
from jina_components.protocols import Conversion
from jina_components.types import Usage

PAGE = """<!doctype html><html lang="en"><head><title>Rain</title><style>p { color: red }</style></head>
<body><nav><a href="/">Home</a></nav><article><h1>Rain over 東京</h1>
<p>It rains <b>today</b>, says the <a href="/office">office</a>, and it will rain tomorrow as well.</p>
<script>track("me")</script><p>Zażółć gęślą jaźń.</p></article></body></html>"""


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    folder = save_generator(tmp_path_factory.mktemp("reader_lm"))
    return ReaderLM(folder, precision="float32", max_tokens=50)


@pytest.fixture
def fetcher():
    made = loopback_fetcher()
    yield made
    run_sync(made.aclose())


@pytest.fixture
def served(server):
    server.routes["/rain"] = [http(200, PAGE.encode(), content_type="text/html; charset=utf-8")]
    server.routes["/text"] = [http(200, b"# Notes\n\nplain", content_type="text/markdown")]
    return server


def test_the_readers_option(served, fetcher, lm):
    plain = Reader(fetcher=fetcher).read(served.url("/rain"))
    page = Reader(fetcher=fetcher, html_converter=lm).read(served.url("/rain"))
    conversion = lm.convert(PAGE)
    assert page.content == conversion.text
    assert page.metadata["conversion"] == {
        "prompt_tokens": conversion.usage.prompt_tokens, "completion_tokens": 50, "finish_reason": "length",
    }  # fmt: skip
    assert page.warnings == ("The Markdown reached its longest length: what follows was not converted.",)
    kept = ("url", "title", "language", "links", "images", "description")
    assert [getattr(page, name) for name in kept] == [getattr(plain, name) for name in kept]
    assert page.title == "Rain"
    assert page.links == (("office", served.url("/office")),)


def test_other_formats_are_not_converted(served, fetcher, lm):
    reader = Reader(fetcher=fetcher, html_converter=lm)
    assert reader.read(served.url("/text")).content == "# Notes\n\nplain"
    assert pickle.loads(pickle.dumps(Reader(html_converter=lm))).read(b"plain").content == "plain"
    assert reader.read(b"plain").content == "plain"


def test_the_option_for_many_sources(served, fetcher, lm, tmp_path):
    """Of a page in another encoding the model is given the decoded text."""
    legacy = PAGE.replace("東京", "").replace("<title>", '<meta charset="iso-8859-2"><title>')
    (tmp_path / "legacy.html").write_bytes(legacy.encode("iso8859-2"))
    sources = [served.url("/rain"), served.url("/none"), str(tmp_path / "legacy.html")]
    reading = Reader(fetcher=fetcher, html_converter=lm).read_all(sources)
    assert [page.content for page in reading.pages] == [lm.convert(PAGE).text, lm.convert(legacy).text]
    assert len(reading.failures) == 1


def test_any_converter_serves_and_its_errors_are_told(served, fetcher):
    class Shouting:
        async def aconvert(self, html):
            if "Rain" not in html:
                raise BackendError("no rain")
            return Conversion("RAIN", Usage(1, 2))

    reader = Reader(fetcher=fetcher, html_converter=Shouting())
    page = reader.read(served.url("/rain"))
    assert page.content == "RAIN"
    assert page.warnings == ()
    with pytest.raises(BackendError, match="^The given data cannot be converted: no rain$"):
        reader.read(b"<p>It is dry today, and it will be tomorrow.</p>")


class OddError(JinaComponentsError):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (InputError("too long", 3), InputError),
        (ModelFilesError("no files"), ModelFilesError),
        (HTTPStatusError("no answer", "http://model.test/", 503, index=2), HTTPStatusError),
        (OddError("this", "that"), JinaComponentsError),
    ],
)
def test_an_error_of_the_converter_names_the_page_and_keeps_its_class(tmp_path, raised, kind):
    class Failing:
        async def aconvert(self, html):
            raise raised

    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    with pytest.raises(JinaComponentsError, match=r"page\.html cannot be converted: ") as caught:
        Reader(html_converter=Failing()).read(tmp_path / "page.html")
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is raised
    assert str(error).endswith(str(raised))
    if kind is not JinaComponentsError:
        told = {name: value for name, value in vars(raised).items() if name != "message"}
        assert {name: value for name, value in vars(error).items() if name != "message"} == told
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    [failure] = Reader(html_converter=Failing()).read_all([tmp_path / "page.html"]).failures
    assert type(failure.error) is kind


@pytest.mark.parametrize("converter", [5, "ReaderLM-v2", ReaderLM, object(), len])
def test_what_converts_nothing(converter):
    with pytest.raises(ConfigError, match="html_converter must have a method aconvert"):
        Reader(html_converter=converter)


def test_the_reader_with_long_pages(tmp_path):
    refusing, cutting = small_reader_lm(tmp_path), small_reader_lm(tmp_path, truncate=True)
    page = tmp_path / "long.html"
    page.write_text("<p>東京 is wet</p>" * 60, encoding="utf-8")
    assert Reader(html_converter=cutting).read(page).metadata["conversion"]["prompt_tokens"] <= 250
    with pytest.raises(InputError, match=r"long\.html cannot be converted: .*truncate=True") as caught:
        Reader(html_converter=refusing).read(page)
    assert isinstance(caught.value.__cause__, InputError)
    assert "long.html" not in str(caught.value.__cause__)


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command(tmp_path, capsys):
    folder = save_generator(tmp_path / "model", max_position_embeddings=20_000, eos_token_id=[*range(200, 320)])
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    page = str(tmp_path / "page.html")
    assert main(["read", page, "--reader-lm", str(folder), "--json"]) == 0
    converted = json.loads(capsys.readouterr().out)
    assert converted["content"] == ReaderLM(folder).convert(PAGE).text
    assert converted["title"] == "Rain"
    assert main(["read", page]) == 0
    assert "It rains **today**" in capsys.readouterr().out
    assert main(["read", page, "--reader-lm", "no-such-model"]) == 2
    assert "no-such-model" in capsys.readouterr().err


def test_the_commands_length_and_truncation(tmp_path, capsys):
    folder = save_generator(tmp_path / "model", max_position_embeddings=255)
    page = str(tmp_path / "page.html")
    (tmp_path / "page.html").write_text("<p>東京 is wet</p>" * 60, encoding="utf-8")
    command = ["read", page, "--reader-lm", str(folder), "--max-tokens", "5"]
    assert main([*command, "--json", "--truncate"]) == 0
    conversion = json.loads(capsys.readouterr().out)["metadata"]["conversion"]
    assert conversion["prompt_tokens"] <= 250
    assert conversion["completion_tokens"] <= 5
    assert main(command) == 2
    assert "page.html cannot be converted" in capsys.readouterr().err
    assert main(["read", page, "--reader-lm", str(folder), "--max-tokens", "0"]) == 2
    assert "max_tokens must be" in capsys.readouterr().err
    assert main(["read", page, "--truncate"]) == 2
    assert "--reader-lm" in capsys.readouterr().err
    assert main(["read", page, "--max-tokens", "5"]) == 0
    assert capsys.readouterr().out == "東京 is wet\n\n東\n"


def test_the_command_says_the_default():
    assert signature(ReaderLM).parameters["max_tokens"].default == reading._MAX_TOKENS
