"""Tables that are drawn with lines: the grid, the cells that go over several fields of it, and what stands in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jina_components.reader.pdf.joining import joined
from jina_components.reader.pdf.lines import Cell, Line, Table
from jina_components.reader.pdf.rules import Rule, Rules
from jina_components.reader.pdf.words import Word

_MOST_CROSSINGS = 40_000  # pairs of lines that are looked at
_MOST_FIELDS = 5_000
_NEAR = 3.0
_THINNEST = 5.0  # of a row or column; what is thinner is a double line
_WIDEST_MARGIN = 20.0
_LONGEST_CELL = 1_200  # characters; a longer one is a part of the page's layout


def ruled_tables(lines: Sequence[Line], rules: Rules) -> list[Table]:
    """The tables among the grids of a page, the largest first; one within another's cell is its text."""
    tables: list[Table] = []
    taken: set[int] = set()
    for grid in sorted(_grids(rules), key=lambda grid: (grid.ys[-1] - grid.ys[0]) * (grid.xs[-1] - grid.xs[0])):
        table = _table(grid, [line for line in lines if id(line) not in taken])
        if table:
            tables.append(table)
            taken.update(map(id, table.lines))
    return tables


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where rows (from the top) and columns begin and end, and the lines that are drawn between them."""

    xs: list[float]
    ys: list[float]
    horizontal: list[Rule]
    vertical: list[Rule]

    def column_of(self, x: float) -> int:
        return min(max(bisect_right(self.xs, x) - 1, 0), len(self.xs) - 2)

    def row_of(self, y: float) -> int:
        return min(max(bisect_right([-at for at in self.ys], -y) - 1, 0), len(self.ys) - 2)

    def holds(self, x: float, y: float) -> bool:
        return self.xs[0] - 1 <= x <= self.xs[-1] + 1 and self.ys[-1] - 1 <= y <= self.ys[0] + 1


def _grids(rules: Rules) -> list[_Grid]:
    """The groups of lines that cross or touch one another."""
    horizontal, vertical = rules.horizontal, rules.vertical
    if len(horizontal) * len(vertical) > _MOST_CROSSINGS:
        return []
    group = list(range(len(horizontal)))  # of each horizontal line; a vertical one joins those it meets
    met: dict[int, list[Rule]] = {}
    for rule in vertical:
        crossed = [index for index, other in enumerate(horizontal) if _meet(other, rule)]
        if not crossed:
            continue
        target = group[crossed[0]]
        merged = {group[index] for index in crossed}
        if len(merged) > 1:
            group = [target if of in merged else of for of in group]
        met[target] = [each for of in merged for each in met.pop(of, [])] + [rule]
    grids = (_grid([rule for rule, of in zip(horizontal, group, strict=True) if of == target], standing)
             for target, standing in met.items())  # fmt: skip
    return [grid for grid in grids if grid]


def _meet(horizontal: Rule, vertical: Rule) -> bool:
    return (
        horizontal.start - _NEAR <= vertical.at <= horizontal.end + _NEAR
        and vertical.start - _NEAR <= horizontal.at <= vertical.end + _NEAR
    )


def _grid(horizontal: list[Rule], vertical: list[Rule]) -> _Grid | None:
    # A table may be open at its sides: the ends of the lines close it.
    xs = _places([*(rule.at for rule in vertical), *_ends(horizontal)])
    ys = _places([*(rule.at for rule in horizontal), *_ends(vertical)])
    if min(len(xs), len(ys)) < 3 or len(xs) * len(ys) > _MOST_FIELDS:
        return None
    return _Grid(xs, ys[::-1], horizontal, vertical)


def _ends(rules: Sequence[Rule]) -> tuple[float, float]:
    return min(rule.start for rule in rules), max(rule.end for rule in rules)


def _places(values: Iterable[float]) -> list[float]:
    places: list[float] = []
    for value in sorted(values):
        if not places or value - places[-1] > _THINNEST:
            places.append(value)
    return places


def _table(grid: _Grid, lines: Sequence[Line]) -> Table | None:
    inside = [line for line in lines if grid.holds((line.left + line.right) / 2, line.middle)]
    if not inside:
        return None
    grid = _without_margins(grid, [(word.left + word.right) / 2 for line in inside for word in line.words])
    fields: dict[tuple[int, int], list[Word]] = {}
    for line in inside:
        row = grid.row_of(line.middle)
        for word in line.words:
            fields.setdefault((row, grid.column_of((word.left + word.right) / 2)), []).append(word)
    spans = _spans(grid)
    rows = [[_cell(fields, place, size) for place, size in spans if place[0] == row] for row in range(len(grid.ys) - 1)]
    rows = [row for row in rows if any(cell.text for cell in row) or any(cell.rows > 1 for cell in row)]
    if 2 * sum(line.is_right_to_left for line in inside) > len(inside):
        rows = [row[::-1] for row in rows]
    return Table(rows, grid.xs[0], grid.xs[-1], grid.ys[-1], grid.ys[0], inside) if is_table(rows) else None


def _without_margins(grid: _Grid, middles: Sequence[float]) -> _Grid:
    """Without narrow columns in which nothing stands: the room between double lines and around cells."""
    used = {grid.column_of(middle) for middle in middles}
    xs = list(grid.xs)
    for column in range(len(grid.xs) - 2, -1, -1):
        if column not in used and xs[column + 1] - xs[column] < _WIDEST_MARGIN and len(xs) > 3:
            del xs[column + 1 if column + 1 < len(xs) - 1 else column]
    return replace(grid, xs=xs)


def _spans(grid: _Grid) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The first field of each cell, and over how many rows and columns it goes: as far as no line ends it."""
    height, width = len(grid.ys) - 1, len(grid.xs) - 1
    middles = [(upper + lower) / 2 for upper, lower in zip(grid.ys, grid.ys[1:], strict=False)]
    centres = [(left + right) / 2 for left, right in zip(grid.xs, grid.xs[1:], strict=False)]
    walls = [[_drawn(grid.vertical, x, y) for x in grid.xs[1:-1]] for y in middles]
    floors = [[_drawn(grid.horizontal, y, x) for x in centres] for y in grid.ys[1:-1]]
    taken: set[tuple[int, int]] = set()
    spans = []
    for row in range(height):
        for column in range(width):
            if (row, column) in taken:
                continue
            columns = rows = 1
            while (
                column + columns < width
                and not walls[row][column + columns - 1]
                and (row, column + columns) not in taken
            ):
                columns += 1
            across = range(column, column + columns)
            while row + rows < height and not any(
                floors[row + rows - 1][each] or (row + rows, each) in taken for each in across
            ):
                rows += 1
            taken.update((row + down, each) for down in range(rows) for each in across)
            spans.append(((row, column), (rows, columns)))
    return spans


def _drawn(rules: Sequence[Rule], at: float, through: float) -> bool:
    """Whether a line lies at `at` and goes past `through`."""
    return any(abs(rule.at - at) <= _THINNEST and rule.start - 1 <= through <= rule.end + 1 for rule in rules)


def _cell(fields: dict[tuple[int, int], list[Word]], place: tuple[int, int], size: tuple[int, int]) -> Cell:
    words = [
        word
        for row in range(place[0], place[0] + size[0])
        for column in range(place[1], place[1] + size[1])
        for word in fields.get((row, column), ())
    ]
    return Cell(joined(words), size[1], size[0])


def is_table(rows: Sequence[Sequence[Cell]]) -> bool:
    """Not a box around text, a drawing, or the frame of a page."""
    cells = [cell for row in rows for cell in row]
    filled = [cell for cell in cells if cell.text]
    several = sum(sum(bool(cell.text) for cell in row) > 1 for row in rows)
    return (
        len(rows) > 1
        and several > 0
        and len(filled) >= max(3, 0.25 * len(cells))
        and sum(cell.rows > 1 and cell.columns > 1 for cell in cells) <= 0.1 * len(cells)
        and max(len(cell.text) for cell in filled) <= _LONGEST_CELL
    )
