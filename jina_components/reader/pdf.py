"""PDF to `Page`: the text of its pages, where each begins, and what the document says of itself."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.reader.charset import clean
from jina_components.reader.pdf_layout import Line, pages_to_markdown
from jina_components.reader.sources import Source
from jina_components.types import Page, shorten

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

MAX_PAGES = 20_000
MAX_CHARACTERS = 20_000_000
MAX_PAGE_CHARACTERS = 1_000_000
MAX_PAGE_TEXTS = 200_000  # text objects; PDFium takes kilobytes for each

# PDFium is not thread-safe: only one thread may be inside it, for whatever document.
_PDFIUM = threading.Lock()

_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-]\d\d)'?(\d\d)?)?")
_BOLD = re.compile(rb"bold|black|heavy|demi|bx\d|-bd", re.IGNORECASE)
_NO_TITLE = re.compile(
    r"untitled.*|microsoft (word|powerpoint) - .*|powerpoint presentation|document\d*|title|slide \d+"
    r"|\S*\.(docx?|dvi|indd|odt|pdf|pptx?|ps|qxd|rtf|tex|xlsx?)",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Raw:
    """What PDFium says of a document; a page that it cannot load is None."""

    pages: list[list[Line] | None]
    facts: dict[str, str]


def read_pdf(source: Source) -> Page:
    """The document that `source` holds, its pages separated by a blank line.

    At most `MAX_PAGES` pages and `MAX_CHARACTERS` characters are read, of one page at most
    `MAX_PAGE_CHARACTERS` in `MAX_PAGE_TEXTS` pieces.

    Raises:
        ExtractionError: the document is broken, encrypted, too large, or has no text.
    """
    raw = _load(source)
    texts = pages_to_markdown([page or [] for page in raw.pages])
    if not any(texts):
        raise ExtractionError(
            f"{source.label} is a PDF that holds only images or drawings, no text: it needs OCR first "
            "(for example ocrmypdf).",
            source.name,
        )
    content, offsets = _join_pages(texts)
    return Page(
        url=source.name,
        title=_title(raw.facts["Title"], content) or source.file_name,
        content=content,
        description=raw.facts["Subject"],
        published_time=_iso_date(raw.facts["CreationDate"]),
        metadata={"num_pages": len(texts)} | ({"author": raw.facts["Author"]} if raw.facts["Author"] else {}),
        page_offsets=offsets,
        warnings=tuple(_warnings(raw.pages, texts)),
    )


def _load(source: Source) -> _Raw:
    import pypdfium2

    with _PDFIUM:
        try:
            document = pypdfium2.PdfDocument(source.data)
        except pypdfium2.PdfiumError as error:
            raise ExtractionError(_explain(source, str(error)), source.name) from error
        with closing(document):
            if len(document) > MAX_PAGES:
                raise ExtractionError(f"{source.label} has more than {MAX_PAGES:,} pages: split it.", source.name)
            facts = {name: _fact(document, name) for name in ("Title", "Author", "Subject", "CreationDate")}
            pages: list[list[Line] | None] = []
            characters = 0
            for index in range(len(document)):
                page = _page_lines(document, index, source)
                characters += sum(len(line.text) for line in page or ())
                if characters > MAX_CHARACTERS:
                    raise ExtractionError(
                        f"{source.label} has more than {MAX_CHARACTERS:,} characters of text: split it.",
                        source.name,
                    )
                pages.append(page)
    return _Raw(pages, facts)


def _explain(source: Source, reason: str) -> str:
    if "password" in reason.lower() or "security" in reason.lower():
        return f"{source.label} is an encrypted PDF: remove its password first (for example qpdf --decrypt)."
    return f"{source.label} is a broken PDF: {reason}"


def _fact(document: PdfDocument, name: str) -> str:
    try:
        return " ".join(clean(document.get_metadata_value(name)).split())
    except UnicodeDecodeError:
        return ""


def _page_lines(document: PdfDocument, index: int, source: Source) -> list[Line] | None:
    import pypdfium2

    # A few kilobytes can hold millions of letters: they are counted before anything is made of them.
    too_much = ExtractionError(
        f"{source.label}: page {index + 1} has more than {MAX_PAGE_CHARACTERS:,} characters of text, "
        f"or more than {MAX_PAGE_TEXTS:,} pieces of it: remove the page.",
        source.name,
    )
    try:
        with closing(document[index]) as page:
            if _has_too_many_texts(page):
                raise too_much
            with closing(page.get_textpage()) as text_page:
                if text_page.count_chars() > MAX_PAGE_CHARACTERS:
                    raise too_much
                return list(_lines(text_page))
    except pypdfium2.PdfiumError:
        return None


def _has_too_many_texts(page: PdfPage) -> bool:
    from pypdfium2 import raw

    count = raw.FPDFPage_CountObjects(page)
    if count <= MAX_PAGE_TEXTS:
        return False
    types = (raw.FPDFPageObj_GetType(raw.FPDFPage_GetObject(page, index)) for index in range(count))
    return sum(kind == raw.FPDF_PAGEOBJ_TEXT for kind in types) > MAX_PAGE_TEXTS


def _lines(page: PdfTextPage) -> Iterator[Line]:
    start = 0
    for row in page.get_text_range().split("\r\n"):
        # PDFium counts in UTF-16, and writes these two for a hyphen at the end of a line.
        width = len(row) + sum(character > "\uffff" for character in row)
        text = " ".join(clean(row.replace("\ufffe", "\u00ad").replace("\x02", "\u00ad")).split())
        if text:
            first, last = (
                start + len(row) - len(row.lstrip()),
                start + len(row.rstrip()) - len(row) + width - 1,
            )
            yield _placed(page, text, first, last, ends_word=row[-1].isspace())
        start += width + 2


def _placed(page: PdfTextPage, text: str, first: int, last: int, *, ends_word: bool) -> Line:
    boxes = [_box(page, index) for index in (first, (first + last) // 2, last)]
    height = sorted(top - bottom for _, _, bottom, top in boxes)[1]
    left, right, bottom = boxes[0][0], boxes[2][1], boxes[0][2]
    if left > right:
        left, right = -boxes[0][1], -boxes[2][0]
    bold = all(_is_bold(page, index) for index in (first, last))
    return Line(text, left, right, bottom, height, bold, ends_word)


def _box(page: PdfTextPage, text_index: int) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a character, all zero where PDFium knows no box for it."""
    from pypdfium2 import raw

    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(page, raw.FPDFText_GetCharIndexFromTextIndex(page, text_index), box)
    return box.left, box.right, box.bottom, box.top


