import gzip
from io import BytesIO

import pytest
from local_server import http, loopback_fetcher
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from jina_components.errors import (
    BlockedURLError,
    ConfigError,
    ContentTooLargeError,
    HTTPStatusError,
    ReadError,
    WebError,
)
from jina_components.net import FetchOptions
from jina_components.testing import WarcFetcher, WarcRecorder

PAGE = b"<title>Rain</title><p>" + b"It rains today. " * 99


def written(path, *records, packed=False):
    """A WARC file of (kind, url, status line, headers, body) such as a crawler writes."""
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=packed)
        info = writer.create_warcinfo_record(path.name, {"software": "a crawler"})
        writer.write_record(info)
        info.raw_stream.close()
        for kind, url, status, headers, body in records:
            told = StatusAndHeaders(status, headers, protocol="HTTP/1.1") if status else None
            record = writer.create_warc_record(
                url, kind, payload=BytesIO(body), http_headers=told, warc_content_type=None if status else "text/a"
            )
            writer.write_record(record)
            record.raw_stream.close()
    return WarcFetcher(path)


@pytest.mark.parametrize("packed", [False, True])
async def test_a_crawlers_file_is_served(tmp_path, packed):
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE)
    fetcher = written(
        tmp_path / "crawl.warc",
        ("request", "http://a.test/", "GET / HTTP/1.1", [("Host", "a.test")], b""),
        ("response", "http://a.test/", "200 OK", [("Content-Type", "text/html"), ("X-A", "1"), ("x-a", "2")], PAGE),
        ("response", "http://a.test/gz", "200 OK", [("Content-Encoding", "gzip")], gzip.compress(PAGE)),
        ("response", "http://a.test/chunked", "200 OK", [("Transfer-Encoding", "chunked")], chunked),
        ("response", "http://a.test/old", "301 Moved", [("Location", "/gz#part")], b""),
        ("response", "http://a.test/circle", "302 Found", [("Location", "/circle")], b""),
        ("response", "http://a.test/gone", "410 Gone", [], b"gone"),
        ("resource", "http://a.test/resource", None, [], b"made"),
        ("metadata", "http://a.test/metadata", None, [], b"about"),
        ("response", "http://a.test/again", "200 OK", [], b"first"),
        ("response", "http://a.test/again", "200 OK", [], b"second"),
        packed=packed,
    )
    page = await fetcher.fetch("HTTP://A.test:80/#top", headers={"accept-language": "de"})
    assert (page.url, page.status_code, page.content) == ("http://a.test/", 200, PAGE)
    assert (page.headers["content-type"], page.headers["x-a"]) == ("text/html", "1, 2")
    for path in ("gz", "chunked", "old"):
        assert (await fetcher.fetch(f"http://a.test/{path}")).content == PAGE
    assert (await fetcher.fetch("http://a.test/old")).url == "http://a.test/gz"
    assert (await fetcher.fetch("http://a.test/again")).content == b"second"
    made = await fetcher.fetch("http://a.test/resource")
    assert (made.content, made.headers) == (b"made", {"content-type": "text/a"})
    with pytest.raises(WebError, match="redirects"):
        await fetcher.fetch("http://a.test/circle")
    with pytest.raises(HTTPStatusError, match="410"):
        await fetcher.fetch("http://a.test/gone")
    gone = await fetcher.fetch("http://a.test/gone", options=FetchOptions(accept_errors=True))
    assert (gone.status_code, gone.content) == (410, b"gone")
    for url in ("http://a.test/metadata", "http://a.test/other", "http://127.0.0.1/"):
        with pytest.raises(WebError, match="not recorded"):
            await fetcher.fetch(url)
    with pytest.raises(BlockedURLError):
        await fetcher.fetch("file:///etc/passwd")
    with pytest.raises(ContentTooLargeError):
        await fetcher.fetch("http://a.test/", options=FetchOptions(max_bytes=100))
    assert len(fetcher.urls()) == 8


async def test_records_of_nonsense_are_errors(tmp_path):
    fetcher = written(
        tmp_path / "odd.warc",
        ("response", "http://a.test/", "many OK", [], b"x"),
        ("response", "http://a.test/away", "302 Found", [("Location", "http://a:b/")], b""),
    )
    with pytest.raises(ConfigError, match="not a sound WARC file"):
        await fetcher.fetch("http://a.test/")
    with pytest.raises(WebError, match="no URL"):
        await fetcher.fetch("http://a.test/away")


@pytest.mark.parametrize("name", ["pages.warc", "pages.warc.gz"])
async def test_what_is_recorded_is_served_again(server, tmp_path, name):
    server.routes |= {
        "/": [http(body=gzip.compress(PAGE), content_encoding="gzip", content_type="text/html", set_cookie="a=b")],
        "/old": [http(302, location="/")],
        "/gone": [http(404, body=b"gone")],
        "/new": [http(body=b"new")],
    }
    async with loopback_fetcher() as fetcher:
        recorder = WarcRecorder(tmp_path / name, fetcher=fetcher)
        live = [await recorder.fetch(server.url(path)) for path in ("/", "/old")]
        with pytest.raises(HTTPStatusError):
            await recorder.fetch(server.url("/gone"))
        await WarcRecorder(tmp_path / name, fetcher=fetcher).fetch(server.url("/new"))  # appends
    requests = len(server.received)
    replay = WarcFetcher(tmp_path / name)
    for path, page in zip(("/", "/old#x"), live, strict=True):
        again = await replay.fetch(server.url(path))
        assert (again.url, again.status_code, again.content) == (page.url, 200, PAGE)
        assert again.headers["content-type"] == "text/html"
        assert "set-cookie" not in again.headers
    with pytest.raises(HTTPStatusError, match="404"):
        await replay.fetch(server.url("/gone"))
    assert (await replay.fetch(server.url("/new"))).content == b"new"
    assert len(server.received) == requests
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")


async def test_files_that_cannot_be_served(tmp_path):
    (tmp_path / "text.warc").write_bytes(b"this is no WARC file\r\n\r\n")
    with pytest.raises(ConfigError, match="not a sound WARC file"):
        await WarcFetcher(tmp_path / "text.warc").fetch("http://a.test/")
    with pytest.raises(ReadError):
        await WarcFetcher(tmp_path / "missing.warc").fetch("http://a.test/")
    with pytest.raises(ConfigError):
        WarcFetcher(tmp_path / "text.warc", max_bytes=0)
    assert "text.warc" in repr(WarcFetcher(tmp_path / "text.warc"))
