from __future__ import annotations

import gzip
import time

import openpyxl
import pptx
import pytest
from office_samples import saved, word, zipped
from reader_samples import pdf

from jina_components.errors import ExtractionError
from jina_components.reader import sources
from jina_components.reader.sources import Source, format_of, unpacked

HTML = b"<!doctype html><p>text"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3 and so on"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Source("", HTML), "html"),
        (Source("", b"\xef\xbb\xbf  <!-- a --><!-- b -->\n<HTML lang=en>"), "html"),
        (Source("", b"<?xml version='1.0'?><html xmlns='x'>"), "html"),
        (Source("", "<html><p>wide".encode("utf-16")), "html"),
        (Source("", b"<p>fragment</p>"), "html"),
        (Source("", b"a < b and b > c"), "text"),
        (Source("", b"plain"), "text"),
        (Source("notes.md", b"<div align=center>\n# Title"), "text"),
        (Source("notes.md", b"about the header %PDF-1.4"), "text"),
        (Source("notes.txt", HTML), "html"),
        (Source("page.HTM", b"just words"), "html"),
        (Source("http://h/a.md?x=1#y", b"words"), "text"),
        (Source("", PDF), "pdf"),
        (Source("x.txt", PDF, content_type="text/html"), "pdf"),
        (Source("", b"junk before\n" + PDF), "pdf"),
        (Source("x", b"whatever", content_type="application/pdf"), "pdf"),
        (Source("x.md", b"# words", content_type="text/html"), "html"),
        (Source("x.html", HTML, content_type="Text/Plain; charset=utf-8"), "text"),
        (Source("x", b'{"a": 1}', content_type="application/ld+json"), "json"),
        (Source("x.json", b'{"a": 1}'), "json"),
        (Source("https://h/x.csv", b"a,b", content_type="text/plain; charset=utf-8"), "csv"),
        (Source("x", b"a,b", content_type="text/csv"), "csv"),
        (Source("x.yaml", b"a: b", content_type="application/yaml"), "text"),
        (Source("x", b"<?xml version='1.0'?><!-- a --><rss version='2.0'>", content_type="text/html"), "feed"),
        (Source("x", b"<?xml version='1.0'?><rss>", content_type="text/plain"), "text"),
        (Source("x", "<?xml version='1.0'?><feed xmlns='x'>".encode("utf-16")), "feed"),
        (Source("x", b"<rdf:RDF xmlns='x'>", content_type="application/xml"), "feed"),
        (Source("x.xml", b"<!DOCTYPE x [<!ENTITY a 'b'>]>\n<ns:urlset>"), "sitemap"),
        (Source("x", b"<sitemapindex>"), "sitemap"),
        (Source("x", b"<?xml version='1.0'?><html xmlns='x'>", content_type="text/xml"), "html"),
        (Source("x", b"<?xml version='1.0'?><data/>"), "xml"),
        (Source("x", b"<data/>", content_type="application/vnd.x+xml"), "xml"),
        (Source("x.xml", b"<data/>"), "xml"),
        (Source("x.docx", b"no archive"), "text"),
        (Source("x.docx", b"<html><p>no archive"), "html"),
        (Source("x.txt", word("<w:p/>"), content_type="text/html"), "docx"),
        (Source("x", saved(openpyxl.Workbook())), "xlsx"),
        (Source("x", saved(pptx.Presentation())), "pptx"),
        (Source("x", zipped({"mimetype": "application/epub+zip"})), "epub"),
        (Source("x", zipped({"META-INF/container.xml": "<container/>"})), "epub"),
        (Source("x.html", b"words", content_type="application/octet-stream"), "html"),
    ],
)
def test_declared_type_then_first_bytes_then_suffix(source: Source, expected: str) -> None:
    assert format_of(source) == expected


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (b"PK\x05\x06" + b"\0" * 18, "an empty ZIP"),
        (zipped({"a.txt": "words"}), "a ZIP archive of no document"),
        (zipped({"mimetype": "application/vnd.oasis.opendocument.text"}), r"OpenDocument file: save it as \.docx"),
        (b"{\\rtf1\\ansi words}", r"rich text format: save it as \.docx"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"\x7fELF\x02\x01\x01\0\0", "executable"),
        (b"MZ\x90\0\x03\0\0\0", "executable"),
        (bytes(range(256)) * 4, "unknown"),
    ],
)
@pytest.mark.parametrize("content_type", ["", "text/html", "text/plain"])
def test_binary_data_is_refused_by_name(data: bytes, looks_like: str, content_type: str) -> None:
    with pytest.raises(ExtractionError, match=looks_like) as caught:
        format_of(Source("some.txt", data, content_type=content_type))
    assert "some.txt" in str(caught.value)
    assert "HTML, PDF, Office files, EPUB, feeds, XML, JSON, CSV, Markdown and plain text" in str(caught.value)
    assert caught.value.source == "some.txt"


