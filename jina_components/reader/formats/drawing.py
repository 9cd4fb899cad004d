"""What is drawn in Office files: charts and diagrams as the tables and lists they are made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jina_components.reader.formats.number_formats import plain
from jina_components.reader.formats.ooxml import Package, find, find_all, name, value
from jina_components.reader.formats.rendering import element

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

MAX_POINTS = 5000
"""Values of a chart that are told: 100 categories of 50 series."""


def drawn(package: Package, part: str, drawing: _Element) -> Iterator[HtmlElement]:
    """The charts, as tables, and diagrams, as lists, of a drawing in `part`."""
    relations = package.relations(part)
    for reference in drawing.iter(name("c:chart")):
        relation = relations.get(value(reference, "r:id"))
        if relation and relation.target in package.archive:
            yield from _chart(package.xml(relation.target))
    for reference in drawing.iter(name("dgm:relIds")):
        relation = relations.get(value(reference, "r:dm"))
        if relation and relation.target in package.archive:
            points = (text_of(point) for point in package.xml(relation.target).iter(name("dgm:t")))
            yield element("ul", *(element("li", text=text) for text in points if text))


def text_of(shape: _Element) -> str:
    """All DrawingML text in `shape`, on one line."""
    paragraphs = ("".join(run.text or "" for run in each.iter(name("a:t"))) for each in shape.iter(name("a:p")))
    return " ".join(" ".join(paragraphs).split())


def _chart(root: _Element) -> Iterator[HtmlElement]:
    title = find(root, "c:chart/c:title")
    heading = text_of(title) if title is not None else ""
    series = list(root.iter(name("c:ser")))
    if heading:
        yield element("p", element("strong", text=heading))
    if not series:
        return
    names = ["".join(_points(find(each, "c:tx"), MAX_POINTS).values()) for each in series]
    most = max(MAX_POINTS // len(series), 1)
    categories = _points(_first(series[0], "c:cat", "c:xVal"), most)
    values = [_points(_first(each, "c:val", "c:yVal"), most) for each in series]
    rows = sorted(set(categories).union(*values))[:most]
    head = element("tr", *(element("th", text=text) for text in ("", *names)))
    yield element("table", head, *(
        element("tr", *(element("td", text=each.get(row, "")) for each in (categories, *values))) for row in rows
    ))  # fmt: skip


def _first(series: _Element, *paths: str) -> _Element | None:
    return next((found for path in paths if (found := find(series, path)) is not None), None)


def _points(data: _Element | None, most: int) -> dict[int, str]:
    """The cached values of a chart's data, by index."""
    if data is None:
        return {}
    found: dict[int, str] = {}
    for point in data.iter(name("c:pt")):
        index = point.get("idx", "")
        if len(found) < most and index.isdecimal() and len(index) < 10:
            found.setdefault(int(index), _shown("".join(each.text or "" for each in find_all(point, "c:v"))))
    return found or dict(enumerate(each.text or "" for each in list(data.iter(name("c:v")))[:1]))


def _shown(text: str) -> str:
    try:
        return plain(float(text))
    except ValueError:  # a category's name
        return text
