from __future__ import annotations

import time

import pytest
from reader_samples import pdf

from jina_components.errors import ExtractionError
from jina_components.reader.sources import Source, format_of

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
        (Source("x", b'{"a": 1}', content_type="application/ld+json"), "text"),
        (Source("x.html", b"words", content_type="application/octet-stream"), "html"),
    ],
)
def test_declared_type_then_first_bytes_then_suffix(source: Source, expected: str) -> None:
    assert format_of(source) == expected


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (b"PK\x03\x04" + b"mostly text " * 100, "ZIP"),
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
    assert "HTML, PDF, Markdown and plain text" in str(caught.value)
    assert caught.value.source == "some.txt"


@pytest.mark.parametrize("data", [b"", b" \n\t "])
def test_empty_data_is_refused(data: bytes) -> None:
    with pytest.raises(ExtractionError, match="is empty"):
        format_of(Source("x.pdf", data))


def test_words_that_begin_like_a_magic_number_are_text() -> None:
    assert format_of(Source("", b"MZ is the mark of executables, GIF8 one of images")) == "text"


def test_sniffing_takes_no_time_on_any_input() -> None:
    begin = time.perf_counter()
    format_of(Source("", b"<!-- -->" * 128 + b"x"))
    assert time.perf_counter() - begin < 0.5


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
