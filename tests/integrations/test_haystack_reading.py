"""Fetching, converting, searching, and jina-haystack's reader connector in Haystack."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from haystack.components.converters import TextFileToDocument
from haystack.dataclasses import ByteStream
from haystack.utils import Secret
from haystack_integrations.components.connectors import jina as predecessor
from haystack_integrations.components.connectors.jina import reader as predecessors_reader
from haystack_jina_components import (
    JinaDocumentConverter,
    JinaFetcher,
    JinaReaderConnector,
    JinaReaderMode,
    JinaWebSearch,
)
from local_server import http, loopback_fetcher
from running_service import PAGES

from jina_components import Reader, WebSearch
from jina_components.core.background import run_sync
from jina_components.errors import BlockedURLError, ConfigError, ExtractionError, InputError, WebError
from jina_components.testing import FakeSearchProvider
from jina_components.types import Grounding, Page, Reference, SearchResult, SearchResults

KEY = "jina_secret_1"


@pytest.fixture
def reader():
    fetcher = loopback_fetcher()
    with Reader(fetcher=fetcher) as reader:
        yield reader
    run_sync(fetcher.aclose())


@pytest.fixture(params=["here", "on a server"])
def make(request, service, reader):
    """Components that read here, and on a server."""
    made = []

    def make(kind, **settings):
        place = {"reader": reader} if request.param == "here" else {"base_url": service.url}
        made.append(kind(**settings, **place))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_pages_are_fetched_in_order(make, service):
    fetcher = make(JinaFetcher)
    urls = [service.site.url(path) for path in PAGES]
    found = fetcher.run(urls)
    for document, url, (title, text) in zip(found["documents"], urls, PAGES.values(), strict=True):
        assert document.content == text
        assert document.meta["title"] == title
        assert document.meta["url"] == url
    assert asyncio.run(fetcher.run_async(urls)) == found
    stream = found["streams"][0]
    assert (stream.mime_type, stream.to_string()) == ("text/markdown", found["documents"][0].content)
    assert "Fundy" in TextFileToDocument().run([stream])["documents"][0].content
    assert fetcher.run([]) == {"documents": [], "streams": []}


def test_a_page_that_is_gone_is_an_error_or_left_out(make, service, caplog):
    urls = [service.site.url(path) for path in ("/gone", "/bread")]
    with pytest.raises(WebError, match="404|nothing to read"):
        make(JinaFetcher).run(urls)
    with caplog.at_level(logging.WARNING, "haystack_jina_components"):
        found = make(JinaFetcher, raise_on_failure=False).run(urls)
    assert [document.meta["title"] for document in found["documents"]] == ["Bread"]
    assert "/gone" in caplog.text


def test_a_fetcher_reads_no_files_and_no_private_addresses(tmp_path, service):
    (tmp_path / "a.txt").write_text("secret")
    for wrong in (str(tmp_path / "a.txt"), f"file://{tmp_path}/a.txt", tmp_path / "a.txt", None):
        with pytest.raises(InputError, match=r"urls\[0\]"):
            JinaFetcher().run([wrong])
    with pytest.raises(InputError, match="list"):
        JinaFetcher().run("https://example.com")
    fetcher = JinaFetcher()
    with pytest.raises(BlockedURLError):
        fetcher.run([service.site.url("/bread")])
    fetcher.close()


def test_how_to_read_is_a_setting(make, service):
    fetcher = make(JinaFetcher, read_options={"format": "text"})
    assert "#" not in fetcher.run([service.site.url("/bread")])["documents"][0].content
    with pytest.raises(ConfigError, match="format"):
        JinaFetcher(read_options={"format": "song"})
    with pytest.raises(TypeError, match="formats"):
        JinaFetcher(read_options={"formats": "text"})


@pytest.fixture
def files(tmp_path):
    (tmp_path / "rain.html").write_text("<title>Rain</title><p>It rains <b>today</b>.</p>")
    (tmp_path / "sun.md").write_text("# Sun\n\nIt shines.")
    return tmp_path


def test_files_bytes_and_urls_are_converted(make, files, service):
    sources = [
        str(files / "rain.html"),
        files / "sun.md",
        ByteStream(b"<p>A <a href='b'>link</a>.</p>", {"url": "https://example.com/a/", "n": 1}, "text/html"),
        service.site.url("/bread"),
    ]
    converter = make(JinaDocumentConverter)
    rain, sun, link, bread = converter.run(sources, meta=[{"a": 1}, {}, {"n": 2}, {}])["documents"]
    assert rain.content == "It rains **today**."
    assert {name: rain.meta[name] for name in ("file_path", "title", "a")} == {
        "file_path": "rain.html", "title": "Rain", "a": 1,
    }  # fmt: skip
    assert "It shines." in sun.content
    assert sun.meta["file_path"] == "sun.md"
    assert "https://example.com/a/b" in link.content
    assert (link.meta["n"], link.meta["url"]) == (2, "https://example.com/a/")
    assert bread.meta["url"] == sources[3]
    assert asyncio.run(converter.run_async(sources[:1]))["documents"][0].content == rain.content
    whole = make(JinaDocumentConverter, store_full_path=True).run(sources[:1])["documents"][0]
    assert whole.meta["file_path"] == sources[0]
    with pytest.raises(ValueError, match="metadata list"):
        converter.run(sources, meta=[{}])


def test_what_cannot_be_converted_is_left_out_with_a_warning_or_an_error(files, caplog):
    sources = [files / "none.pdf", ByteStream(b"\x00\x01\x02"), files / "sun.md"]
    with caplog.at_level(logging.WARNING, "haystack_jina_components"):
        found = JinaDocumentConverter().run(sources)
    assert [document.meta["file_path"] for document in found["documents"]] == ["sun.md"]
    assert caplog.text.count("Skipping it") == 2
    with pytest.raises(ExtractionError):
        JinaDocumentConverter(raise_on_failure=True).run(sources[1:])
    assert JinaDocumentConverter().run([]) == {"documents": []}
    with pytest.raises(InputError, match="sources"):
        JinaDocumentConverter().run("sun.md")


async def test_reading_works_within_a_running_loop(files):
    assert JinaDocumentConverter().run([files / "sun.md"])["documents"]


@pytest.mark.parametrize("kind", [JinaFetcher, JinaDocumentConverter])
def test_a_reader_is_written_down(kind):
    made = kind(reader=Reader(max_file_bytes=1000), read_options={"links": "text"})
    data = json.loads(json.dumps(made.to_dict()))
    assert kind.from_dict(data).to_dict() == data
    assert made._get_telemetry_data() == {"component": "Reader"}
    with pytest.raises(ConfigError, match="reader or base_url"):
        kind(reader=Reader(), base_url="http://x")
    with pytest.raises(ConfigError, match="aread"):
        kind(reader=Reader)
    with pytest.raises(ConfigError, match="cookies is a secret"):
        kind(read_options={"cookies": ["a=1"]}).to_dict()


def test_the_connector_answers_as_that_of_jina_haystack(service, monkeypatch):
    monkeypatch.setenv("JINA_API_KEY", KEY)
    modes = {"READ": "r", "SEARCH": "s", "GROUND": "g"}
    for mode, path in modes.items():
        theirs = predecessor.JinaReaderMode[mode]
        monkeypatch.setitem(predecessors_reader.READER_ENDPOINT_URL_BY_MODE, theirs, f"{service.url}/{path}/")
    asked = {
        "read": service.site.url("/tides"),
        "search": "when was the Holm Bridge opened",
        "ground": "The Holm Bridge opened in 1952.",
    }
    for mode, query in asked.items():
        wanted = predecessor.JinaReaderConnector(mode).run(query)["documents"]
        ours = JinaReaderConnector(mode, base_url=service.url)
        found = ours.run(query)["documents"]
        assert [(each.content, each.meta) for each in found] == [(each.content, each.meta) for each in wanted]
        assert found[0].content
        assert asyncio.run(ours.run_async(query))["documents"] == found
        ours.close()
    theirs = predecessor.JinaReaderConnector("read", json_response=False)
    ours = JinaReaderConnector(JinaReaderMode.READ, json_response=False, base_url=service.url)
    headers = {"X-Return-Format": "text"}
    assert ours.run(asked["read"]) == theirs.run(asked["read"])
    assert ours.run(asked["read"], headers) == theirs.run(asked["read"], dict(headers))
    assert headers == {"X-Return-Format": "text"}
    ours.close()


class _Knows:
    """Searches and checks."""

    async def asearch(self, query, *, options=None):
        page = Page("https://a.example/", "A", "Words of A.")
        self.options = options
        hits = (SearchResult(page.url, "A", page=page), SearchResult("https://b.example/", "B", "snippet of B"))
        return SearchResults(query, hits, warnings=("country was ignored.",))

    async def aground(self, statement, *, references=None):
        quotes = (Reference("https://a.example/", "Words of A.", True, 0.9, 0, 11),)
        return Grounding(statement, 0.9, True, "supported", "It says so.", quotes)


def test_the_connector_works_here_too(service, reader):
    read = JinaReaderConnector("read", component=reader).run(service.site.url("/tides"))["documents"]
    assert read[0].meta["title"] == "Tides"
    searched = JinaReaderConnector("search", component=_Knows()).run("a")["documents"]
    assert [(each.content, each.meta["url"]) for each in searched] == [
        ("Words of A.", "https://a.example/"), ("snippet of B", "https://b.example/"),
    ]  # fmt: skip
    checked = asyncio.run(JinaReaderConnector("ground", component=_Knows()).run_async("a"))["documents"]
    assert checked[0].content == "It says so."
    assert checked[0].meta["references"] == [
        {"url": "https://a.example/", "keyQuote": "Words of A.", "isSupportive": True}
    ]


def test_what_the_connector_refuses(tmp_path):
    with pytest.raises(ValueError, match="Unknown reader mode"):
        JinaReaderConnector("write")
    with pytest.raises(ConfigError, match="component=WebSearch"):
        JinaReaderConnector("search")
    with pytest.raises(ConfigError, match="json_response"):
        JinaReaderConnector("read", json_response=False)
    with pytest.raises(ConfigError, match="headers"):
        JinaReaderConnector("read").run("https://example.com", {"X-No-Cache": "true"})
    with pytest.raises(InputError, match="URL"):
        JinaReaderConnector("read").run(str(tmp_path / "a.txt"))
    with pytest.raises(ConfigError, match="asearch"):
        JinaReaderConnector("search", component=Reader())
    with pytest.raises(InputError, match="query"):
        JinaReaderConnector("read").run("")


def test_the_connector_is_written_down(monkeypatch, service):
    monkeypatch.setenv("JINA_API_KEY", KEY)
    made = JinaReaderConnector(JinaReaderMode.GROUND, base_url=service.url)
    data = json.loads(json.dumps(made.to_dict()))
    assert data["init_parameters"]["mode"] == "ground"
    assert KEY not in json.dumps(data)
    assert JinaReaderConnector.from_dict(data).to_dict() == data
    assert str(JinaReaderMode.from_str("read")) == "read"


@pytest.mark.parametrize("body", [b'{"data": null}', b'{"data": ["x"]}', b'{"data": {"content": 3}}', b"[]", b"no"])
def test_an_answer_out_of_form_is_an_error_or_nothing(server, body):
    server.routes["/r/https%3A%2F%2Fexample.com"] = [http(body=body)]
    connector = JinaReaderConnector("read", base_url=server.url(""), max_retries=0)
    if b"null" in body:
        assert connector.run("https://example.com")["documents"][0].content == ""
    else:
        with pytest.raises(WebError, match=server.url("/r")):
            connector.run("https://example.com")
    connector.close()


def test_a_refused_key_is_in_no_error(server):
    server.routes["/r/https%3A%2F%2Fexample.com"] = [http(401, body=b'{"detail": "no"}')]
    connector = JinaReaderConnector("read", Secret.from_token(KEY), base_url=server.url(""), max_retries=0)
    with pytest.raises(WebError, match="401") as refused:
        connector.run("https://example.com", {"X-No-Cache": "true"})
    assert KEY not in str(refused.value)
    assert server.received[0].headers["x-no-cache"] == "true"
    assert server.received[0].headers["authorization"] == f"Bearer {KEY}"
    connector.close()


def test_a_search_gives_pages_snippets_and_links(caplog):
    knows = _Knows()
    search = JinaWebSearch(search=knows, top_k=2, allowed_domains=["a.example"], search_params={"country": "de"})
    with caplog.at_level(logging.WARNING, "haystack_jina_components"):
        found = search.run("words")
    assert found["links"] == ["https://a.example/", "https://b.example/"]
    first, second = found["documents"]
    assert (first.content, first.meta["title"], first.meta["link"]) == ("Words of A.", "A", "https://a.example/")
    assert second.content == "snippet of B"
    assert (knows.options.count, knows.options.sites, knows.options.country) == (2, ("a.example",), "DE")
    assert "country was ignored" in caplog.text
    assert asyncio.run(search.run_async("words")) == found


def test_a_server_searches(service):
    search = JinaWebSearch(base_url=service.url, top_k=1)
    found = search.run("when was the Holm Bridge opened")
    assert found["links"] == [service.site.url("/bridge")]
    assert "1952" in found["documents"][0].content
    search.close()


def test_a_search_that_is_written_down():
    made = JinaWebSearch(search=WebSearch(["arxiv"], reader=Reader()), top_k=3, allowed_domains=["arxiv.org"])
    data = json.loads(json.dumps(made.to_dict()))
    assert JinaWebSearch.from_dict(data).to_dict() == data
    with pytest.raises(ConfigError, match="can be written down"):
        JinaWebSearch(search=WebSearch([FakeSearchProvider([])])).to_dict()


def test_what_a_search_refuses():
    with pytest.raises(ConfigError, match="search=WebSearch"):
        JinaWebSearch()
    with pytest.raises(ConfigError, match="search or base_url"):
        JinaWebSearch(search=WebSearch(), base_url="http://x")
    with pytest.raises(ConfigError, match="count"):
        JinaWebSearch(search=WebSearch(), top_k=0)
    with pytest.raises(InputError, match="query"):
        JinaWebSearch(search=WebSearch()).run("")
