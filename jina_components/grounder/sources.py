"""Texts that evidence is taken from, and the references by which a caller names them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jina_components.core.inputs import as_document, as_list, check_unicode
from jina_components.core.origins import origin_of
from jina_components.errors import BackendError, InputError
from jina_components.types import Document, Page, Reference, shorten

_URL = re.compile(r"(https?|[a-z][a-z\d+.-]*)://\S+", re.IGNORECASE)
_HOST = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_](?::\d+)?(?:/\S*)?")


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """References by their kind.

    Attributes:
        urls: Pages to read.
        hosts: Hosts, or folders of them, to search in.
        texts: The caller's own.
    """

    urls: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    texts: tuple[Source, ...] = ()


def sort_references(references: Sequence[str | Document]) -> Wanted:
    """References by their kind, repeated ones once.

    Raises:
        InputError: no list, an empty one, or an item that is neither text nor document, is blank or no valid Unicode,
            or a URL of another scheme than http and https; `.index` names it.
    """
    urls: list[str] = []
    hosts: list[str] = []
    texts: list[Source] = []
    for index, item in enumerate(as_list(references, what="references")):
        document = as_document(item, index, what="references")
        check_unicode(document.text, what=f"references[{index}]", index=index)
        named = item.strip() if isinstance(item, str) else ""
        if url := _URL.fullmatch(named):
            if url[1].lower() not in ("http", "https"):
                raise InputError(f"references[{index}]: {shorten(named)!r} is no http or https URL.", index)
            urls.append(named)
        elif _HOST.fullmatch(named):
            hosts.append(named)
        else:
            texts.append(source_of_document(document))
    if not (urls or hosts or texts):
        raise InputError("references is empty: name a URL, a host or a text, or leave it out to search everywhere.")
    return Wanted(tuple(dict.fromkeys(urls)), tuple(dict.fromkeys(hosts)), tuple(dict.fromkeys(texts)))
