"""Tables without a grid: what stands between two lines of the same width, and cells that line up over rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from jina_components.reader.pdf.joining import joined
from jina_components.reader.pdf.lines import Cell, Line, Table
from jina_components.reader.pdf.rules import Rule, Rules
from jina_components.reader.pdf.words import Word

_CELL_GAP = 0.6  # of the size of the type, between words of two cells
_SHORTEST_RULE = 60.0
_NEAR = 6.0
_MOST_ROWS = 200
_FARTHEST = 12  # lines in the order of the content between two pieces of a row
_PROSE_WORDS = 9  # on average in a cell: then columns are of text
_PROSE_WORDS_OF_A_LINE, _FEWEST_PROSE_ROWS = 3.5, 4
_MARKER = re.compile(r"(?:[•‣◦▪▫●○■□►▶➢➤✓✔·∙–—\-*\uf0a7\uf0b7]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})[.):])")
_LEADERS = re.compile(r"(?:\. ?){4}|…{2}")
_FIGURE = re.compile(r"[\d.,%()$€£+\-–−±/:x×*<>=~ ]*\d[\d.,%()$€£+\-–−±/:x×*<>=~ ]*[A-Za-z%]{0,2}")


@dataclass(slots=True)
class _Row:
    """Lines that stand side by side."""

    lines: list[Line]
    bottom: float = 0.0
    top: float = 0.0
    pieces: list[list[Word]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bottom = min(line.bottom for line in self.lines)
        self.top = max(line.top for line in self.lines)
        words = sorted((word for line in self.lines for word in line.words), key=lambda word: word.left)
        for word in words:
            before = self.pieces[-1][-1] if self.pieces else None
            if before is not None and word.left - before.right <= _CELL_GAP * max(word.size, before.size, 1.0):
                self.pieces[-1].append(word)
            else:
                self.pieces.append([word])

    @property
    def size(self) -> float:
        return max(line.height for line in self.lines)


def tables_between_rules(lines: Sequence[Line], rules: Rules) -> list[Table]:
    """The tables that have lines above, below and under their head, but none between their columns."""
    tables: list[Table] = []
    for group in _same_width(rules.horizontal):
        free = group
        while len(free) > 1:
            used, table = _largest(free, lines)
            if table:
                tables.append(table)
            free = free[used:]
    return tables


def _same_width(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Rules that begin and end at the same places, from the top."""
    long = sorted((rule for rule in rules if rule.end - rule.start >= _SHORTEST_RULE), key=lambda rule: -rule.at)
    groups: list[list[Rule]] = []
    for rule in long[:_MOST_ROWS]:
        for group in groups:
            if abs(group[0].start - rule.start) <= _NEAR and abs(group[0].end - rule.end) <= _NEAR:
                group.append(rule)
                break
        else:
            groups.append([rule])
    return (group for group in groups if len(group) > 1)


def _largest(group: Sequence[Rule], lines: Sequence[Line]) -> tuple[int, Table | None]:
    """The table below the first rule that goes as far down as any, and how many rules it uses up."""
    first = group[0]
    for last in range(min(len(group), 40), 1, -1):
        bottom = group[last - 1].at
        inside = [
            line
            for line in lines
            if bottom - 1 <= line.middle <= first.at + 1
            and first.start - _NEAR <= (line.left + line.right) / 2 <= first.end + _NEAR
        ]
        if inside and (table := _table(_rows(inside), fewest_rows=2)):
            return last, table
    return 1, None


def aligned_tables(lines: Sequence[Line]) -> list[Table]:
    """The tables that only the places of their cells show: three rows or more."""
    return [table for rows in _runs(lines) if (table := _table(rows, fewest_rows=3))]


