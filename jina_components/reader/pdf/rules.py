"""The straight lines that a PDF page draws: what frames tables and underlines headings."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from jina_components.reader.pdf.words import bound, rotation

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

# Of a page; one with more is a drawing.
_MAX_OBJECTS, _MAX_BOXES = 50_000, 20_000
_MAX_SEGMENTS = 2_000  # of a path
_THICKEST, _SHORTEST = 3.0, 5.0
_NEAR = 2.0  # points within which lines are one


class Rule(NamedTuple):
    """A line at `at` (its height if it is horizontal) from `start` to `end`, in points."""

    at: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Rules:
    """The lines of a page, each list sorted by where they lie."""

    horizontal: tuple[Rule, ...] = ()
    vertical: tuple[Rule, ...] = ()


def page_rules(page: PdfPage) -> Rules:
    """Lines, and edges of rectangles; pieces that continue one another are one line."""
    from pypdfium2 import raw

    rotate = rotation(page)
    boxes = islice(_boxes(page, raw.FPDFPage_CountObjects(page)), _MAX_BOXES)
    whole = page.get_width() * page.get_height()
    horizontal: list[Rule] = []
    vertical: list[Rule] = []
    for box in boxes:
        _add_edges(rotate(*box) if rotate else box, whole, horizontal, vertical)
    return Rules(tuple(_merged(horizontal)), tuple(_merged(vertical)))


Box = tuple[float, float, float, float]  # left, right, bottom, top


def _boxes(page: PdfPage, count: int) -> Iterator[Box]:
    from pypdfium2 import raw

    address, whole = ctypes.c_void_p, ctypes.c_int
    object_at = bound("FPDFPage_GetObject", address, address, whole)
    type_of = bound("FPDFPageObj_GetType", whole, address)
    bounds_of = bound("FPDFPageObj_GetBounds", whole, *[address] * 5)
    count_segments = bound("FPDFPath_CountSegments", whole, address)
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    places = [ctypes.addressof(value) for value in (left, bottom, right, top)]
    of_page = ctypes.cast(page.raw, address).value
    for index in range(min(count, _MAX_OBJECTS)):
        item = object_at(of_page, index)
        if type_of(item) != raw.FPDF_PAGEOBJ_PATH or not bounds_of(item, *places):
            continue
        box = left.value, right.value, bottom.value, top.value
        segments = count_segments(item)
        thin = min(box[1] - box[0], box[3] - box[2]) <= _THICKEST
        if thin or segments <= 5:
            yield box
        elif segments <= _MAX_SEGMENTS:
            yield from _pieces(item, segments)


def _pieces(address: int, segments: int) -> Iterator[Box]:
    """The straight pieces of a path, as boxes without width or height."""
    from pypdfium2 import raw

    item, matrix = ctypes.cast(address, raw.FPDF_PAGEOBJECT), raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    before = start = (0.0, 0.0)
    for index in range(segments):
        segment = raw.FPDFPath_GetPathSegment(item, index)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        here = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = here
        elif kind == raw.FPDF_SEGMENT_LINETO:
            yield _box(before, here)
        if raw.FPDFPathSegment_GetClose(segment):
            yield _box(here, start)
        before = here


def _box(one: tuple[float, float], other: tuple[float, float]) -> Box:
    return min(one[0], other[0]), max(one[0], other[0]), min(one[1], other[1]), max(one[1], other[1])


def _add_edges(box: Box, whole: float, horizontal: list[Rule], vertical: list[Rule]) -> None:
    left, right, bottom, top = box
    width, height = right - left, top - bottom
    if height <= _THICKEST:
        if width >= _SHORTEST:
            horizontal.append(Rule((bottom + top) / 2, left, right))
    elif width <= _THICKEST:
        if height >= _SHORTEST:
            vertical.append(Rule((left + right) / 2, bottom, top))
    elif width * height < 0.9 * whole:
        horizontal += Rule(bottom, left, right), Rule(top, left, right)
        vertical += Rule(left, bottom, top), Rule(right, bottom, top)


def _merged(rules: Iterable[Rule]) -> Iterator[Rule]:
    """Rules at the same place that touch, as one."""
    groups: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda rule: rule.at):
        if groups and rule.at - groups[-1][0].at <= _NEAR:
            groups[-1].append(rule)
        else:
            groups.append([rule])
    for group in groups:
        at = group[len(group) // 2].at
        start = end = None
        for rule in sorted(group, key=lambda rule: rule.start):
            if start is None or end is None or rule.start > end + _NEAR:
                if start is not None and end is not None:
                    yield Rule(at, start, end)
                start, end = rule.start, rule.end
            else:
                end = max(end, rule.end)
        if start is not None and end is not None:
            yield Rule(at, start, end)
