"""Archives and XML made to harm: refused or bounded, in time and memory."""

from __future__ import annotations

import contextlib
import io
import time
import zipfile
from collections.abc import Callable, Iterator

import openpyxl
import pptx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from office_samples import changed, read, saved, word, zipped

from jina_components.errors import ExtractionError
from jina_components.reader import archive as archives
from jina_components.reader.formats import xml
from jina_components.reader.sources import Source, format_of

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghij", strict=True))
    + '<!ENTITY file SYSTEM "file:///etc/passwd"><!ENTITY web SYSTEM "http://127.0.0.1:1/x">]>'
)


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    begin = time.perf_counter()
    yield
    assert time.perf_counter() - begin < 20


@pytest.mark.parametrize("entity", ["j", "file", "web"])
@pytest.mark.parametrize(
    "document",
    [
        "<rss><channel><title>T</title><item><title>x &{};</title></item></channel></rss>",
        "<urlset><url><loc>https://h/x</loc><lastmod>&{};</lastmod></url></urlset>",
        "<article><p>x &{};</p></article>",
        "<data><x>&{};</x></data>",
    ],
)
def test_entities_are_not_expanded(document: str, entity: str) -> None:
    content = str(read_or_error((LAUGHS + document.format(entity)).encode()))
    assert "lollol" not in content
    assert "root:" not in content
    assert len(content) < 5000


def test_entities_in_attributes_do_not_grow() -> None:
    try:
        page = read(LAUGHS + '<article><p>words <a href="&j;">x</a></p></article>')
    except ExtractionError:
        return
    assert len(page.content) < 1_000_000


@pytest.mark.parametrize("part", ["word/document.xml", "_rels/.rels"])
def test_office_files_with_entities_are_refused(part: str) -> None:
    data = word("<w:p><w:r><w:t>x</w:t></w:r></w:p>")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read(part).decode()
    with pytest.raises(ExtractionError, match="declares a DTD"):
        read(changed(data, {part: LAUGHS + text}))


def test_entities_in_a_sheet_are_not_expanded() -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "words"
    data = saved(book)
    strings = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>&j;</t></si></sst>'
    assert "lol" not in str(read_or_error(changed(data, {"xl/sharedStrings.xml": LAUGHS + strings})))


def test_numbers_of_a_sheet_that_are_none_do_not_matter() -> None:
    rows = (
        '<row r="x"><c t="s"><v>99999999999999999999</v></c><c t="s" r="??"><v>x</v></c><c s="-1"><v>1</v></c></row>'
        '<row><c s="999"><v>2</v></c><c><v>1e999</v></c><c><v>nan</v></c><c t="n"><v>word</v></c></row>'
    )
    sheet = (
        f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData>'
    )
    merged = '<mergeCells><mergeCell ref="A1:XFD1048576"/><mergeCell ref="?"/><mergeCell/></mergeCells></worksheet>'
    data = changed(saved(openpyxl.Workbook()), {"xl/worksheets/sheet1.xml": sheet + merged})
    assert "| 2 |" in read(data).content


def test_overlapping_merged_cells_take_no_time() -> None:
    rows = "".join(f'<row r="{number}"><c r="A{number}"><v>1</v></c></row>' for number in range(1, 5001))
    merged = '<mergeCell ref="A1:XFD1048576"/>' * 20_000
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f"<sheetData>{rows}</sheetData><mergeCells>{merged}</mergeCells></worksheet>"
    )
    assert read(changed(saved(openpyxl.Workbook()), {"xl/worksheets/sheet1.xml": sheet})).content.count("| 1 |") == 5000


def read_or_error(data: bytes) -> object:
    try:
        return read(data).content
    except ExtractionError as error:
        return error


def test_what_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_READ_BYTES", 1_000_000)
    data = word(f"<w:p><w:r><w:t>{'x' * 2_000_000}</w:t></w:r></w:p>")
    assert len(data) < 10_000
    with pytest.raises(ExtractionError, match="unpacks to more than 1,000,000 bytes"):
        read(data)


def test_the_true_limits_hold_a_bomb() -> None:
    with pytest.raises(ExtractionError, match="exceeds 50,000,000 bytes"):
        read(word(f"<w:p><w:r><w:t>{'x' * 60_000_000}</w:t></w:r></w:p>"))


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 100)
    with pytest.raises(ExtractionError, match="more than 100 entries"):
        format_of(Source("x.zip", zipped({f"{number}": "" for number in range(101)})))


def test_deep_elements_are_refused_or_read() -> None:
    deep = "<w:sdt><w:sdtContent>" * 100_000
    with pytest.raises(ExtractionError, match="no well-formed XML"):
        read(word(deep))
    assert read(f"<?xml version='1.0'?><a><p>first</p>{'<b>' * 100_000}</a>").content.startswith("first")


def test_deep_tables_are_read() -> None:
    depth = 80  # the deepest that XML of 256 levels has
    cell = "<w:p><w:r><w:t>deep</w:t></w:r></w:p>"
    rows = "<w:tbl><w:tr><w:tc><w:p/></w:tc><w:tc>" * depth, "</w:tc></w:tr></w:tbl>" * depth
    assert "deep" in read(word(rows[0] + cell + rows[1])).content


def test_a_password_is_asked_to_be_removed() -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    with pytest.raises(ExtractionError, match=r"\.doc, \.xls, \.ppt\): save it as \.docx"):
        format_of(Source("a.doc", ole))
    with pytest.raises(ExtractionError, match="an encrypted Office document: remove its password"):
        format_of(Source("a.docx", ole + "EncryptedPackage".encode("utf-16-le")))
    locked = bytearray(word("<w:p/>"))
    for at in range(len(locked)):
        if locked[at : at + 4] == b"PK\x01\x02":
            locked[at + 8] |= 1
    with pytest.raises(ExtractionError, match="encrypted: remove its password"):
        read(bytes(locked))


