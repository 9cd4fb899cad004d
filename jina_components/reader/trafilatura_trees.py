"""Trafilatura's trees to Markdown whose words stand exactly as in the source.

Blocks become Markdown (headings, lists, quotes, code, tables); inline markup other than code leaves no
trace and nothing is escaped, so that a sentence of the page is found in its content by plain search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

_BLOCKS = frozenset(("article", "body", "div", "graphic", "head", "list", "p", "quote", "row", "table"))
_SPACES = re.compile(r"\s+")
_AROUND_BREAK = re.compile(r" *\n *")
_BACKTICKS = re.compile(r"`+")


def to_markdown(element: _Element) -> str:
    """Markdown of everything inside `element`, blocks separated by one blank line."""
    return "\n\n".join(_blocks(element))


def inline_text(element: _Element) -> str:
    """Text of `element` on one line, its blocks separated by spaces."""
    return " ".join(" ".join(_blocks(element)).split())


def _blocks(element: _Element) -> Iterator[str]:
    run = [_flow(element.text)]
    for child in element:
        if child.tag in _BLOCKS or _is_code_block(child):
            yield from _paragraph(run)
            yield from _block(child)
            run = []
        else:
            run.append(_inline(child))
        run.append(_flow(child.tail))
    yield from _paragraph(run)


def _paragraph(run: Iterable[str]) -> Iterator[str]:
    text = _AROUND_BREAK.sub("\n", _SPACES_BUT_BREAKS.sub(" ", "".join(run))).strip()
    if text:
        yield text


_SPACES_BUT_BREAKS = re.compile(r"[^\S\n]+")


def _block(element: _Element) -> Iterator[str]:
    if element.tag == "head":
        yield from _heading(element)
    elif element.tag == "list":
        yield from _list(element)
    elif element.tag == "quote":
        yield from _quote(element)
    elif element.tag == "code":
        yield from _code_block(element)
    elif element.tag == "table":
        yield from _table(element)
    else:
        yield from _blocks(element)


def _heading(element: _Element) -> Iterator[str]:
    level = int(element.get("rend", "h2")[1])
    text = inline_text(element)
    if text:
        yield f"{'#' * level} {text}"


def _list(element: _Element) -> Iterator[str]:
    ordered = element.get("rend") == "ol"
    items = [blocks for item in element if (blocks := list(_blocks(item)))]
    lines = []
    for number, blocks in enumerate(items, 1):
        marker = f"{number}. " if ordered else "- "
        lines.append(marker + "\n".join(blocks).replace("\n", "\n" + " " * len(marker)))
    if lines:
        yield "\n".join(lines)


def _quote(element: _Element) -> Iterator[str]:
    text = "\n\n".join(_blocks(element))
    if text:
        yield "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _table(element: _Element) -> Iterator[str]:
    rows = [[inline_text(cell).replace("|", r"\|") for cell in row] for row in element.iter("row")]
    width = max(map(len, rows), default=0)
    if width < 2:
        yield from (cell for row in rows for cell in row if cell)
        return
    lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
    yield "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _is_code_block(element: _Element) -> bool:
    return element.tag == "code" and "\n" in _code(element)


def _code(element: _Element) -> str:
    pieces = [element.text or ""]
    for child in element.iterdescendants():
        pieces += ["\n" if child.tag == "lb" else "", child.text or "", child.tail or ""]
    return "".join(pieces).strip("\n")


def _code_block(element: _Element) -> Iterator[str]:
    text = "\n".join(line.rstrip() for line in _code(element).split("\n"))
    fence = "`" * max(3, _longest_run(text) + 1)
    yield f"{fence}\n{text}\n{fence}"


def _inline(element: _Element) -> str:
    if element.tag == "lb":
        return "\n"
    if element.tag == "code":
        return _code_span(" ".join(_code(element).split()))
    return _flow(element.text) + "".join(_inline(child) + _flow(child.tail) for child in element)


def _code_span(text: str) -> str:
    fence = "`" * (_longest_run(text) + 1)
    edge = " " if "`" in (text[:1], text[-1:]) else ""
    return f"{fence}{edge}{text}{edge}{fence}" if text else ""


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def _flow(text: str | None) -> str:
    return _SPACES.sub(" ", text) if text else ""