def prose_columns(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines of each stretch of columns that is written across them, column by column."""
    stretches = []
    for rows in _runs(lines):
        pieces = [piece for row in rows for piece in row.pieces]
        separators = _separators(rows)
        several = sum(len(row.lines) > 1 for row in rows)
        if (
            separators
            and several >= _FEWEST_PROSE_ROWS
            and sum(map(len, pieces)) >= _PROSE_WORDS_OF_A_LINE * len(pieces)
        ):
            inside = [line for row in rows for line in row.lines]
            stretches.append(sorted(inside, key=lambda line: sum(at <= line.left for at in separators)))
    return stretches


def _runs(lines: Sequence[Line]) -> Iterator[list[_Row]]:
    """Rows of several lines that follow one another; a row of one line may stand among them."""
    order = {id(line): index for index, line in enumerate(lines)}
    run: list[_Row] = []
    for row in _rows(lines):
        if run and not _follows(run[-1], row):
            yield from _trimmed(run)
            run = []
        near = max(order[id(line)] for line in row.lines) - min(order[id(line)] for line in row.lines)
        if len(row.lines) > 1 and near > _FARTHEST:
            yield from _trimmed(run)
            run = []
        elif run or len(row.lines) > 1:
            run.append(row)
            if len(row.lines) == 1 and len(run) > 2 and len(run[-2].lines) == len(run[-3].lines) == 1:
                yield from _trimmed(run)
                run = []
    yield from _trimmed(run)


def _trimmed(run: list[_Row]) -> Iterator[list[_Row]]:
    while run and len(run[-1].lines) == 1:
        run.pop()
    if sum(len(row.lines) > 1 for row in run) > 2:
        yield run[:_MOST_ROWS]


def _follows(above: _Row, below: _Row) -> bool:
    left, right = min(line.left for line in above.lines), max(line.right for line in above.lines)
    return above.bottom - below.top < 1.5 * max(above.size, below.size) and any(
        line.left < right and left < line.right for line in below.lines
    )


def _rows(lines: Sequence[Line]) -> list[_Row]:
    """Lines side by side as rows, from the top."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: -line.middle):
        if rows and rows[-1][0].middle - line.middle < 0.5 * min(rows[-1][0].height, line.height):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [_Row(row) for row in rows]


def _table(rows: Sequence[_Row], *, fewest_rows: int) -> Table | None:
    separators = _separators(rows)
    if not separators or any(line.is_right_to_left for row in rows for line in row.lines):
        return None
    filled = [_filled(row, separators) for row in rows]
    if not _is_table(filled, len(separators) + 1, fewest_rows):
        return None
    lines = [line for row in rows for line in row.lines]
    edges = min(line.left for line in lines), max(line.right for line in lines)
    cells = [_cells(fields, len(separators) + 1) for fields in _unwrapped(rows, filled)]
    return Table(cells, *edges, rows[-1].bottom, rows[0].top, lines)


def _separators(rows: Sequence[_Row]) -> list[float]:
    """Where nothing stands in nearly all rows: the middles of these gaps."""
    steps: list[tuple[float, int]] = []
    for row in rows:
        for piece in row.pieces:
            steps += (piece[0].left, 1), (max(word.right for word in piece), -1)
    steps.sort()
    most = 0.15 * len(rows)  # heads over several columns
    size = sorted(row.size for row in rows)[len(rows) // 2]
    depth, gap_start, seen = 0, 0.0, False
    separators = []
    for at, change in steps:
        before, depth = depth, depth + change
        if before > most >= depth:
            gap_start, seen = at, True
        elif depth > most >= before and seen and at - gap_start >= 0.5 * size:
            separators.append((gap_start + at) / 2)
    return separators


_Fields = dict[tuple[int, int], list[Word]]  # words by first and last column


def _filled(row: _Row, separators: Sequence[float]) -> _Fields:
    fields: _Fields = {}
    for piece in row.pieces:
        for part in _parts(piece, separators):
            first = sum(at <= part[0].left for at in separators)
            last = sum(at < max(word.right for word in part) for at in separators)
            fields.setdefault((first, max(first, last)), []).extend(part)
    return fields


def _parts(piece: list[Word], separators: Sequence[float]) -> Iterator[list[Word]]:
    """A piece cut where a separator goes between two words further apart than usual."""
    part = [piece[0]]
    for before, word in pairwise(piece):
        wide = word.left - before.right > 0.45 * max(word.size, 1.0)
        if wide and any(before.right <= at <= word.left for at in separators):
            yield part
            part = []
        part.append(word)
    yield part


def _is_table(rows: Sequence[_Fields], width: int, fewest_rows: int) -> bool:
    """Not columns of prose, a list, a table of contents, nor the letterhead of authors."""
    several = [row for row in rows if len(row) > 1]
    if len(several) < fewest_rows or len(several) < 0.5 * len(rows):
        return False
    texts = [(place, " ".join(word.text for word in words)) for row in rows for place, words in row.items()]
    if len(texts) < 0.4 * len(rows) * width:
        return False
    words = sum(text.count(" ") + 1 for _, text in texts) / len(texts)
    if words > _PROSE_WORDS or sum(_LEADERS.search(text) is not None for _, text in texts) > 1:
        return False
    if sum("@" in text for _, text in texts) > 1:
        return False
    firsts = [text for place, text in texts if place[0] == 0]
    if sum(_MARKER.fullmatch(text) is not None for text in firsts) > 0.4 * max(1, len(firsts)) and width == 2:
        return False
    # A formula in pieces has letters, but no words; a diagram's numbers have neither.
    lengths = [length for _, text in texts if (length := sum(map(str.isalnum, text)))]
    if sum(length > 1 for length in lengths) < 0.5 * len(lengths):
        return False
    if not any(character.isalpha() for _, text in texts for character in text):
        return False
    if width == 2 and fewest_rows > 2:
        figures = sum(_FIGURE.fullmatch(text) is not None for place, text in texts if place[0] == 1)
        return words <= 4 or figures > 0.5 * len(several)
    return not all(word.font.is_mono for row in rows for part in row.values() for word in part)


def _unwrapped(rows: Sequence[_Row], filled: Sequence[_Fields]) -> list[_Fields]:
    """Rows whose cells are in one line; a row without its first cell, close below another, is the rest of it."""
    headless = sum(all(first for first, _ in fields) for fields in filled)
    result: list[_Fields] = []
    for index, fields in enumerate(filled):
        close = index > 0 and rows[index - 1].bottom - rows[index].top < 0.25 * rows[index].size
        rest = all(first for first, _ in fields) and 2 * headless <= len(filled) and len(result) > 1
        if result and close and rest and all(place in result[-1] for place in fields):
            for place, words in fields.items():
                result[-1][place] = result[-1][place] + words
        else:
            result.append(dict(fields))
    return result


def _cells(fields: _Fields, width: int) -> list[Cell]:
    """A row of cells; what overlaps the cell before is a part of it."""
    places: list[tuple[int, int, list[Word]]] = []
    for (first, last), words in sorted(fields.items(), key=lambda item: item[0]):
        if places and first <= places[-1][1]:
            start, end, before = places[-1]
            places[-1] = start, max(end, last), before + words
        else:
            places.append((first, last, words))
    cells: list[Cell] = []
    column = 0
    for first, last, words in places:
        cells += [Cell("")] * (first - column)
        cells.append(Cell(joined(words), last - first + 1))
        column = last + 1
    return cells + [Cell("")] * (width - column)