def _is_bold(page: PdfTextPage, text_index: int) -> bool:
    """Whether the name of a character's font says so; the weight is often not filled in."""
    from pypdfium2 import raw

    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    index = raw.FPDFText_GetCharIndexFromTextIndex(page, text_index)
    raw.FPDFText_GetFontInfo(page, index, name, len(name), flags)
    return _BOLD.search(name.value) is not None


def _join_pages(texts: list[str]) -> tuple[str, tuple[int, ...]]:
    """All text, and where each page begins in it; a blank page begins where the one before ends."""
    content, offsets = "", []
    for text in texts:
        if content and text:
            content += "\n\n"
        offsets.append(len(content))
        content += text
    return content, tuple(offsets)


def _title(given: str, content: str) -> str:
    if any(map(str.isalpha, given)) and not _NO_TITLE.fullmatch(given):
        return given
    heading = re.search(r"^#+ (.+)", content, re.MULTILINE)
    return shorten(heading[1] if heading else content.split("\n", 1)[0], 100)


def _iso_date(text: str) -> str:
    """A date of ISO 32000-1, section 7.9.4, as ISO 8601 in the precision it has; empty for anything else."""
    found = _DATE.fullmatch(text.rstrip("'"))
    if not found:
        return ""
    year, month, day, hour, minute, second, utc, offset, offset_minutes = found.groups()
    date = "-".join(filter(None, (year, month, day)))
    zone = f"{offset}:{offset_minutes or '00'}" if offset else "Z" if utc else ""
    return f"{date}T{hour}:{minute or '00'}:{second or '00'}{zone}" if hour else date


def _warnings(pages: list[list[Line] | None], texts: list[str]) -> Iterator[str]:
    broken = [number for number, page in enumerate(pages, 1) if page is None]
    blank = [number for number, text in enumerate(texts, 1) if not text and number not in broken]
    if broken:
        yield f"Pages that could not be read: {_listed(broken)}."
    if blank:
        yield f"Pages without text (blank, or images that need OCR): {_listed(blank)}."


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:20]))
    return shown if len(numbers) <= 20 else f"{shown} and {len(numbers) - 20} more"
