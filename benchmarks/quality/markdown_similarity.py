"""How near one Markdown is to another: reading order, tables and headings.

The measures of the opendataloader benchmark (https://github.com/opendataloader-project/opendataloader-bench),
computed anew:

- `order` (NID): 1 - indel distance / total length, of the text with runs of white space as one space, without
  emphasis marks, tables as bare HTML.
- `words`: the same, of the letters and digits alone, words parted by one space: without what the Markdown adds.
- `tables` (TEDS, https://arxiv.org/abs/1911.10683): 1 - tree edit distance / nodes of the larger tree, of all tables
  under one root, each with its rows and these with their cells. To put one cell in another's place costs their
  Levenshtein distance over the longer length, and 1 if they span other rows or columns. The published benchmark takes
  the first table of a page; here every table counts.
- `headings` (MHS): the same of a tree of the headings, whatever their levels, each with what follows it up to the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lxml import html

_TABLE = re.compile(r"<table\b.*?</table>", re.IGNORECASE | re.DOTALL)
_PIPES = re.compile(r"^[ \t]*\|.*\|[ \t]*\n[ \t]*\|[ \t]*:?-+.*\n?(?:^[ \t]*\|.*\n?)*", re.MULTILINE)
_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")
_EMPHASIS = re.compile(r"(\*{1,3}|~~|__|_)(\S(?:.*?\S)?)\1")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_NO_TEXT = re.compile(r"<!--.*?-->|</?[a-z][^>]*>|!?\[([^\]]*)\]\([^)\s]*\)", re.IGNORECASE | re.DOTALL)


@dataclass
class Node:
    """A node of an ordered tree."""

    kind: tuple[str, int, int]
    text: str = ""
    children: list[Node] = field(default_factory=list)


def order(expected: str, given: str) -> float:
    """Reading-order similarity of all text, tables as HTML."""
    return indel_similarity(_flat(expected), _flat(given))


def words(expected: str, given: str) -> float:
    """Reading-order similarity of the words alone."""
    return indel_similarity(_plain(expected), _plain(given))


def tables(expected: str, given: str) -> float | None:
    """Similarity of the tables; None where none is expected."""
    known = _tables(expected)
    return tree_similarity(_table_tree(known), _table_tree(_tables(given))) if known else None


def headings(expected: str, given: str) -> float | None:
    """Similarity of the headings with what stands under them; None where none is expected."""
    known, found = _heading_tree(expected), _heading_tree(given)
    if not _has_heading(known):
        return None
    return tree_similarity(known, found) if _has_heading(found) else 0.0


def indel_similarity(one: str, other: str) -> float:
    """Twice the longest common subsequence over both lengths, by the bit-parallel way of Hyyrö (2004)."""
    if not one or not other:
        return float(one == other)
    places = _places(one)
    row = every = (1 << len(one)) - 1
    for character in other:
        matched = row & places.get(character, 0)
        row = ((row + matched) | (row - matched)) & every
    return 2 * (len(one) - row.bit_count()) / (len(one) + len(other))


def levenshtein(one: str, other: str) -> int:
    """Insertions, deletions and substitutions, by the bit-parallel way of Myers (1999)."""
    if not one or not other:
        return len(one) + len(other)
    places, every, last = _places(one), (1 << len(one)) - 1, 1 << (len(one) - 1)
    plus, minus, distance = every, 0, len(one)
    for character in other:
        matched = places.get(character, 0) | minus
        diagonal = ((((matched & plus) + plus) ^ plus) | matched) & every
        rises, falls = minus | (~(diagonal | plus) & every), diagonal & plus
        distance += bool(rises & last) - bool(falls & last)
        rises, falls = (rises << 1) | 1, falls << 1
        plus, minus = (falls | (~(diagonal | rises) & every)) & every, rises & diagonal
    return distance


def _places(text: str) -> dict[str, int]:
    places: dict[str, int] = {}
    for index, character in enumerate(text):
        places[character] = places.get(character, 0) | 1 << index
    return places


def tree_similarity(one: Node, other: Node) -> float:
    """1 - tree edit distance / nodes of the larger tree, both without their roots; not below 0."""
    size = max(_count(one), _count(other)) - 1
    return max(0.0, 1 - tree_distance(one, other) / size) if size else 1.0


def _count(node: Node) -> int:
    return 1 + sum(map(_count, node.children))


def tree_distance(one: Node, other: Node) -> float:
    """Of Zhang and Shasha (1989); a node of another kind costs as much as one more or one less."""
    first, second = _Postorder(one), _Postorder(other)
    distances = [[0.0] * len(second.nodes) for _ in first.nodes]
    cost = _rename()
    for row in first.roots:
        for column in second.roots:
            _forest_distance(first, second, row, column, distances, cost)
    return distances[-1][-1]


class _Postorder:
    """Nodes of a tree in postorder, the leftmost leaf below each, and the roots of what is computed on its own."""

    def __init__(self, tree: Node) -> None:
        self.nodes: list[Node] = []
        self.leaves: list[int] = []
        self._walk(tree)
        self.roots = sorted({leaf: index for index, leaf in enumerate(self.leaves)}.values())

    def _walk(self, node: Node) -> int:
        leaf = -1
        for child in node.children:
            below = self._walk(child)
            leaf = below if leaf < 0 else leaf
        self.nodes.append(node)
        leaf = len(self.nodes) - 1 if leaf < 0 else leaf
        self.leaves.append(leaf)
        return leaf


def _forest_distance(
    one: _Postorder, other: _Postorder, row: int, column: int, distances: list[list[float]],
    cost: Callable[[Node, Node], float],
) -> None:  # fmt: skip
    top, left = one.leaves[row], other.leaves[column]
    height, width = row - top + 2, column - left + 2
    table = [[float(index + across) if not index or not across else 0.0 for across in range(width)]
             for index in range(height)]  # fmt: skip
    for down in range(1, height):
        node, leaf = one.nodes[top + down - 1], one.leaves[top + down - 1]
        for across in range(1, width):
            place, under = left + across - 1, other.leaves[left + across - 1]
            best = min(table[down - 1][across], table[down][across - 1]) + 1
            if leaf == top and under == left:
                best = min(best, table[down - 1][across - 1] + cost(node, other.nodes[place]))
                distances[top + down - 1][place] = best
            else:
                best = min(best, table[leaf - top][under - left] + distances[top + down - 1][place])
            table[down][across] = best


def _rename() -> Callable[[Node, Node], float]:
    known: dict[tuple[str, str], float] = {}

    def cost(one: Node, other: Node) -> float:
        if one.kind != other.kind:
            return 1.0
        if one.text == other.text:
            return 0.0
        key = one.text, other.text
        if key not in known:
            known[key] = levenshtein(*key) / max(map(len, key))
        return known[key]

    return cost


Table = list[list[tuple[str, int, int]]]  # rows of cells: text, columns, rows


def _table_tree(found: Iterable[Table]) -> Node:
    root = Node(("tables", 0, 0))
    for rows in found:
        table = Node(("table", 0, 0))
        for row in rows:
            cells = [Node(("cell", columns, below), text) for text, columns, below in row]
            table.children.append(Node(("row", 0, 0), children=cells))
        root.children.append(table)
    return root


def _tables(markdown: str) -> list[Table]:
    return [_of_html(found[0]) for found in _TABLE.finditer(_as_html(markdown))]


def _of_html(markup: str) -> Table:
    table = html.fromstring(markup)
    return [
        [
            (" ".join(cell.text_content().split()), int(cell.get("colspan", 1)), int(cell.get("rowspan", 1)))
            for cell in row.xpath("./td | ./th")
        ]
        for row in table.xpath(".//tr")
    ]


def _as_html(markdown: str) -> str:
    """Tables with pipes as bare HTML."""
    return _PIPES.sub(lambda found: _pipes_as_html(found[0]), markdown)


def _pipes_as_html(text: str) -> str:
    rows = []
    for line in text.strip().split("\n"):
        if _RULE.fullmatch(line.strip()):
            continue
        cells = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
        rows.append("<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(rows)}</table>\n"


def _escaped(cell: str) -> str:
    return cell.strip().replace("\\|", "|").replace("&", "&amp;").replace("<", "&lt;")


def _flat(markdown: str) -> str:
    return " ".join(_EMPHASIS.sub(r"\2", _LINK.sub(r"\1", _as_html(markdown))).split())


def _plain(markdown: str) -> str:
    text = _NO_TEXT.sub(r" \1 ", _as_html(markdown)).replace("\\", "")
    return " ".join(re.findall(r"[^\W_]+", text))


def _heading_tree(markdown: str) -> Node:
    root = Node(("document", 0, 0))
    under, lines = root, list[str]()

    def flush() -> None:
        if text := " ".join(" ".join(lines).split()):
            under.children.append(Node(("content", 0, 0), text))
        lines.clear()

    for line in _LINK.sub(r"\1", _as_html(markdown)).splitlines():
        found = _HEADING.match(line)
        if found:
            flush()
            under = Node(("heading", 0, 0), " ".join(found[2].split()))
            root.children.append(under)
        else:
            lines.append(line)
    flush()
    return root


def _has_heading(tree: Node) -> bool:
    return any(child.kind[0] == "heading" for child in tree.children)


MEASURES: dict[str, Callable[[str, str], float | None]] = {
    "order": order, "words": words, "tables": tables, "headings": headings,
}  # fmt: skip


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are numbers; None if there are none."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None
