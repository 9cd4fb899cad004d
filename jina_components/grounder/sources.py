"""Texts that evidence is taken from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jina_components.core.origins import origin_of
from jina_components.errors import BackendError
from jina_components.types import Document, Page, Reference, shorten


@dataclass(frozen=True, slots=True)
class Source:
    """A text that evidence is taken from: a page, or a chunk of one.

    Attributes:
        url: URL, path or id.
        text: The text.
        title: Its title, or empty.
        start: Where it begins in the whole text of the source, of which it may be a chunk; in code points.
        heading: The headings that all of it stands under, or empty.
    """

    url: str
    text: str
    title: str = ""
    start: int = 0
    heading: str = ""

    def __repr__(self) -> str:
        return f"Source({self.url!r}, {shorten(self.text)!r})"


def source_of_page(page: Page) -> Source:
    """A page that was read."""
    return Source(page.url, page.content, page.title)


def source_of_document(document: Document) -> Source:
    """A document that was retrieved, or that the caller gave: by its place in what it was cut from."""
    origin = origin_of(document)
    return Source(origin.source, document.text, origin.title, origin.start, origin.heading)


def check_quotes(references: Iterable[Reference], sources: Iterable[Source]) -> None:
    """See to it that every quote stands, word for word and where it says, in the source it names.

    Raises:
        BackendError: one does not, which is the judge's fault.
    """
    by_url: dict[str, list[Source]] = {}
    for source in sources:
        by_url.setdefault(source.url, []).append(source)
    for reference in references:
        if not any(_stands_in(source, reference) for source in by_url.get(reference.url, ())):
            raise BackendError(
                f"The quote {shorten(reference.key_quote)!r} does not stand at {reference.start}:{reference.end} of "
                f"{reference.url!r}: the judge must give offsets within the passage."
            )


def _stands_in(source: Source, reference: Reference) -> bool:
    start, end = reference.start - source.start, reference.end - source.start
    return 0 <= start < end and source.text[start:end] == reference.key_quote