def test_a_broken_archive_is_refused() -> None:
    with pytest.raises(ExtractionError, match="broken or truncated ZIP"):
        format_of(Source("some.docx", b"PK\x03\x04" + b"mostly text " * 100))


@pytest.mark.parametrize(
    ("name", "declared", "left"),
    [("https://h/a.html.gz", "application/gzip", ""), ("a.gz", "", ""), ("a", "text/html", "text/html")],
)
def test_gzip_files_are_unpacked(name: str, declared: str, left: str) -> None:
    members = gzip.compress(b"<p>one") + gzip.compress(b"two</p>")
    assert unpacked(Source(name, members, "b", declared)) == Source(
        name.removesuffix(".gz"), b"<p>onetwo</p>", "b", left
    )
    assert unpacked(Source(name, HTML)) == Source(name, HTML)


def test_a_gzip_bomb_and_broken_gzip_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(bytes(100_000))
    monkeypatch.setattr(sources, "MAX_UNPACKED_BYTES", 150_000)
    assert len(unpacked(Source("x.gz", bomb)).data) == 100_000
    with pytest.raises(ExtractionError, match="more than 150,000 bytes: unpack it first"):
        unpacked(Source("x.gz", bomb + bomb))
    with pytest.raises(ExtractionError, match="broken or truncated gzip"):
        unpacked(Source("x.gz", bomb[:-9]))
    with pytest.raises(ExtractionError, match="broken or truncated gzip"):
        unpacked(Source("x.gz", bomb[:4] + b"\xff" * 40))


@pytest.mark.parametrize("data", [b"", b" \n\t "])
def test_empty_data_is_refused(data: bytes) -> None:
    with pytest.raises(ExtractionError, match="is empty"):
        format_of(Source("x.pdf", data))


def test_words_that_begin_like_a_magic_number_are_text() -> None:
    assert format_of(Source("", b"MZ is the mark of executables, GIF8 one of images")) == "text"


def test_sniffing_takes_no_time_on_any_input() -> None:
    begin = time.process_time()
    for data in (b"<!-- -->" * 128 + b"x", b"<!--" * 2000, b"<?" * 3000, b"<!D[" * 2000, b"<" * 5000, b"<a:" * 2000):
        format_of(Source("", data))
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("name", "file_name"),
    [("http://h/a/b%20c.pdf?q=1", "b c.pdf"), ("a/b.md", "b.md"), ("", ""), ("https://h/", "")],
)
def test_file_name(name: str, file_name: str) -> None:
    assert Source(name, b"").file_name == file_name


def test_charset_of_the_declared_type() -> None:
    assert Source("", b"", content_type='text/html; Charset="KOI8-R"; x=y').charset == "KOI8-R"


def test_a_real_pdf() -> None:
    assert format_of(Source("", pdf([["hello"]]))) == "pdf"


def test_a_gzip_file_of_very_many_members_takes_no_time() -> None:
    empty = gzip.compress(b"")
    assert unpacked(Source("x.gz", empty * 100 + gzip.compress(b"words"))).data == b"words"
    with pytest.raises(ExtractionError, match="too many members"):
        unpacked(Source("x.gz", empty * 50_000))


def test_what_only_speaks_of_pdf_is_none() -> None:
    text = b"A file begins with %PDF- and its version."
    assert format_of(Source("https://h/pdf", text, content_type="text/html")) == "html"
    assert format_of(Source("https://h/pdf", text, content_type="text/plain")) == "text"
    assert format_of(Source("https://h/x", b"junk %PDF-1.4", content_type="application/octet-stream")) == "pdf"
