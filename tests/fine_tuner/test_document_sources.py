from __future__ import annotations

import json

import pytest
from local_server import LocalServer, ServerThread, http, loopback_fetcher

from jina_components import Reader, WebSearch
from jina_components.core.background import run_sync
from jina_components.errors import ChatError, ConfigError, HTTPStatusError, InputError, RobotsDeniedError
from jina_components.fine_tuner.sources import documents_of
from jina_components.testing import FakeChat
from jina_components.types import Page


def html(title, *links):
    text = f"{title} is described here at some length, so that there is a paragraph to be read and found again."
    anchors = "".join(f'<p>See <a href="{link}">the page {link}</a> for more of it.</p>' for link in links)
    body = (
        f"<html lang=en><title>{title}</title><body><main><h1>{title}</h1><p>{text}</p>{anchors}</main></body></html>"
    )
    return [http(body=body.encode(), content_type="text/html; charset=utf-8")]


@pytest.fixture
def site():
    thread = ServerThread()
    server = thread.start(
        LocalServer({
            "/docs/": html("Start", "a", "b#part", "/about", "https://elsewhere.test/docs/", "secret", "missing"),
            "/docs/a": html("Page A", "b", "sub/c", "/docs/"),
            "/docs/b": html("Page B"),
            "/docs/sub/c": html("Page C"),
            "/docs/secret": html("Secret"),
            "/about": html("About"),
            "/robots.txt": [http(body=b"User-agent: *\nDisallow: /docs/secret\n", content_type="text/plain")],
        })
    )  # fmt: skip
    yield server
    thread.stop()


@pytest.fixture
def reader():
    fetcher = loopback_fetcher()
    with Reader(fetcher=fetcher) as reader:
        yield reader
    run_sync(fetcher.aclose())


def documents(source, **parts):
    return run_sync(documents_of(source, **parts))


def titles(found):
    return [document.metadata["title"] for document in found]


def test_a_site_is_read_from_its_start_within_its_folder(site, reader, caplog):
    found = documents(site.url("/docs/"), reader=reader)
    assert titles(found) == ["Start", "Page A", "Page B", "Page C"]
    assert found[1].metadata["source"] == site.url("/docs/a")
    assert "/docs/secret" not in site.paths()  # robots.txt says so
    assert "/about" not in site.paths()
    assert "missing" in caplog.text


def test_no_more_pages_than_asked_for(site, reader):
    assert titles(documents(site.url("/docs/"), reader=reader, max_pages=2)) == ["Start", "Page A"]


def test_a_sitemap_leads_to_its_pages(site, reader):
    places = "".join(f"<url><loc>{site.url(path)}</loc></url>" for path in ("/docs/b", "/about"))
    whole = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{places}</urlset>'
    site.routes["/maps/sitemap.xml"] = [http(body=whole.encode(), content_type="application/xml")]
    assert titles(documents(site.url("/maps/sitemap.xml"), reader=reader)) == ["Page B", "About"]


@pytest.mark.parametrize(("path", "error"), [("/nowhere", HTTPStatusError), ("/docs/secret", RobotsDeniedError)])
def test_a_start_that_cannot_be_read_is_an_error(site, reader, path, error):
    with pytest.raises(error):
        documents(site.url(path), reader=reader)


def test_a_description_is_searched_for(reader):
    search = WebSearch()
    search.remember([Page("https://example.com/rain", "Rain", "Rain falls from clouds.")])
    (found,) = documents("where rain comes from", search=search, chat=FakeChat([]))
    assert (found.text, found.metadata["title"]) == ("Rain falls from clouds.", "Rain")
    with pytest.raises(InputError, match="found 0 pages"):
        documents("where rain comes from", search=WebSearch())


def chat_of(topics, text="It is so."):
    def reply(messages):
        told = json.loads(messages[1].content)
        if "topic" in told:
            return json.dumps({"title": told["topic"].title(), "text": text}) if text else "No."
        return json.dumps({"topics": topics})

    return FakeChat(reply)


def test_without_a_search_a_chat_model_writes():
    found = documents("rain and snow", chat=chat_of(["rain", "Snow", "snow"]))
    assert titles(found) == ["Rain", "Snow"]
    assert {document.metadata["origin"] for document in found} == {"written by a chat model"}
    assert len(documents("rain", chat=chat_of(["a", "b", "c"]), max_pages=2)) == 2


def test_a_chat_model_that_writes_nothing_is_an_error():
    with pytest.raises(ChatError):
        documents("rain", chat=chat_of(["a", "b"], text=""))
    with pytest.raises(InputError, match="named no topic"):
        documents("rain", chat=chat_of([]))


@pytest.mark.parametrize(
    ("source", "error", "told"),
    [
        ("https://example.com/", ConfigError, "reader=Reader"),
        ("rain", ConfigError, "needs a search"),
        (" ", InputError, "is empty"),
    ],
)
def test_what_a_source_needs_is_said(source, error, told):
    with pytest.raises(error, match=told):
        documents(source)
