"""A PDF's bytes to what is in it: Markdown of its pages, links, facts. Runs in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jina_components.reader.charset import clean
from jina_components.reader.pdf.aligned import aligned, tables_between_rules
from jina_components.reader.pdf.blocks import Block, blocks_of
from jina_components.reader.pdf.furniture import without_furniture
from jina_components.reader.pdf.grids import ruled_tables
from jina_components.reader.pdf.headings import find_headings, title_key
from jina_components.reader.pdf.joining import compounds_of
from jina_components.reader.pdf.lines import Line, Table, lines_of
from jina_components.reader.pdf.links import mark_links
from jina_components.reader.pdf.order import Item, in_reading_order
from jina_components.reader.pdf.picture import picture
from jina_components.reader.pdf.render import Style, Writer, plain
from jina_components.reader.pdf.rules import Rules, page_rules
from jina_components.reader.pdf.tags import Tags, page_tags, tagged_tables
from jina_components.reader.pdf.words import page_words

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

MAX_PAGES = 20_000
MAX_CHARACTERS = 20_000_000
MAX_PAGE_CHARACTERS = 1_000_000
MAX_PAGE_TEXTS = 200_000  # text objects; PDFium takes kilobytes for each
_MAX_BOOKMARKS = 5_000
_MOST_LINES = 10_000  # of a page that is searched for tables and columns, which takes more than linear time
_FACTS = ("Title", "Author", "Subject", "CreationDate")


class BrokenPdfError(Exception):
    """The document cannot be read; the message says why, `label` standing for its name."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to read: one page (from 1) or all, how to write it, and how many pages to draw."""

    page: int | None = None
    pictures: int = 0
    style: Style = field(default_factory=Style)


@dataclass(slots=True)
class Extract:
    """What is in a document.

    Attributes:
        texts: Markdown of each page.
        broken: Numbers of the pages that PDFium cannot load.
        title: Its first heading, else its first line, as plain text.
        links: Text and URL, in order.
        facts: What the document says of itself.
        num_pages: How many pages it has, read or not.
        references: The definitions of the links, where these are references.
        picture: PNG, where one was asked for.
    """

    texts: list[str]
    broken: list[int]
    title: str
    links: list[tuple[str, str]]
    facts: dict[str, str]
    num_pages: int
    references: str = ""
    picture: bytes = b""


@dataclass(slots=True)
class _Sheet:
    """A page as PDFium gives it."""

    lines: list[Line] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)
    edges: tuple[float, float] = (0.0, 1.0)
    tags: Tags = field(default_factory=Tags)


