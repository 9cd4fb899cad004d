from __future__ import annotations

import struct
import time
import zlib
from typing import TYPE_CHECKING, cast

import pytest
from reader_samples import pdf

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader import Reader
from jina_components.reader.pdf import document, read_pdf
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from jina_components.reader.browser import Browser

PAGES = (
    ["The first page says that the lighthouse was", "built in 1871 and rebuilt in 1902."],
    ["The second page says that the keep-", "er lived alone."],
    ["The third page is the last."],
)


def read(data: bytes, name: str = "dir/book.pdf") -> Page:
    return read_pdf(Source(name, data))


def test_pages_of_a_book() -> None:
    page = read(pdf(PAGES, title="The Lighthouse", author="Ada Marsh"))
    assert page.content == (
        "The first page says that the lighthouse was built in 1871 and rebuilt in 1902.\n\n"
        "The second page says that the keeper lived alone.\n\nThe third page is the last."
    )
    assert [page.content[offset:].split(" page")[0] for offset in page.page_offsets] == [
        "The first",
        "The second",
        "The third",
    ]
    assert (page.url, page.title) == ("dir/book.pdf", "The Lighthouse")
    assert page.metadata == {"num_pages": 3, "author": "Ada Marsh"}
    assert page.published_time == "2000-01-01T00:00:00+00:00"
    assert page.warnings == ()


def test_a_page_number_is_found_for_every_offset() -> None:
    page = read(pdf([None, PAGES[0], None, PAGES[2], None]))
    assert len(page.page_offsets) == 5
    assert page.page_at(0) == 2
    assert page.page_at(page.content.index("The third")) == 4
    assert page.page_at(len(page.content) - 1) == 4
    assert page.content == page.content.strip()
    assert page.warnings == ("Pages without text (blank, or images that need OCR): 1, 3, 5.",)


def test_many_blank_pages_are_named_briefly() -> None:
    (warning,) = read(pdf([None] * 30 + [PAGES[0]])).warnings
    assert warning.endswith("19, 20 and 10 more.")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("", "The third page is the last."),
        ("untitled", "The third page is the last."),
        ("Microsoft Word - draft.doc", "The third page is the last."),
        ("draft_v2.indd", "The third page is the last."),
        ("---", "The third page is the last."),
        ("  Rain \x00 and\n fog ", "Rain and fog"),
    ],
)
def test_title_is_that_of_the_metadata_when_it_is_one(title: str, expected: str) -> None:
    assert read(pdf([PAGES[2]], title=title)).title == expected


def test_title_from_the_largest_line() -> None:
    small, large = pdf([PAGES[0] * 5]), pdf([["Rain and Fog"]], size=30)
    assert read(small).title.startswith("The first page")
    assert read(large).title == "Rain and Fog"


def test_an_encrypted_document_says_so() -> None:
    with pytest.raises(ExtractionError, match="encrypted PDF: remove its password") as caught:
        read(pdf(PAGES, password="secret"))
    assert caught.value.source == "dir/book.pdf"


def test_a_scan_says_that_it_needs_ocr() -> None:
    with pytest.raises(ExtractionError, match="only images or drawings, no text: it needs OCR"):
        read(pdf([None, None]))


