"""What to drop from the chosen content: parts that look like boxes, menus and forms beside the text.

Method: Readability's conditional cleaning (https://github.com/mozilla/readability), each part judged in one pass from
the innermost out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.content.dom import HEADINGS, doom, drop_doomed, names, short_text, walk
from jina_components.reader.content.measure import count_chars, count_commas, link_weight
from jina_components.reader.content.words import NOTE, SHARE, weight

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LISTS = frozenset(("ul", "ol"))
_TEXTISH = frozenset(("blockquote", "dl", "div", "img", "li", "ol", "p", "pre", "span", "table", "td", "ul"))
_DATA_MARKS = ("caption", "col", "colgroup", "tfoot", "th", "thead")
_SHORT = 500
_TEXT_WHATEVER_ITS_NAME = 300
_CHARS_AN_IMAGE = 30
_ADS = re.compile(r"(?:ad(?:vertising|vertisement)?|pub(?:licité)?|werb(?:ung)?|广告|Реклама|Anuncio"
                  r"|(?:loading|正在加载|Загрузка|chargement|cargando)(?:…|\.\.\.)?)", re.IGNORECASE)  # fmt: skip


def clean(article: HtmlElement, *, conditionally: bool, weigh_names: bool) -> None:
    """Drop from the content what does not belong to the text, in place."""
    data_tables = {table for table in article.iter("table") if _is_data_table(table)}
    if conditionally:
        _clean_conditionally(article, ("form", "fieldset"), data_tables, weigh_names=weigh_names)
    for aside in list(article.iter("aside")):
        if not NOTE.search(names(aside)):
            doom(aside)
    _doom_share_buttons(article)
    for element in list(article.iter("input")):
        if element.get("type") != "checkbox":
            doom(element)
    for heading in list(article.iter("h1", "h2")):
        if weigh_names and weight(heading.get("class")) + weight(heading.get("id")) < 0:
            doom(heading)
    drop_doomed(article)
    if conditionally:
        _clean_conditionally(article, ("table", "ul", "div"), data_tables, weigh_names=weigh_names)
    _unwrap_single_cells(article)


def _doom_share_buttons(article: HtmlElement) -> None:
    for element in walk(article):
        if element.getparent() is article or not SHARE.search(names(element)):
            continue
        if short_text(element, _SHORT) is not None:
            doom(element)


def _is_data_table(table: HtmlElement) -> bool:
    """Whether a table holds data, rather than laying out a page."""
    if table.get("role") == "presentation" or table.get("datatable") == "0":
        return False
    if table.get("summary") or next(table.iterdescendants(*_DATA_MARKS), None) is not None:
        return True
    if next(table.iterdescendants("table"), None) is not None:
        return False
    rows = list(table.iter("tr"))
    columns = max((sum(_span(cell) for cell in row.iter("td")) for row in rows), default=0)
    if columns == 1 or len(rows) == 1:
        return False
    return len(rows) >= 10 or columns > 4 or len(rows) * columns > 10


def _span(cell: HtmlElement) -> int:
    span = cell.get("colspan") or ""
    return int(span) if span.isdecimal() and 0 < int(span) <= 1000 else 1


def _unwrap_single_cells(article: HtmlElement) -> None:
    """A table of one cell is no table."""
    for table in list(article.iter("table")):
        cells = list(table.iter("td", "th", "caption"))
        if len(cells) == 1 and cells[0].tag == "td" and table.getparent() is not None:
            cell, cell.tail = cells[0], table.tail
            cell.tag = "div"
            table.getparent().replace(table, cell)


@dataclass(slots=True)
class _Counts:
    """What an element holds, itself left out."""

    chars: int = 0
    linked: float = 0.0
    commas: int = 0
    headings: int = 0
    lists: int = 0
    textish: bool = False
    paragraphs: int = 0
    images: int = 0
    items: int = 0
    inputs: int = 0
    data_tables: int = 0

    def take(self, element: HtmlElement, inner: _Counts, *, is_data_table: bool) -> None:
        """Add an element and what it holds."""
        tag = element.tag
        self.chars += inner.chars
        self.commas += inner.commas
        self.linked += inner.linked + (inner.chars * link_weight(element) if tag == "a" else 0)
        self.headings += inner.headings + (inner.chars if tag in HEADINGS else 0)
        self.lists += inner.lists + (inner.chars if tag in _LISTS else 0)
        self.textish = self.textish or inner.textish or (tag in _TEXTISH and inner.chars > 0)
        self.paragraphs += inner.paragraphs + (tag == "p")
        self.images += inner.images + (tag == "img")
        self.items += inner.items + (tag == "li")
        self.inputs += inner.inputs + (tag == "input")
        self.data_tables += inner.data_tables + is_data_table

    def take_text(self, text: str | None) -> None:
        """Add text directly inside."""
        if text and not text.isspace():
            self.chars += count_chars(text)
            self.commas += count_commas(text)


def _clean_conditionally(
    article: HtmlElement, tags: tuple[str, ...], data_tables: set[HtmlElement], *, weigh_names: bool
) -> None:
    if next(article.iterdescendants(*tags), None) is None:
        return
    elements = list(article.iter())
    counts = {element: _Counts() for element in elements}
    within = _protected(elements, data_tables)
    for element in reversed(elements):
        inner = counts[element]
        inner.take_text(element.text)
        if element is article:
            break
        outer = counts[element.getparent()]
        outer.take_text(element.tail)
        judged = element.tag in tags and element not in within and element not in data_tables
        if judged and _is_beside_the_text(element, inner, weigh_names=weigh_names):
            doom(element)
            continue
        outer.take(element, inner, is_data_table=element in data_tables)
    drop_doomed(article)


def _protected(elements: list[HtmlElement], data_tables: set[HtmlElement]) -> set[HtmlElement]:
    """What lies inside data tables and code."""
    found: set[HtmlElement] = set()
    for element in elements:
        parent = element.getparent()
        if parent is not None and (parent in found or parent in data_tables or parent.tag in ("code", "pre")):
            found.add(element)
    return found


def _is_beside_the_text(element: HtmlElement, inner: _Counts, *, weigh_names: bool) -> bool:
    if inner.data_tables:
        return False
    named = weight(element.get("class")) + weight(element.get("id")) if weigh_names else 0
    if named < 0:
        return inner.paragraphs < 2 or inner.linked > 0 or inner.chars < _TEXT_WHATEVER_ITS_NAME
    if inner.commas >= 10:
        return False
    if inner.chars < 30 and _ADS.fullmatch(short_text(element, 30) or ""):
        return True
    fishy = _is_fishy(element, inner, named)
    if fishy and _is_list(element, inner) and all(len(child) <= 1 for child in element):
        return inner.images != inner.items
    return fishy


def _is_fishy(element: HtmlElement, inner: _Counts, named: int) -> bool:
    density = inner.linked / inner.chars if inner.chars else 0.0
    if inner.inputs > inner.paragraphs // 3 or (inner.images == 0 and not inner.textish):
        return True
    if named >= 25 and density > 0.5:
        return True
    in_figure = _is_in_figure(element)
    if not in_figure and _is_album(inner):
        return True
    if _is_list(element, inner):
        return False
    many_items = inner.items - 100 > inner.paragraphs
    return many_items or (not in_figure and _is_short(inner, density)) or (named < 25 and density > 0.2)


def _is_album(inner: _Counts) -> bool:
    few_words = inner.chars < _CHARS_AN_IMAGE * inner.images
    return inner.images > 1 and inner.paragraphs < 0.5 * inner.images and few_words


def _is_list(element: HtmlElement, inner: _Counts) -> bool:
    return element.tag in _LISTS or inner.lists > 0.9 * inner.chars


def _is_short(inner: _Counts, density: float) -> bool:
    return inner.headings < 0.9 * inner.chars < 22.5 and inner.images not in (1, 2) and density > 0


def _is_in_figure(element: HtmlElement) -> bool:
    return any(ancestor.tag == "figure" for ancestor in islice(element.iterancestors(), 4))