def test_names_that_lead_out_of_the_archive_are_just_names() -> None:
    relation = (
        '<Relationship Id="i" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" '
        'Target="../../../../etc/passwd"/>'
    )
    body = (
        '<w:p><w:r><w:t>x</w:t></w:r><w:r><w:drawing><a:blip xmlns:a="http://schemas.openxmlformats.org/drawingml/'
        '2006/main" r:embed="i"/></w:drawing></w:r></w:p>'
    )
    page = read(word(body, relations=relation))
    assert (page.content, page.images) == ("x", ())


SAMPLE = word("<w:p><w:r><w:t>Some words of a paragraph</w:t></w:r></w:p>")


@settings(max_examples=60, deadline=None)  # the first PDF starts a process
@example(30, b"LZ")
@given(st.integers(0, len(SAMPLE) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_archive_is_read_or_refused(at: int, damage: bytes) -> None:
    with contextlib.suppress(ExtractionError):
        read(SAMPLE[:at] + damage + SAMPLE[at + len(damage) :])


@given(st.integers(0, len(SAMPLE) - 1))
def test_a_truncated_archive_is_refused(length: int) -> None:
    if length > 4:
        with pytest.raises(ExtractionError):
            read(SAMPLE[:length], "a.docx")


MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
WORDS = "<w:p><w:r><w:t>words</w:t></w:r></w:p>"


def sheet(rows: str) -> bytes:
    """A workbook whose sheet holds these rows after a true one."""
    first = '<row r="1"><c r="A1"><v>1</v></c></row>'
    parts = {"xl/worksheets/sheet1.xml": f"<worksheet {MAIN}><sheetData>{first}{rows}</sheetData></worksheet>"}
    return changed(saved(openpyxl.Workbook()), parts)


def book(chapter: str, *, times: int = 1) -> bytes:
    """An e-book that shows a chapter so many times."""
    return zipped({
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfile full-path="c.opf"/></container>',
        "c.opf": '<package><manifest><item id="a" href="a.xhtml"/></manifest><spine>'
        + '<itemref idref="a"/>' * times + "</spine></package>",
        "a.xhtml": f"<html><body>{chapter}</body></html>",
    })  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda: sheet("<row>" + "<c/>" * 100_000 + "</row>"),
        lambda: sheet("<x/>" * 100_000),
        lambda: word(WORDS + "<a/>" * 4_100_000),
        lambda: word(WORDS + "<a " + " ".join(f'a{number}=""' for number in range(50_000)) + "/>"),
        lambda: book("<p>" * 60_000),
        lambda: book("<p>words" * 600, times=100),
    ],
    ids=["cells", "junk", "elements", "attributes", "chapter", "chapters"],
)
def test_elements_that_would_take_much_memory_are_refused(
    make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml, "MAX_STREAMED_BYTES", 200_000)
    monkeypatch.setattr("jina_components.reader.formats.ooxml.MAX_TREE_NODES", 50_000)
    monkeypatch.setattr("jina_components.reader.formats.epub.MAX_TREE_NODES", 50_000)
    data = make()
    with pytest.raises(ExtractionError, match="too many elements"):
        read(data)


def test_streamed_elements_leave_no_memory_behind() -> None:
    data = "<urlset>" + "<g><url><loc>https://h/x</loc></url></g>" * 30_000 + "</urlset>"
    for each in xml.iterate_xml(data.encode(), ("{*}url",), Source("x.xml", b"")):
        assert len(each.getparent().getparent()) < 5000  # what was parsed ahead


def test_word_takes_no_time_for_fields_spans_and_attributes() -> None:
    begun = '<w:r><w:fldChar w:fldCharType="begin"/><w:fldChar w:fldCharType="separate"/></w:r>' * 15_000
    assert "words" in read(word(f"<w:p>{begun}{'<w:r><w:t>words</w:t></w:r>' * 15_000}</w:p>")).content
    instructions = f"<w:instrText>{'y' * 1000}</w:instrText>" * 20_000
    field = f'<w:r><w:fldChar w:fldCharType="begin"/>{instructions}<w:fldChar w:fldCharType="end"/></w:r>'
    assert read(word(f"<w:p>{field}</w:p>{WORDS}")).content == "words"
    row = '<w:tr><w:trPr><w:gridBefore w:val="1000"/></w:trPr><w:tc><w:p/></w:tc></w:tr>'
    assert read(word(f"<w:tbl>{row * 5000}</w:tbl>{WORDS}")).content == "words"
    attributes = " ".join(f'a{number}=""' for number in range(200_000))
    assert read(f"<?xml version='1.0'?><a {attributes}><p>words</p></a>").content == "words"


def test_slides_do_not_nest_without_end() -> None:
    deck = pptx.Presentation()
    frame = deck.slides.add_slide(deck.slide_layouts[1]).placeholders[1].text_frame
    for number in range(300):
        frame.add_paragraph().text = f"item {number}"
        frame.paragraphs[-1]._p.get_or_add_pPr().set("lvl", str(number))
    assert "item 299" in read(saved(deck)).content


def test_more_sheets_than_any_workbook_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jina_components.reader.formats.xlsx.MAX_SHEETS", 2)
    workbook = openpyxl.Workbook()
    for _ in range(2):
        workbook.create_sheet()
    with pytest.raises(ExtractionError, match="more than 2 sheets"):
        read(saved(workbook))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_packing_that_no_document_has_is_refused(method: int) -> None:
    with zipfile.ZipFile(io.BytesIO(word(WORDS))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with pytest.raises(ExtractionError, match="packed in a way not read"):
        read(zipped(entries, compression=method))
