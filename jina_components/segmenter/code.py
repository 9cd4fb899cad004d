"""Blocks of source code, read off its syntax tree: where a cut leaves most of it whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jina_components.segmenter.languages import known_language, parse
from jina_components.segmenter.structure import BLOCK, ITEM, NESTED, Block

if TYPE_CHECKING:
    from tree_sitter import Node

Fits = Callable[[int, int], bool]

# Level of a block by how deeply its list is nested in other lists that had to be opened.
_LEVELS = (1, 6, BLOCK, ITEM)
# What belongs to the code that follows it.
_LEADING = re.compile(r"comment|attribute|annotation|decorator|access_specifier")
_DEFINITION = re.compile(
    r"(?:function|method|class|interface|struct|enum|union|trait|impl|mod|namespace|object|protocol|constructor"
    r"|record|type|contract|extension)\w*_(?:definition|declaration|item|specifier)|(?:singleton_)?(?:method|class|module)"
    r"|internal_module"
)
_FUNCTION_VALUES = ("arrow_function", "function_expression", "function")
# Fields and kinds of a node that only dresses up a definition.
_WRAPPERS = {
    "decorated_definition": "definition",
    "export_statement": "declaration",
    "lexical_declaration": "",
    "variable_declaration": "",
    "template_declaration": "",
    "declaration": "type",
}
_LONGEST_TITLE = 100
# Indents looked at to tell whether a node begins its line.
_WIDEST_INDENT = 200
_FENCE = re.compile(r"[ \t>]*(?:`{3,}|~{3,})[ \t]*\{?\.?([\w+#-]+)")


class _Member(NamedTuple):
    """A child in the syntax tree, with the comments and attributes above it.

    Attributes:
        node: The child.
        start: Where what stands above it begins, or its own line.
        own: Where itself begins, or its line.
        end: Where it ends.
        is_line: Whether it begins its line.
        is_place: Whether a cut before it makes sense: not between a function's name and its parameters.
    """

    node: Node
    start: int
    own: int
    end: int
    is_line: bool
    is_place: bool


class _Opened(NamedTuple):
    """A node too long for a chunk, whose members are to be visited."""

    members: Iterator[tuple[_Member, int, int]]  # with where the next begins, and the level
    depth: int
    scopes: int


def code_blocks(text: str, language: str, fits: Fits) -> Iterator[Block]:
    """Blocks of a source file in order: members of the lists of its syntax tree.

    A list (of definitions, statements, arguments …) is opened only where what holds it is too long for a
    chunk, as in cAST (Zhang et al. 2025, arXiv:2506.15655); what fits is a verbatim block, which is not cut.
    Comments, attributes and decorators belong to what they stand above. Headings are the scopes. A text in which
    the parser cannot mend the errors in reasonable time is one block, to be cut between lines. Linear time; depth is
    bounded by memory only.

    Args:
        text: The source.
        language: Canonical name of its language.
        fits: Whether a stretch of the text may be one chunk.

    Raises:
        MissingDependencyError: the grammar is not installed.
    """
    walk = _Walk(text, language, fits)
    start = 0
    for block in walk.blocks():
        if block.start > start or not start:
            yield block
            start = max(block.start, 1)


def with_code_blocks(text: str, structure: Iterable[Block], fits: Fits) -> Iterator[Block]:
    """Blocks of Markdown, with those of fenced code in a known language that does not fit in its place.

    Raises:
        MissingDependencyError: a grammar is not installed.
    """
    for block in structure:
        if not block.end or fits(block.start, block.end):
            yield block
            continue
        opening = text[text.rfind("\n", block.start, block.keep - 1) + 1 or block.start : block.keep]
        tag = _FENCE.match(opening)
        language = known_language(tag[1]) if tag else None
        yield from _in_fence(text, block, language, fits) if language else [block]


def _in_fence(text: str, block: Block, language: str, fits: Fits) -> Iterator[Block]:
    base, end = block.keep, text.rfind("\n", block.keep, block.end - 1) + 1 or block.end
    _, *inner = [
        part._replace(start=base + part.start, keep=base + part.keep, end=base + part.end, level=NESTED, headings=())
        for part in code_blocks(text[base:end], language, lambda start, stop: fits(base + start, base + stop))
    ] or [block]
    yield block._replace(end=inner[0].start if inner else block.end)
    yield from inner


class _Walk:
    """Visits the members of lists in the order of the text, without recursion."""

    def __init__(self, text: str, language: str, fits: Fits) -> None:
        source = text.encode("utf-8", "surrogatepass")  # a lone surrogate is an error to the parser, of three bytes
        self._text = text
        self._fits = fits
        self._offsets = None if len(source) == len(text) else _offsets(source)
        tree = parse(source, language)
        self._root = tree and tree.root_node  # to be compared with: .parent takes time with the depth

    def blocks(self) -> Iterator[Block]:
        if self._root is None:
            yield Block(0, BLOCK, 0, len(self._text))
            return
        opened = [self._open(self._root, len(self._text), depth=0, scopes=0)]
        while opened:
            members, depth, scopes = opened[-1]
            following = next(members, None)
            if following is None:
                opened.pop()
                continue
            member, tail, level = following
            definition = _definition(member.node) if member.is_place else None
            title = self._title(definition) if definition else ""
            if member.is_place:
                block = Block(member.start, level, member.start, member.end, ((scopes + 1, title),))
                yield from self._whole(block, member, tail)
            fits = self._fits(member.own, member.end)
            if not (fits and member.is_place):
                inner = definition if definition and not self._fits(*self._span(definition)) else member.node
                opened.append(self._open(inner, tail, depth + fits, scopes + (inner is definition)))

    def _whole(self, block: Block, member: _Member, tail: int) -> Iterator[Block]:
        """The block, kept whole if it fits: up to the next one, or to its own end, or without what is above it."""
        for end in (tail, member.end):
            if self._fits(member.start, end):
                yield block._replace(keep=end, end=end)
                return
        yield block
        if member.own > member.start and self._fits(member.own, member.end):
            yield block._replace(start=member.own, level=NESTED, keep=member.end)

    def _open(self, node: Node, tail: int, depth: int, scopes: int) -> _Opened:
        members = self._members(node)
        places = [member for member in members if member.is_place]
        first = places[0] if places and node != self._root else None
        ends = [*(member.start for member in members[1:]), tail][: len(members)]
        levels = [self._level(member, depth, is_first=member is first) for member in members]
        return _Opened(zip(members, ends, levels, strict=True), depth + (len(places) > 1), scopes)

    def _level(self, member: _Member, depth: int, *, is_first: bool) -> int:
        return _LEVELS[depth] if member.is_line and not is_first and depth < len(_LEVELS) else NESTED

    def _members(self, node: Node) -> list[_Member]:
        members: list[_Member] = []
        leading: int | None = None
        for child, following in pairwise([*node.named_children, None]):
            if child is None:
                break
            start, end = self._span(child)
            line = self._line_start(start)
            own = start if line is None else line
            if line is not None and following is not None and self._leads(child, end, following):
                leading = own if leading is None else leading
                continue
            is_place = line is not None or (self._follows_separator(start) and not _LEADING.search(child.type))
            if is_place or self._text.find("\n", start, end) >= 0:
                members.append(
                    _Member(child, own if leading is None else leading, own, end, line is not None, is_place)
                )
            leading = None
        if len(members) == 1 and node != self._root and _definition(members[0].node) is None:
            return [members[0]._replace(is_place=False)]  # a body: parted from its head it leaves that alone
        return members

    def _leads(self, child: Node, end: int, following: Node) -> bool:
        """Whether a node belongs to the next: a comment with no empty line behind, an attribute."""
        if not _LEADING.search(child.type):
            return False
        return self._text.count("\n", end - 1, self._place(following.start_byte)) < 2

    def _follows_separator(self, start: int) -> bool:
        before = self._text[max(start - 4, 0) : start].rstrip()
        return before.endswith((";", "{", "}", ","))

    def _line_start(self, start: int) -> int | None:
        """Where the line begins, if nothing but white space is before `start` on it."""
        low = max(start - _WIDEST_INDENT, 0)
        line = self._text.rfind("\n", low, start) + 1 or low
        if line == low and low and self._text[low - 1] != "\n":
            return None
        return None if self._text[line:start].strip() else line

    def _span(self, node: Node) -> tuple[int, int]:
        return self._place(node.start_byte), self._place(node.end_byte)

    def _place(self, byte: int) -> int:
        return byte if self._offsets is None else int(self._offsets[byte])

    def _title(self, definition: Node) -> str:
        """`class A` or `def f`."""
        start, end = self._span(definition)
        name = _name(definition)
        if name is not None:
            end = self._place(name.end_byte)
            start = max(start, self._text.rfind("\n", start, self._place(name.start_byte)) + 1)
        line = self._text[start : min(end, start + _LONGEST_TITLE)].split("\n", 1)[0]
        return " ".join(line.split()).rstrip(" {:=(")


def _offsets(source: bytes) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """For each byte, and the end, how many code points begin before it."""
    leads = (np.frombuffer(source, np.uint8) & 0xC0) != 0x80
    return np.concatenate([np.zeros(1, np.int32), np.cumsum(leads, dtype=np.int32)])


def _definition(node: Node) -> Node | None:
    for _ in range(len(_WRAPPERS)):
        if _DEFINITION.fullmatch(node.type):
            return node
        if node.type not in _WRAPPERS:
            return None
        field = _WRAPPERS[node.type]
        inner = node.child_by_field_name(field) if field else next(iter(node.named_children[-1:]), None)
        if inner is None:
            return None
        if inner.type == "variable_declarator":
            value = inner.child_by_field_name("value")
            return node if value is not None and value.type in _FUNCTION_VALUES else None
        node = inner
    return None


def _name(node: Node) -> Node | None:
    """The name that a definition gives; those of C stand inside declarators."""
    name = node.child_by_field_name("name")
    while name is None:
        inner = node.child_by_field_name("declarator") or _declarator(node)
        if inner is None:
            return node if "declarator" in node.type or node.type.endswith("identifier") else None
        node = inner
        name = node.child_by_field_name("name")
    return name


def _declarator(node: Node) -> Node | None:
    last = next(iter(node.named_children[-1:]), None)
    return last if last is not None and last.type == "variable_declarator" else None
