"""The order in which a page is read: that of its content, but nothing before what stands above it.

PDF writers mostly write in reading order; what they write late are heads, captions and boxes. So the order of the
content stays, except that a group of lines waits for all groups above it that it lies under.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from jina_components.reader.pdf.lines import Line, Table

Item: TypeAlias = Line | Table
_MOST_GROUPS = 400


@dataclass(slots=True, eq=False)
class _Group:
    items: list[Item] = field(default_factory=list)
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    top: float = 0.0

    def add(self, item: Item) -> None:
        if self.items:
            self.left, self.right = min(self.left, item.left), max(self.right, item.right)
            self.bottom, self.top = min(self.bottom, item.bottom), max(self.top, item.top)
        else:
            self.left, self.right, self.bottom, self.top = item.left, item.right, item.bottom, item.top
        self.items.append(item)


def in_reading_order(items: Sequence[Item]) -> list[Item]:
    """Items in the order of the content as they are read; lines that run upwards or downwards come last."""
    upright = [item for item in items if not _is_vertical(item)]
    groups = _groups(upright)
    if len(groups) <= _MOST_GROUPS:
        groups = _sorted(groups)
    return [item for group in groups for item in group.items] + [item for item in items if _is_vertical(item)]


def _is_vertical(item: Item) -> bool:
    return isinstance(item, Line) and item.words[0].is_vertical


def _groups(items: Sequence[Item]) -> list[_Group]:
    """Lines one below the other, as they follow in the content."""
    groups: list[_Group] = []
    before: Item | None = None
    for item in items:
        if not groups or before is None or not _goes_on(before, item):
            groups.append(_Group())
        groups[-1].add(item)
        before = item
    return groups


def _goes_on(before: Item, item: Item) -> bool:
    if isinstance(before, Table) or isinstance(item, Table):
        return False
    if item.row == before.row:
        return True
    drop = before.bottom - item.bottom
    size = max(before.height, item.height)
    overlap = min(before.right, item.right) - max(before.left, item.left)
    return -0.3 * size <= drop <= 3 * size and (overlap > 0 or abs(drop) < 0.3 * size)


def _sorted(groups: list[_Group]) -> list[_Group]:
    """The groups, each moved behind those that it waits for, and else in the order given."""
    waits = [
        {number for number, other in enumerate(groups) if other is not group and _is_above(other, group)}
        for group in groups
    ]
    if not any(other > number for number, others in enumerate(waits) for other in others):
        return groups
    placed: list[int] = []
    left = list(range(len(groups)))
    done: set[int] = set()
    while left:
        number = next((number for number in left if waits[number] <= done), left[0])
        left.remove(number)
        done.add(number)
        placed.append(number)
    return [groups[number] for number in placed]


def _is_above(upper: _Group, lower: _Group) -> bool:
    overlap = min(upper.right, lower.right) - max(upper.left, lower.left)
    narrow = min(upper.right - upper.left, lower.right - lower.left)
    height = min(upper.top - upper.bottom, lower.top - lower.bottom)
    return (
        overlap > 0.1 * max(narrow, 1.0)
        and upper.bottom > lower.top - 0.3 * height
        and upper.bottom + upper.top > lower.bottom + lower.top
    )
