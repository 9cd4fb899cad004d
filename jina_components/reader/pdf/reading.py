"""A PDF to a `Page`: what a process of `worker` found in it, in our terms."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.pdf.document import Extract, Job
from jina_components.reader.pdf.render import Style
from jina_components.reader.pdf.worker import PdfWorkers
from jina_components.reader.sources import Source
from jina_components.types import Page, shorten

_PICTURES = {"screenshot": 1, "pageshot": 3}  # pages drawn, by format
_LINKS = {"referenced": "referenced", "text": "discarded", "none": "none"}  # by `options.links`; else as the style
_DATE = re.compile(
    r"D:(\d{4})(?:(0[1-9]|1[0-2])(?:(0[1-9]|[12]\d|3[01])(?:([01]\d|2[0-3])(?:([0-5]\d)([0-5]\d)?)?)?)?)?"
    r"(?:(Z)(?:00'?00)?|([+-][01]\d)'?([0-5]\d)?)?"
)
_NO_TEXT = "is a PDF that holds only images or drawings, no text: it needs OCR first (for example ocrmypdf)."
_NO_TITLE = re.compile(
    r"untitled.*|\(?anonymous\)?|microsoft (word|powerpoint) - .*|powerpoint presentation|document\d*|title|slide \d+"
    r"|\S*\.(docx?|dvi|indd|odt|pdf|pptx?|ps|qxd|rtf|tex|xlsx?)",
    re.IGNORECASE,
)
_OF_ELEMENTS = ("target_selector", "remove_selector")

_OPTIONS = ReadOptions()
_WORKERS = PdfWorkers()


def read_pdf(
    source: Source,
    options: ReadOptions = _OPTIONS,
    *,
    page: int | None = None,
    workers: PdfWorkers | None = None,
) -> Page:
    """The document that `source` holds, its pages separated by a blank line.

    It is read in a process of its own, within limits of time and memory, of pages and of characters. Headers and
    footers that repeat over pages are left out, and so are page numbers: `Page.page_offsets` tells the pages.

    Args:
        source: The file.
        options: Of these, the format, links and style count. `text` is without Markdown; `html`, which no PDF has,
            gives Markdown and a warning.
        page: Number (from 1) of the only page to read; None for all.
        workers: The processes; by default a pool that all readers share.

    Raises:
        ExtractionError: the document is broken, encrypted, too large, or has no such page or no text; or reading it
            took too long, too much memory, or crashed.
    """
    job = Job(page, _PICTURES.get(options.format, 0), _style(options))
    found = (workers or _WORKERS).extract(source.data, job, label=source.label, source=source.name)
    if not any(found.texts) and not found.picture:
        raise ExtractionError(f"{source.label} {_NO_TEXT}", source.name)
    return _page(source, found, (*_unmet(options), *_warnings(found, page or 1)))


def _page(source: Source, found: Extract, warnings: tuple[str, ...]) -> Page:
    content, offsets = _join_pages(found.texts)
    if found.references:
        content += f"\n\n{found.references}"
    facts = found.facts
    return Page(
        url=source.name,
        title=_title(facts["Title"], found.title) or source.file_name,
        content=content,
        description=facts["Subject"],
        published_time=_iso_date(facts["CreationDate"]),
        links=tuple(found.links),
        metadata={"num_pages": found.num_pages} | ({"author": facts["Author"]} if facts["Author"] else {}),
        page_offsets=offsets,
        screenshot=found.picture,
        warnings=warnings,
    )


def close_pdf_workers() -> None:
    """End the idle processes of the pool that all readers share; the next PDF starts new ones."""
    _WORKERS.close()


def _style(options: ReadOptions) -> Style:
    style = options.style
    links = _LINKS.get(options.links, style.links)
    if options.format == "text":
        return Style(bullet="•", strong="", escape=False, links=links if links == "none" else "discarded", marks=False)
    tables = style.tables if style.gfm else "html"
    return Style(style.heading, style.bullet, style.strong, tables, style.escape, links, style.references)


def _join_pages(texts: list[str]) -> tuple[str, tuple[int, ...]]:
    """All text, and where each page begins in it; a blank page begins where the one before ends."""
    offsets: list[int] = []
    pieces: list[str] = []
    length = 0
    for text in texts:
        if length and text:
            pieces.append("\n\n")
            length += 2
        offsets.append(length)
        pieces.append(text)
        length += len(text)
    return "".join(pieces), tuple(offsets)


def _title(given: str, found: str) -> str:
    return given if any(map(str.isalpha, given)) and not _NO_TITLE.fullmatch(given) else shorten(found, 100)


def _iso_date(text: str) -> str:
    """A date of ISO 32000-1, section 7.9.4, as ISO 8601 in the precision it has; empty for anything else."""
    found = _DATE.fullmatch(text.rstrip("'"))
    if not found:
        return ""
    year, month, day, hour, minute, second, utc, offset, offset_minutes = found.groups()
    date = "-".join(filter(None, (year, month, day)))
    zone = f"{offset}:{offset_minutes or '00'}" if offset else "Z" if utc else ""
    return f"{date}T{hour}:{minute or '00'}:{second or '00'}{zone}" if hour else date


def _unmet(options: ReadOptions) -> Iterator[str]:
    if options.format == "html":
        yield "A PDF has no HTML: the content is Markdown."
    if ignored := [name for name in _OF_ELEMENTS if getattr(options, name)]:
        yield f"A PDF has no elements to select: {' and '.join(ignored)} did nothing."


def _warnings(found: Extract, first: int) -> Iterator[str]:
    blank = [number for number, text in enumerate(found.texts, first) if not text and number not in found.broken]
    if found.broken:
        yield f"Pages that could not be read: {_listed(found.broken)}."
    if blank:
        yield f"Pages without text (blank, or images that need OCR): {_listed(blank)}."


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:20]))
    return shown if len(numbers) <= 20 else f"{shown} and {len(numbers) - 20} more"
