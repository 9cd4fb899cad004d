"""Plain text and Markdown to `Page`: the text as it is, its front matter, title and links."""

from __future__ import annotations

import re

from jina_components.errors import ExtractionError
from jina_components.reader.charset import decode
from jina_components.reader.links import Links, absolute_url
from jina_components.reader.metadata import iso_date
from jina_components.reader.sources import Source
from jina_components.types import Page

_FRONT_MATTER = re.compile(r"---[ \t]*\n((?:[\w-]+:(?:[ \t].*)?\n)+)(?:---|\.\.\.)[ \t]*(?:\n+|$)")
# A value that is more than a plain or quoted string: a list, an object, a block, an alias.
_STRUCTURED = re.compile(r"[\[{|>&*!%@`]|- |$")
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$|^(\S.*)\n(?:={3,}|-{3,})[ \t]*$", re.MULTILINE)
_HEADING_CHARACTERS = 50_000

# All repetitions are bounded, so that no line takes quadratic time.
_LINK = re.compile(
    r"(!?)\[([^\[\]\n]{0,1000})\]"
    r"\([ \t]{0,9}<?((?:[^\s()<>]|\([^\s()<>]{0,200}\)){1,2000}+)>?(?:[ \t][^)\n]{0,500}+)?\)"
    r"|<(https?://[^\s<>]{1,2000})>"
)


def read_text(source: Source) -> Page:
    """The text that `source` holds, unchanged but for line ends and control characters.

    YAML front matter of plain `name: value` lines moves into the metadata; any other stays where it is.

    Raises:
        ExtractionError: nothing printable in it.
    """
    decoded = decode(source.data, declared=(source.charset,))
    front, content = _split_front_matter(decoded.text)
    if not content.strip():
        raise ExtractionError(f"{source.label} holds no text but blanks.", source.name)
    links, images = _links(content, source.base_url)
    return Page(
        url=source.name,
        title=front.get("title") or _first_heading(content) or source.file_name,
        content=content,
        description=front.get("description", ""),
        published_time=iso_date(front.get("date", "")),
        language=front.get("lang", ""),
        links=links,
        images=images,
        metadata={"encoding": decoded.encoding} | ({"front_matter": front} if front else {}),
        warnings=decoded.warnings,
    )


def _split_front_matter(text: str) -> tuple[dict[str, str], str]:
    found = _FRONT_MATTER.match(text)
    if not found or found.end() == len(text):
        return {}, text
    lines = (line.partition(":") for line in found[1].splitlines())
    front = {name.lower(): value.strip() for name, _, value in lines}
    if any(map(_STRUCTURED.match, front.values())):
        return {}, text
    return {name: _unquoted(value) for name, value in front.items()}, text[found.end() :]


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _first_heading(content: str) -> str:
    found = _HEADING.search(_FENCED.sub("", content[:_HEADING_CHARACTERS]))
    return (found[1] or found[2]).rstrip(" \t#") if found else ""


def _links(content: str, base_url: str) -> tuple[Links, Links]:
    links: list[tuple[str, str]] = []
    images: list[tuple[str, str]] = []
    for found in _LINK.finditer(content):
        bang, text, target, automatic = found.groups()
        url = absolute_url(base_url, target or automatic)
        if url:
            (images if bang else links).append((text or automatic or "", url))
    return tuple(links), tuple(images)
