"""Tables without a grid: what stands between two lines of the same width, and cells that line up over rows."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jina_components.reader.pdf.joining import joined
from jina_components.reader.pdf.lines import BULLETS, Cell, Line, Table
from jina_components.reader.pdf.rules import Rule, Rules
from jina_components.reader.pdf.words import Word

_CELL_GAP = 0.6  # of the size of the type, between words of two cells
_TIGHT = 0.3  # of the size of the type, between two lines of a cell
_SHORTEST_RULE = 60.0
_NEAR = 6.0
_MOST_ROWS = 200
_MOST_HEAD_ROWS = 8
_MOST_COLUMNS = 100
_MOST_TRIES = 60  # of a page, to find a table between two lines
_FARTHEST = 12  # lines in the order of the content between two pieces of a row
_PROSE_WORDS = 9  # on average in a cell: then columns are of text
_PROSE_WORDS_OF_A_LINE, _FEWEST_PROSE_ROWS = 3.5, 4
_MARKER = re.compile(rf"[{BULLETS}–—\-*]|\(?(?:\d{{1,3}}|[A-Za-z]|[ivxIVX]{{1,4}})[.):]")
_LEADERS = re.compile(r"(?:\. ?){4}|…{2}")
_FIGURE = re.compile(r"(?=\D*\d)[\d.,%()$€£+\-–−±/:x×*<>=~ ]*+[A-Za-z]{0,2}")


@dataclass(slots=True)
class _Row:
    """Lines that stand side by side."""

    lines: list[Line]
    bottom: float = 0.0
    top: float = 0.0
    size: float = 0.0
    _pieces: list[list[Word]] | None = None

    @property
    def middle(self) -> float:
        """Half way between its bottom and its top."""
        return (self.bottom + self.top) / 2

    def __post_init__(self) -> None:
        self.bottom = min([line.bottom for line in self.lines])
        self.top = max([line.top for line in self.lines])
        self.size = max([line.height for line in self.lines])

    @property
    def pieces(self) -> list[list[Word]]:
        """Words from the left, cut where the gap between two is wider than within a text."""
        if self._pieces is None:
            self._pieces = _cut(
                sorted((word for line in self.lines for word in line.words), key=lambda word: word.left)
            )
        return self._pieces


def _cut(words: Sequence[Word]) -> list[list[Word]]:
    pieces = [[words[0]]]
    for before, word in pairwise(words):
        if word.left - before.right > _CELL_GAP * max(word.size, before.size, 1.0):
            pieces.append([])
        pieces[-1].append(word)
    return pieces


@dataclass(frozen=True, slots=True)
class _Separator:
    """A gap between two columns: where the one ends and the next begins, in nearly all rows."""

    start: float
    end: float


def tables_between_rules(lines: Sequence[Line], rules: Rules) -> list[Table]:
    """The tables that have lines above, below and under their head, but none between their columns."""
    tables: list[Table] = []
    tries = iter(range(_MOST_TRIES))
    # The widest first, since a shorter line may lie under some columns of their heads.
    for group in sorted(_same_width(rules.horizontal), key=lambda group: group[0].start - group[0].end):
        while len(group) > 1:
            used, table = _largest(group, lines, tries)
            if table:
                tables.append(table)
                taken = set(map(id, table.lines))
                lines = [line for line in lines if id(line) not in taken]
            group = group[used:]
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


def _largest(group: Sequence[Rule], lines: Sequence[Line], tries: Iterator[int]) -> tuple[int, Table | None]:
    """The table below the first rule that goes as far down as any, and how many rules it uses up."""
    first, count = group[0], len(group)
    beside = [line for line in lines if first.start - _NEAR <= (line.left + line.right) / 2 <= first.end + _NEAR]
    for last in sorted({count, count - 1, count - 2, *range(2, min(7, count))} - {0, 1}, reverse=True):
        inside = [line for line in beside if group[last - 1].at - 1 <= line.middle <= first.at + 1]
        if len(inside) < 2 or next(tries, None) is None:
            continue
        rows = _rows(inside)
        rows = [*_head(beside, first, rows), *rows, *_foot(beside, group[last - 1], rows)]
        if table := _table(rows, fewest_rows=2, rules=group[:last]):
            return last, table
    return 1, None


def _head(lines: Sequence[Line], first: Rule, rows: Sequence[_Row]) -> list[_Row]:
    """The rows above the first rule that stand in columns too, without a wide gap between them."""
    above = _rows([line for line in lines if line.middle > first.at + 1])
    left = min(line.left for row in rows for line in row.lines)
    found: list[_Row] = []
    below = rows[0]
    for row in reversed(above[-_MOST_HEAD_ROWS:]):
        in_column = len(row.pieces) > 1 or row.lines[0].left > left + 2 * row.size
        if not in_column or row.bottom - below.top > 1.2 * row.size:
            break
        found.append(row)
        below = row
    while found and len(found[-1].pieces) == 1:
        found.pop()
    return found[::-1]


def _foot(lines: Sequence[Line], last: Rule, rows: Sequence[_Row]) -> list[_Row]:
    """The row right below the last rule, if it has as many columns as the one above: shading often ends before it."""
    size = rows[-1].size
    below = _rows([line for line in lines if last.at - 1.5 * size <= line.middle < last.at - 1])
    return [row for row in below[:1] if len(row.pieces) == len(rows[-1].pieces) > 1 and row.top <= last.at + 1]


def aligned(lines: Sequence[Line]) -> tuple[list[Table], list[list[Line]]]:
    """What only the places of its pieces show.

    Returns:
        Tables of three rows or more; and the lines, column by column, of each stretch of prose written across columns.
    """
    tables: list[Table] = []
    stretches: list[list[Line]] = []
    for rows in _runs(lines):
        if table := _table(rows, fewest_rows=3):
            tables.append(table)
        elif stretch := _down_columns(rows):
            stretches.append(stretch)
    return tables, stretches


def _down_columns(rows: Sequence[_Row]) -> list[Line]:
    """The lines of prose, column by column; none if it is something else."""
    pieces = [piece for row in rows for piece in row.pieces]
    if sum(len(row.lines) > 1 for row in rows) < _FEWEST_PROSE_ROWS:
        return []
    if sum(map(len, pieces)) < _PROSE_WORDS_OF_A_LINE * len(pieces) or not (separators := _separators(rows)):
        return []
    starts = [each.start for each in separators]
    return sorted((line for row in rows for line in row.lines), key=lambda line: bisect_right(starts, line.left))


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
    last = next((index for index in range(len(run) - 1, -1, -1) if len(run[index].lines) > 1), -1)
    end = last + 1
    while end < len(run) and _is_rest(run[end - 1], run[end], run[last]):
        end += 1
    del run[end:]
    if sum(len(row.lines) > 1 for row in run) > 2:
        yield run[:_MOST_ROWS]


def _is_rest(above: _Row, row: _Row, whole: _Row) -> bool:
    """Whether a row of one line may be the rest of a cell other than the first."""
    first = min(line.left for line in whole.lines)
    return above.bottom - row.top < _TIGHT * row.size and row.lines[0].left > first + 2 * row.size


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


def _table(rows: Sequence[_Row], *, fewest_rows: int, rules: Sequence[Rule] = ()) -> Table | None:
    separators = _separators(rows)
    if not 0 < len(separators) < _MOST_COLUMNS or any(line.is_right_to_left for row in rows for line in row.lines):
        return None
    width = len(separators) + 1
    filled = [_filled(row, separators) for row in rows]
    whole = _unwrapped(rows, filled, rules)
    if not _is_full(whole, width, fewest_rows) or not _has_cells(filled, width, fewest_rows):
        return None
    lines = [line for row in rows for line in row.lines]
    edges = min(line.left for line in lines), max(line.right for line in lines)
    return Table([_cells(fields, width) for fields in whole], *edges, rows[-1].bottom, rows[0].top, lines)


def _separators(rows: Sequence[_Row]) -> list[_Separator]:
    """Where nothing stands in nearly all rows."""
    steps: list[tuple[float, int]] = []
    for row in rows:
        for piece in row.pieces:
            steps += (piece[0].left, 1), (max(word.right for word in piece), -1)
    steps.sort()
    most = 0.15 * len(rows)  # heads over several columns
    size = sorted(row.size for row in rows)[len(rows) // 2]
    depth, gap_start, seen = 0, 0.0, False
    separators: list[_Separator] = []
    for at, change in steps:
        before, depth = depth, depth + change
        if before > most >= depth:
            gap_start, seen = at, True
        elif depth > most >= before and seen and at - gap_start >= 0.5 * size:
            separators.append(_Separator(gap_start, at))
    return separators


_Fields = dict[tuple[int, int], list[Word]]  # words by first and last column


def _filled(row: _Row, separators: Sequence[_Separator]) -> _Fields:
    fields: _Fields = {}
    for piece in row.pieces:
        for part in _parts(piece, separators):
            first = sum(each.start - 1 <= part[0].left for each in separators)
            last = sum(each.end + 1 < max(word.right for word in part) for each in separators)
            fields.setdefault((first, max(first, last)), []).extend(part)
    return fields


def _parts(piece: list[Word], separators: Sequence[_Separator]) -> Iterator[list[Word]]:
    """A piece cut where a separator goes between two words: these are far apart, or a column begins there."""
    part = [piece[0]]
    for before, word in pairwise(piece):
        wide = word.left - before.right > 0.45 * max(word.size, 1.0)
        if any(
            before.right <= each.end and each.start <= word.left and (wide or abs(word.left - each.end) < _NEAR / 2)
            for each in separators
        ):
            yield part
            part = []
        part.append(word)
    yield part


def _is_full(rows: Sequence[_Fields], width: int, fewest_rows: int) -> bool:
    """Whether most rows have several cells, and most cells are filled."""
    several = sum(len(row) > 1 for row in rows)
    return several >= max(fewest_rows, 0.5 * len(rows)) and sum(map(len, rows)) >= 0.4 * len(rows) * width


def _has_cells(rows: Sequence[_Fields], width: int, fewest_rows: int) -> bool:
    """Not columns of prose, a list, a table of contents, nor the letterhead of authors."""
    texts = [(place, " ".join(word.text for word in words)) for row in rows for place, words in row.items()]
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
        return words <= 4 or figures > 0.5 * len(rows)
    return not all(word.font.is_mono for row in rows for part in row.values() for word in part)


def _unwrapped(rows: Sequence[_Row], filled: Sequence[_Fields], rules: Sequence[Rule]) -> list[_Fields]:
    """Rows whose cells are in one line: those that only together have what a row has become one."""
    width = 1 + max(last for fields in filled for _, last in fields)
    by_rules = _clusters(rows, lambda above, below: not any(below.middle < rule.at < above.middle for rule in rules))
    if len(by_rules) > 2 and all(sum(_has_first(filled[index]) for index in cluster) < 2 for cluster in by_rules):
        return [_merged([filled[index] for index in cluster]) for cluster in by_rules]
    result: list[_Fields] = []
    for cluster in _clusters(rows, lambda above, below: above.bottom - below.top < _TIGHT * below.size):
        fields = [filled[index] for index in cluster]
        wrapped = [each for each in fields if not _has_first(each)]
        few = all(len(each) <= max(1, (width - 1) // 2) for each in wrapped)
        if len(fields) - len(wrapped) == 1 and few:
            result.append(_merged(fields))
        else:
            result += _appended(fields, few=few and 2 * len(wrapped) <= len(fields))
    return result


def _has_first(fields: _Fields) -> bool:
    return any(first == 0 for first, _ in fields)


def _clusters(rows: Sequence[_Row], joined: Callable[[_Row, _Row], bool]) -> list[list[int]]:
    """Numbers of rows that follow one another, cut where a row is not joined to the one above."""
    clusters = [[0]]
    for index in range(1, len(rows)):
        if not joined(rows[index - 1], rows[index]):
            clusters.append([])
        clusters[-1].append(index)
    return clusters


def _merged(rows: Sequence[_Fields]) -> _Fields:
    fields: _Fields = {}
    for row in rows:
        for place, words in row.items():
            fields.setdefault(place, []).extend(words)
    return fields


def _appended(rows: Sequence[_Fields], *, few: bool) -> list[_Fields]:
    """Rows, those without a first cell as the rest of the one above, if these are few."""
    groups: list[list[_Fields]] = []
    for fields in rows:
        if few and groups and not _has_first(fields) and all(place in groups[-1][0] for place in fields):
            groups[-1].append(fields)
        else:
            groups.append([fields])
    return [_merged(group) for group in groups]


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