def extract(data: bytes, job: Job) -> Extract:
    """What is in the document that `data` holds.

    Raises:
        BrokenPdfError: it is broken, encrypted or too large, or has no such page.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise BrokenPdfError(_reason(str(error))) from error
    with closing(document):
        count = len(document)
        if count > MAX_PAGES:
            raise BrokenPdfError(f"{{label}} has more than {MAX_PAGES:,} pages: split it.")
        if job.page is not None and not 1 <= job.page <= count:
            raise BrokenPdfError(f"{{label}} has no page {job.page}: it has {count:,}.")
        numbers = range(count) if job.page is None else range(job.page - 1, job.page)
        urls: list[str] = []
        links: list[tuple[str, str]] = []
        sheets = _sheets(document, numbers, urls, links)
        broken = [number for number in numbers if number not in sheets]
        if broken and not sheets:
            raise BrokenPdfError("{label} is a broken PDF: PDFium can load none of its pages.")
        pages = _structured([sheets.get(number) or _Sheet() for number in numbers], _outline(document))
        writer = Writer(job.style, urls)
        return Extract(
            [writer.page(blocks) for blocks in pages],
            [number + 1 for number in broken],
            _title(pages),
            links,
            {name: _fact(document, name) for name in _FACTS},
            count,
            writer.references(),
            picture(document, list(sheets)[: job.pictures]) if job.pictures and sheets else b"",
        )


def _reason(reason: str) -> str:
    if "password" in reason.lower() or "security" in reason.lower():
        return "{label} is an encrypted PDF: remove its password first (for example qpdf --decrypt)."
    return f"{{label}} is a broken PDF: {reason}"


def _sheets(document: PdfDocument, numbers: range, urls: list[str], links: list[tuple[str, str]]) -> dict[int, _Sheet]:
    """The pages that PDFium can load."""
    sheets: dict[int, _Sheet] = {}
    characters = 0
    for index in numbers:
        if (sheet := _sheet(document, index, urls, links)) is None:
            continue
        characters += sum(len(line.text) for line in sheet.lines)
        if characters > MAX_CHARACTERS:
            raise BrokenPdfError(f"{{label}} has more than {MAX_CHARACTERS:,} characters of text: split it.")
        sheets[index] = sheet
    return sheets


def _sheet(document: PdfDocument, index: int, urls: list[str], links: list[tuple[str, str]]) -> _Sheet | None:
    import pypdfium2

    try:
        with closing(document[index]) as page:
            # A few kilobytes can hold millions of letters: they are counted before anything is made of them.
            if _has_too_many_texts(page):
                raise _too_much(index)
            with closing(page.get_textpage()) as text_page:
                if text_page.count_chars() > MAX_PAGE_CHARACTERS:
                    raise _too_much(index)
                words = page_words(page, text_page)
            links += mark_links(document, page, words, urls)
            height = page.get_height()
            low = min([word.bottom for word in words], default=0.0)
            # The origin of a rotated or cropped page is anywhere.
            bottom = 0.0 if -0.1 * height <= low and page.get_rotation() == 0 else low
            return _Sheet(lines_of(words), page_rules(page), (bottom, bottom + height), page_tags(page))
    except pypdfium2.PdfiumError:
        return None


def _too_much(index: int) -> BrokenPdfError:
    return BrokenPdfError(
        f"{{label}}: page {index + 1} has more than {MAX_PAGE_CHARACTERS:,} characters of text, "
        f"or more than {MAX_PAGE_TEXTS:,} pieces of it: remove the page."
    )


def _has_too_many_texts(page: PdfPage) -> bool:
    from pypdfium2 import raw

    count = raw.FPDFPage_CountObjects(page)
    if count <= MAX_PAGE_TEXTS:
        return False
    types = (raw.FPDFPageObj_GetType(raw.FPDFPage_GetObject(page, index)) for index in range(count))
    return sum(kind == raw.FPDF_PAGEOBJ_TEXT for kind in types) > MAX_PAGE_TEXTS


def _outline(document: PdfDocument) -> dict[str, int]:
    """Level of each title among the bookmarks; one that stands for several levels stands for the highest."""
    levels: dict[str, int] = {}
    for number, mark in enumerate(document.get_toc(max_depth=6)):
        if number >= _MAX_BOOKMARKS:
            break
        key = title_key(clean(mark.get_title()))
        if key:
            levels[key] = min(mark.level + 1, levels.get(key, 6))
    return levels


def _fact(document: PdfDocument, name: str) -> str:
    try:
        return " ".join(clean(document.get_metadata_value(name)).split())
    except UnicodeDecodeError:
        return ""


def _structured(sheets: Sequence[_Sheet], outline: dict[str, int]) -> list[list[Block | Table]]:
    contents = without_furniture([sheet.lines for sheet in sheets], [sheet.edges for sheet in sheets])
    compounds = compounds_of(line.text for lines in contents for line in lines)
    mono = sum(len(line.text) * line.is_mono for lines in contents for line in lines)
    has_code = 2 * mono < sum(len(line.text) for lines in contents for line in lines)  # else it is typewritten
    pages: list[list[Block | Table]] = [
        blocks_of(in_reading_order(_items(lines, sheet)), compounds, has_code=has_code)
        for lines, sheet in zip(contents, sheets, strict=True)
    ]
    find_headings(pages, outline, [sheet.tags.levels for sheet in sheets])
    return pages


def _title(pages: Sequence[Sequence[Block | Table]]) -> str:
    made = [block for blocks in pages for block in blocks]
    heading = next((block.text for block in made if isinstance(block, Block) and block.kind == "heading"), "")
    return plain(heading or next((line.text for block in made for line in block.lines), ""))


def _items(lines: list[Line], sheet: _Sheet) -> Sequence[Item]:
    """Lines and tables in the order of the content; a table stands where its first line stood."""
    if len(lines) > _MOST_LINES:
        return lines
    tables: list[Table] = []
    free: Sequence[Line] = lines
    finders: tuple[Callable[[Sequence[Line]], list[Table]], ...] = (
        lambda left: tagged_tables(left, sheet.tags),
        lambda left: ruled_tables(left, sheet.rules),
        lambda left: tables_between_rules(left, sheet.rules),
    )
    for find in finders:
        if found := find(free):
            tables += found
            taken = {id(line) for table in found for line in table.lines}
            free = [line for line in free if id(line) not in taken]
    found, stretches = aligned(free)
    tables += found
    lines = _with_whole(stretches, lines)
    owner = {id(line): table for table in tables for line in table.lines}
    items: list[Item] = []
    written: set[int] = set()
    for line in lines:
        item: Item = owner.get(id(line), line)
        if id(item) not in written:
            written.add(id(item))
            items.append(item)
    return items


def _with_whole(stretches: Sequence[Sequence[Line]], lines: Sequence[Line]) -> list[Line]:
    """Lines, each stretch of them as it is where its first line stood."""
    stretch_of = {id(line): stretch for stretch in stretches for line in stretch}
    ordered: dict[int, Line] = {}
    for line in lines:
        if id(line) not in ordered:
            ordered |= {id(each): each for each in stretch_of.get(id(line), (line,))}
    return list(ordered.values())
