"""What is done to every page, whatever it was read from: summaries, limits of tokens, chunks, usage."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from jina_components.errors import BudgetExceededError
from jina_components.read_options import ReadOptions
from jina_components.reader.markdown.targets import destination
from jina_components.types import Page, Usage

if TYPE_CHECKING:
    from jina_components.models.tokenizers import Tokenizer

_FENCE = re.compile(r" {0,3}(?:>[ >]*|[-*+] {1,3})?(`{3,}|~{3,})")
_ATX = re.compile(r"(#{1,6})[ \t]+\S")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_NO_PARAGRAPH = re.compile(r"\s*(?:$|[>|]|#{1,6}\s|(?:[-*+]|\d{1,9}[.)])\s)")
_SETEXT = re.compile(r"(=+|-+)[ \t]*")
_SUMMARIZED = re.compile(r"(?!file:|javascript:)", re.IGNORECASE)
_BRACKET, _ESCAPED = re.compile(r"[\[\]\\]"), r"\\\g<0>"
_MARKDOWN = ("content", "markdown", "screenshot", "pageshot", "readerlm")


def finish(page: Page, options: ReadOptions, tokenizer: str | os.PathLike[str] = "bundled") -> Page:
    """`page` with what `options` ask for beyond its source; tokens are those of the tokenizer of this name.

    Raises:
        BudgetExceededError: the content has more tokens than `token_budget`.
    """
    content = page.content
    if options.format in _MARKDOWN and (summaries := list(_summaries(page, options))):
        content = "\n\n".join([content.rstrip(), *summaries])
    offsets, warnings = page.page_offsets, page.warnings
    starts, ends = _tokenizer(os.fspath(tokenizer)).spans(content)
    tokens = len(starts)
    if options.max_tokens is not None and tokens > options.max_tokens:
        content = content[: ends[options.max_tokens - 1]]
        offsets = tuple(offset for offset in offsets if offset < len(content)) if offsets else offsets
        warnings = (*warnings, f"The content was cut after {options.max_tokens:,} of its {tokens:,} tokens.")
        tokens = options.max_tokens
    if options.token_budget is not None and tokens > options.token_budget:
        raise BudgetExceededError(
            f"{page.url or 'The given data'} has {tokens:,} tokens, over the budget of {options.token_budget:,}: raise "
            "token_budget, or cut the content with max_tokens.",
            tokens,
        )
    return replace(
        page,
        content=content,
        chunks=tuple(_chunks(content, options.chunking)) if options.chunking else (),
        page_offsets=offsets,
        usage=page.usage + Usage(completion_tokens=tokens),
        warnings=warnings,
    )


@functools.cache
def _tokenizer(name: str) -> Tokenizer:
    from jina_components.models.tokenizers import Tokenizer

    return Tokenizer(name)


def _summaries(page: Page, options: ReadOptions) -> Iterator[str]:
    """Lists of links and images, in the form of https://github.com/jina-ai/reader."""
    if options.images_summary:
        lines = [f"- !{_link(alt or f'Image {number}', url)}" for number, (alt, url) in _unique(page.images)]
        yield "\n".join(["Images:", *(lines or ["This page does not seem to contain any images."])])
    if options.links_summary != "none":
        links = [(text, url) for text, url in page.links if _SUMMARIZED.match(url)]
        chosen = enumerate(links, 1) if options.links_summary == "all" else _unique(links)
        lines = [f"- {_link(text or url, url)}" for _, (text, url) in chosen]
        yield "\n".join(["Links/Buttons:", *(lines or ["This page does not seem to contain any buttons/links."])])


def _unique(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[int, tuple[str, str]]]:
    """The first pair of every URL, numbered by its place among all."""
    seen: set[str] = set()
    for number, (text, url) in enumerate(pairs, 1):
        if url not in seen:
            seen.add(url)
            yield number, (text, url)


def _link(text: str, url: str) -> str:
    return f"[{_BRACKET.sub(_ESCAPED, ' '.join(text.split()))}]({destination(url)})"


def _chunks(content: str, chunking: str) -> Iterator[str]:
    """Pieces of Markdown that begin at headings of a level or above; `s` ones repeat the headings they stand under."""
    level, structured = int(chunking[1]), chunking[0] == "s"
    trail: list[tuple[int, str]] = []
    edges = [*((start, depth) for start, depth in _headings(content) if depth <= level), (len(content), 0)]
    if lead := content[: edges[0][0]].strip():
        yield lead
    for (start, depth), (end, _) in pairwise(edges):
        chunk = content[start:end].strip()
        above = [line for over, line in trail if over < depth]
        trail = [*((over, line) for over, line in trail if over < depth), (depth, chunk.split("\n", 1)[0])]
        yield "\n\n".join([*above, chunk]) if structured else chunk


def _headings(content: str) -> Iterator[tuple[int, int]]:
    """Offset and level of every heading, ATX or setext (CommonMark 0.31, sections 4.2 and 4.3), outside of code."""
    fence, offset, before, before_offset = "", 0, "", 0
    for line in _LINE.findall(content):
        opening = _FENCE.match(line)
        if fence:
            if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif opening:
            fence = opening[1]
        elif found := _ATX.match(line):
            yield offset, len(found[1])
        elif not _NO_PARAGRAPH.match(before) and (under := _SETEXT.fullmatch(line.rstrip("\n"))):
            yield before_offset, 1 if under[1][0] == "=" else 2
        before, before_offset = ("" if fence or opening else line), offset
        offset += len(line)
