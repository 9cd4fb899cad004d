"""Where the text of a document comes from."""

from __future__ import annotations

from dataclasses import dataclass

from jina_components.types import Document


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a document's text.

    Attributes:
        source: URL, path or id.
        start: Where the text begins in the source's text, in code points.
        title: Title of the source, or empty.
        heading: The headings that the text stands under, or empty.
    """

    source: str
    start: int = 0
    title: str = ""
    heading: str = ""


def origin_of(document: Document) -> Origin:
    """A chunk (metadata `source`, `start`, `end`) has the place in its source that these tell.

    A document with a `source` and no `start` is that source's text; any other is known by its id.
    """
    metadata = document.metadata
    source, offset = document.id, 0
    if isinstance(metadata.get("source"), str):
        start, end = metadata.get("start", 0), metadata.get("end")
        # A chunk whose text was changed after it was cut has no place in its source; nor has one with times of a film.
        if isinstance(start, int) and start >= 0 and end in (None, start + len(document.text)):
            source, offset = metadata["source"], start
    title, heading = (value if isinstance(value, str) else "" for value in map(metadata.get, ("title", "heading")))
    return Origin(source, offset, title, heading)
