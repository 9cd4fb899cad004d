"""Texts that evidence is taken from, and the references by which a caller names them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from jina_components.core.inputs import as_document, as_list, check_unicode
from jina_components.core.origins import origin_of
from jina_components.errors import BackendError, InputError
from jina_components.types import Document, Page, Reference, shorten

Given: TypeAlias = str | os.PathLike[str] | Document | Page
"""How a caller names a reference: a URL, a host or a text; a file; a text with its id; a page that was read."""

_URL = re.compile(r"(https?|[a-z][a-z\d+.-]*)://\S+", re.IGNORECASE)
_HOST = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_](?::\d+)?(?:/\S*)?")


@dataclass(frozen=True, slots=True)
class Source:
    """A text that evidence is taken from: a page, or a chunk of one.

    Attributes:
        url: URL, path or id; or of a text without one `references[0]`, its place among those of the caller.
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
        urls: Pages to read: URLs, and paths of files.
        hosts: Hosts, or folders of them, to search in.
        texts: The caller's own.
        hints: What the caller should know of how they were taken.
    """

    urls: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    texts: tuple[Source, ...] = ()
    hints: tuple[str, ...] = ()


def sort_references(references: Sequence[Given]) -> Wanted:
    """References by their kind, repeated ones once.

    Raises:
        InputError: no list, an empty one, or an item that is none of `Given`, is blank or no valid Unicode, or a URL of
            another scheme than http and https; `.index` names it.
    """
    urls: dict[str, None] = {}
    hosts: dict[str, None] = {}
    texts: dict[Source, Source] = {}
    hints: list[str] = []
    for index, item in enumerate(as_list(references, what="references")):
        if isinstance(item, os.PathLike):
            urls[os.fsdecode(item)] = None
            continue
        source = _source(item, index)
        named = item.strip() if isinstance(item, str) else ""
        if url := _URL.fullmatch(named):
            if url[1].lower() not in ("http", "https"):
                raise InputError(f"references[{index}]: {shorten(named)!r} is no http or https URL.", index)
            urls[named] = None
            continue
        to_search = is_host(named)
        if to_search:
            hosts[named] = None
        else:
            texts.setdefault(source, _named(source, item, index))
        if hint := path_hint(named):
            hints.append(f"references[{index}] is taken for a {'host to search' if to_search else 'text'}.{hint}")
    if not (urls or hosts or texts):
        raise InputError("references is empty: name a URL, a host or a text, or leave it out to search everywhere.")
    return Wanted(tuple(urls), tuple(hosts), tuple(texts.values()), tuple(hints))


def is_host(named: str) -> bool:
    """Whether a string is taken for a host, or for a folder of one (`example.com/docs`)."""
    return _HOST.fullmatch(named) is not None


def path_hint(named: str) -> str:
    """How to name the file that a string may stand for, as a sentence behind others; or empty where there is none."""
    is_file = bool(named) and os.path.isfile(named)  # noqa: PTH113 (of Path, one too long is an error)
    return f" To read the file of this name, pass Path({shorten(named, 200)!r})." if is_file else ""


def _source(item: object, index: int) -> Source:
    """The text of a reference, checked."""
    if not isinstance(item, str | Document | Page):
        given = type(item).__name__
        raise InputError(f"references[{index}] must be str, a path, Document or Page, got {given}.", index)
    text = item.content if isinstance(item, Page) else item
    document = as_document(text, index, what="references")
    check_unicode(document.text, what=f"references[{index}]", index=index)
    return source_of_page(item) if isinstance(item, Page) else source_of_document(document)


def _named(source: Source, item: str | Document | Page, index: int) -> Source:
    """The source by its place among the references, where the caller gave it no name."""
    if isinstance(item, Page):
        is_named = bool(source.url)
    else:
        document = Document(item) if isinstance(item, str) else item
        is_named = source.url != Document(document.text, metadata=document.metadata).id  # the id that is made for it
    return source if is_named else replace(source, url=f"references[{index}]")