@pytest.mark.parametrize("data", [b"%PDF-1.7", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer<<>>", pdf(PAGES)[:300]])
def test_a_broken_document_says_so(data: bytes) -> None:
    with pytest.raises(ExtractionError, match="broken PDF"):
        read(data)


def of_pages(*kids: bytes, date: bytes = b"") -> bytes:
    content = b"BT /F 12 Tf 20 200 Td (A page of text.) Tj ET"
    return join(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%b]/Count %d>>" % (b" ".join(kids), len(kids)),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 300]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</CreationDate(%b)>>" % date,
    )


def test_broken_pages_are_told_and_not_drawn() -> None:
    page = read_pdf(Source("book.pdf", of_pages(b"8 0 R", b"3 0 R")), ReadOptions(format="pageshot"))
    assert page.content == "A page of text."
    assert page.warnings == ("Pages that could not be read: 1.",)
    assert png_size(page.screenshot) == (750, 450)


def test_a_document_of_broken_pages_is_broken() -> None:
    with pytest.raises(ExtractionError, match="broken PDF: PDFium can load none of its pages"):
        read(of_pages(b"8 0 R", b"9 0 R"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("D:20240229", "2024-02-29"),
        ("D:20240229123456+02'00'", "2024-02-29T12:34:56+02:00"),
        ("D:20240229123456Z00'00'", "2024-02-29T12:34:56Z"),
        ("D:20241399", ""),
        ("D:20240229996060", ""),
    ],
)
def test_dates(given: str, expected: str) -> None:
    data = of_pages(b"3 0 R", date=given.encode()).replace(b"/Root 1 0 R", b"/Root 1 0 R/Info 6 0 R")
    assert read(data).published_time == expected


def test_a_pdf_is_drawn_without_a_browser() -> None:
    with Reader(browser=cast("Browser", object())) as reader:
        page = reader.read(pdf(PAGES), options=ReadOptions(format="screenshot"))
    assert png_size(page.screenshot)[0] > 800
    assert "The third page" in page.content


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_PAGES", 2)
    with pytest.raises(document.BrokenPdfError, match="more than 2 pages"):
        document.extract(pdf(PAGES), document.Job())
    monkeypatch.setattr(document, "MAX_PAGES", 3)
    monkeypatch.setattr(document, "MAX_CHARACTERS", 100)
    with pytest.raises(document.BrokenPdfError, match="more than 100 characters"):
        document.extract(pdf(PAGES), document.Job())


def test_one_page_of_many() -> None:
    page = read_pdf(Source("book.pdf", pdf(PAGES)), page=2)
    assert page.content == "The second page says that the keeper lived alone."
    assert page.metadata["num_pages"] == 3
    assert page.page_offsets == (0,)


@pytest.mark.parametrize("number", [0, 4])
def test_a_page_that_is_not_there(number: int) -> None:
    with pytest.raises(ExtractionError, match=f"book.pdf has no page {number}: it has 3"):
        read_pdf(Source("book.pdf", pdf(PAGES)), page=number)


@pytest.mark.parametrize(("asked", "pages"), [("screenshot", 1), ("pageshot", 3)])
def test_pictures_of_the_first_pages(asked: str, pages: int) -> None:
    options = ReadOptions(format=asked, engine="auto")  # type: ignore[arg-type]
    page = read_pdf(Source("book.pdf", pdf([*PAGES, ["A fourth page."]])), options)
    width, height = png_size(page.screenshot)
    assert (width, height) == (pytest.approx(595 * 1.5, abs=2), pytest.approx(842 * 1.5 * pages, abs=2 * pages))
    assert "The third page" in page.content


def test_a_picture_of_a_page_without_text() -> None:
    page = read_pdf(Source("scan.pdf", pdf([None])), ReadOptions(format="screenshot"))
    assert page.content == ""
    assert png_size(page.screenshot)[0] > 800


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG, whose pixels are checked to be there and not all white."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    start = data.index(b"IDAT")
    pixels = zlib.decompress(data[start + 4 : start + 4 + struct.unpack(">I", data[start - 4 : start])[0]])
    assert len(pixels) == height * (1 + 3 * width)
    assert any(pixels[1 + row * (1 + 3 * width) :][:3000] != b"\xff" * 3000 for row in range(0, height, 7))
    return width, height


def test_letters_beyond_the_basic_plane_do_not_shift_the_layout() -> None:
    page = read(emoji_pdf())
    assert page.content == "😀😀😀😀 smiles and goes on until the edge of the column, then the next line follows it."


@pytest.mark.parametrize(("text", "count"), [(b"(a word) Tj ", 300_000), (b"(%b) Tj " % (b"words " * 5000), 40)])
def test_a_small_file_of_very_much_text_is_refused_at_once(text: bytes, count: int) -> None:
    data = page_of(b"BT /F 9 Tf 20 200 Td " + text * count + b"ET")
    assert len(data) < 50_000
    begin = time.perf_counter()
    with pytest.raises(ExtractionError, match="page 1 has more than"):
        read(data)
    assert time.perf_counter() - begin < 30


def page_of(content: bytes) -> bytes:
    """A PDF of one page that draws `content`, compressed."""
    packed = zlib.compress(content)
    return join(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 300]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(packed), packed),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


def emoji_pdf() -> bytes:
    """A PDF whose letter A is the emoji U+1F600."""

    def stream(data: bytes) -> bytes:
        return b"<</Length %d>>stream\n%b\nendstream" % (len(data), data)

    return join(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 300]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        stream(
            b"BT /F 12 Tf 20 200 Td (AAAA smiles and goes on until the edge of the column,) Tj"
            b" 0 -14 Td (then the next line follows it.) Tj ET"
        ),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>",
        stream(
            b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def"
            b" 1 begincodespacerange <00><FF> endcodespacerange 1 beginbfchar <41> <D83DDE00> endbfchar"
            b" endcmap end end"
        ),
    )


def join(*objects: bytes) -> bytes:
    """A PDF of `objects`, the first of which is its catalog."""
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%btrailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        table,
        len(objects) + 1,
        len(out),
    )
