"""A Markdown answer in pieces that can be marked or left out, and the answer put together again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise, takewhile
from typing import Literal, TypeAlias

from jina_components.core.boundaries import sentences
from jina_components.deep_search.citing.sanitizing import code_blocks
from jina_components.deep_search.citing.verbatim import QUOTED_WORDS, Verbatim, count_words, is_invented, settle_quotes

Kind: TypeAlias = Literal["text", "item", "heading", "header", "row", "code", "quote"]
"""Of which kind of block a piece is; `header` and `row` are of a table."""

_LINE = re.compile(r"[^\n]*\n?")
_ITEM = re.compile(r"(?P<indent>[ \t]*)(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_HEADING = re.compile(r"[ \t]{0,3}(?P<marks>#{1,6})[ \t]+")
_UNDERLINE = re.compile(r"[ \t]{0,3}(?:=+|-{2,})[ \t]*\n?$")
_RULE = re.compile(r"[ \t]{0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})\n?$")
_DELIMITER = re.compile(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?)?[ \t]*\n?$")
_QUOTE = re.compile(r"[ \t]{0,3}>[ \t]?")
_OUTER_PIPE = re.compile(r"[ \t]*\|?[ \t]*")
_CLOSING_PIPE = re.compile(r"[ \t]*\|?[ \t]*\n?$")
_AUTHOR = re.compile(r"\n[ \t]*[—–―-]{1,2}[^\n]{0,120}$")
_CELL = re.compile(r"(?<!\\)\|")
_COLONS = (":", "：")
_UNDERLINED = 2  # level of a heading that is underlined


@dataclass
class Piece:
    """A sentence, or what takes the place of one.

    Attributes:
        kind: The block it stands in.
        lead: What stands before it and is none of its words: the mark of a list, the pipe of a table.
        text: Its words.
        tail: What follows it: white space, a closing pipe.
        block: Number of its block.
        level: Of a heading; of an item, how far it is indented.
        invented: Whether it holds a quotation that stands nowhere.
    """

    kind: Kind
    text: str
    block: int
    lead: str = ""
    tail: str = ""
    level: int = 0
    invented: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece in the text that was put together: `text[start:end]`, its marks included."""

    piece: Piece
    start: int
    end: int


@dataclass
class _Parser:
    verbatim: Verbatim
    pieces: list[Piece] = field(default_factory=list)
    block: int = 0
    lines: list[str] = field(default_factory=list)  # of the paragraph or item that is open
    lead: str = ""
    kind: Kind = "text"
    level: int = 0
    in_table: bool = False


def split_draft(text: str, verbatim: Verbatim) -> list[Piece]:
    """The pieces of a Markdown text in order; together, with lead and tail, they are all of it but empty lines before.

    Linear time. Quotations are looked up on the way, and written as they stand in the sources.
    """
    parser = _Parser(verbatim)
    place = 0
    for start, end in code_blocks(text):
        _prose(parser, text[place:start])
        _code(parser, text[start:end])
        place = end
    _prose(parser, text[place:])
    return parser.pieces


def _prose(parser: _Parser, text: str) -> None:
    lines = [match[0] for match in _LINE.finditer(text) if match[0]]
    quoted: list[str] = []
    for line, following in pairwise([*lines, ""]):
        if _QUOTE.match(line):
            _close(parser)
            quoted.append(line)
            continue
        if quoted:
            _blockquote(parser, "".join(quoted))
            quoted = []
        _line(parser, line, following)
    if quoted:
        _blockquote(parser, "".join(quoted))
    _close(parser)


def _line(parser: _Parser, line: str, following: str) -> None:
    """Take one line of prose."""
    if not line.strip() or _is_rule(parser, line):
        _close(parser)
        parser.in_table = False
        _structure(parser, line)
    elif parser.lines and parser.kind == "text" and _UNDERLINE.match(line) and "|" not in line:
        _underlined(parser, line)
    elif heading := _HEADING.match(line):
        _close(parser)
        _open(parser, "heading", heading[0], len(heading["marks"]))
        parser.lines = [line[heading.end() :]]
        _close(parser)
    elif "|" in line and (parser.in_table or _DELIMITER.match(following)) and not _DELIMITER.match(line):
        _row(parser, line)
    elif parser.in_table and _DELIMITER.match(line):
        _structure(parser, line)
    elif item := _ITEM.match(line):
        _close(parser)
        _open(parser, "item", item[0], len(item["indent"].expandtabs(4)))
        parser.lines = [line[item.end() :]]
    else:
        parser.in_table = False
        if not parser.lines:
            _open(parser, "text", line[: len(line) - len(line.lstrip(" \t"))])
            line = line.lstrip(" \t")
        parser.lines.append(line)


def _is_rule(parser: _Parser, line: str) -> bool:
    return bool(_RULE.match(line)) and not (parser.lines and parser.kind == "text" and _UNDERLINE.match(line))


def _open(parser: _Parser, kind: Kind, lead: str = "", level: int = 0) -> None:
    parser.block += 1
    parser.kind, parser.lead, parser.level = kind, lead, level


def _structure(parser: _Parser, line: str) -> None:
    """A line without words belongs to what stands before it."""
    if parser.pieces:
        tail = parser.pieces[-1].tail
        parser.pieces[-1].tail = tail if line.isspace() and tail.endswith("\n\n") else tail + line.lstrip(" \t")


def _underlined(parser: _Parser, line: str) -> None:
    parser.kind, parser.level = "heading", 1 if "=" in line else _UNDERLINED
    _close(parser)
    if parser.pieces:
        parser.pieces[-1].tail += line


def _close(parser: _Parser) -> None:
    """The open paragraph, item or heading, as pieces."""
    text, parser.lines = "".join(parser.lines), []
    if not text:
        return
    settled = settle_quotes(text, parser.verbatim)
    lead = parser.lead
    for start, end in _sentences(settled.text, settled.quoted, whole=parser.kind == "heading"):
        stretch = settled.text[start:end]
        words = stretch.rstrip()
        invented = any(low < end and start < high for low, high, is_known in settled.quoted if not is_known)
        piece = Piece(
            parser.kind, _balanced(words.lstrip()).strip(), parser.block, lead, stretch[len(words) :], parser.level
        )
        piece.lead += words[: len(words) - len(words.lstrip())]
        piece.invented = invented
        lead = ""
        parser.pieces.append(piece)


def _sentences(text: str, quoted: Sequence[tuple[int, int, bool]], *, whole: bool) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence; none begins within a quotation."""
    starts = [0]
    if not whole:
        remaining = iter(quoted)
        quotation = next(remaining, None)
        for start in sentences(text, 0, len(text)):
            while quotation and quotation[1] <= start:
                quotation = next(remaining, None)
            if start < len(text) and not (quotation and quotation[0] < start):
                starts.append(start)
    for start, end in pairwise([*starts, len(text)]):
        if text[start:end].strip():
            yield start, end


def _balanced(text: str) -> str:
    """A sentence without marks of emphasis or code that have their partner in another one."""
    for mark in ("**", "__", "~~", "`"):
        if text.count(mark) % 2:  # what it kept apart stays so: two parts of an address
            text = re.sub(rf"(?<=\S){re.escape(mark)}(?=\S)", " ", text).replace(mark, "")
    return text


def _row(parser: _Parser, line: str) -> None:
    _close(parser)
    kind: Kind = "row" if parser.in_table else "header"
    parser.in_table = True
    start, closing = _OUTER_PIPE.match(line), _CLOSING_PIPE.search(line)
    low = start.end() if start else 0
    high = max(closing.start() if closing else len(line), low)
    settled = settle_quotes(line[low:high], parser.verbatim)
    parser.block += 1
    invented = any(not is_known for _, _, is_known in settled.quoted)
    parser.pieces.append(Piece(kind, settled.text, parser.block, line[:low], line[high:], invented=invented))


def _code(parser: _Parser, text: str) -> None:
    _close(parser)
    parser.in_table = False
    parser.block += 1
    words = text.rstrip()
    lead = words[: len(words) - len(words.lstrip())]
    invented = any(is_invented(line, parser.verbatim) for line in words.splitlines())
    parser.pieces.append(Piece("code", words.lstrip(), parser.block, lead, text[len(words) :], invented=invented))


def _blockquote(parser: _Parser, text: str) -> None:
    """What is set off as a quotation is one piece, and must be one."""
    parser.block += 1
    parser.in_table = False
    words = text.rstrip()
    lead = _QUOTE.match(words)
    start = lead.end() if lead else 0
    inner = _AUTHOR.sub("", "\n".join(_QUOTE.sub("", line) for line in words.splitlines()))
    paragraphs = [paragraph for paragraph in re.split(r"\n[ \t>]*\n", inner) if count_words(paragraph) >= QUOTED_WORDS]
    invented = any(parser.verbatim.find(paragraph) is None for paragraph in paragraphs)
    invented = invented or is_invented(inner, parser.verbatim)
    parser.pieces.append(
        Piece("quote", words[start:], parser.block, words[:start], text[len(words) :] or "\n", invented=invented)
    )


def statement(pieces: Sequence[Piece], number: int) -> str:
    """What a piece says, so that it can be read: a row by the names of its columns, an item without its mark."""
    piece = pieces[number]
    if piece.kind == "quote":
        return "\n".join(_QUOTE.sub("", line) for line in piece.text.splitlines())
    if piece.kind != "row":
        return piece.text
    names = next((cells(one.text) for one in reversed(pieces[:number]) if one.kind == "header"), [])
    named = zip([*names, *[""] * len(cells(piece.text))], cells(piece.text), strict=False)
    return "; ".join(f"{name}: {value}" if name else value for name, value in named if value)


def cells(row: str) -> list[str]:
    """The cells of a table's row."""
    return [cell.strip() for cell in _CELL.split(row)]


def without_orphans(pieces: Sequence[Piece], kept: set[int]) -> set[int]:
    """Of the numbers of pieces to keep, those that lead to something: no heading or "…:" without what is behind it."""
    kept = {number for number in kept if pieces[number].kind != "header" or _has_rows(pieces, kept, number)}
    for number in sorted(kept, reverse=True):
        is_introduction = pieces[number].kind in ("text", "item") and pieces[number].text.rstrip("*_ ").endswith(
            _COLONS
        )
        if is_introduction and not any(one in kept for one in _introduced(pieces, number)):
            kept.discard(number)
    if all(piece.kind == "heading" for piece in pieces):
        return kept
    has_body = [False] * 7  # for a heading of each level
    for number in range(len(pieces) - 1, -1, -1):
        level = pieces[number].level
        if pieces[number].kind != "heading":
            has_body = [True] * 7 if number in kept else has_body
            continue
        if not has_body[level]:
            kept.discard(number)
        has_body[level:] = [False] * (7 - level)
    return kept


def _has_rows(pieces: Sequence[Piece], kept: set[int], header: int) -> bool:
    rows = takewhile(lambda number: pieces[number].kind == "row", range(header + 1, len(pieces)))
    return any(number in kept for number in rows)


def _introduced(pieces: Sequence[Piece], number: int) -> Iterator[int]:
    """The pieces that an introduction leads to: the paragraph behind it; or the list, table, code or quotation."""
    own = pieces[number]
    first = number + 1
    for following in range(first, len(pieces)):
        piece = pieces[following]
        is_beside = own.kind == "item" and piece.kind == "item" and piece.level <= own.level
        is_further = piece.kind == "text" and piece.block != pieces[first].block
        if piece.kind == "heading" or is_beside or is_further:
            return
        yield following
        if pieces[first].kind == "text" and piece.kind != "text":
            return


def compose(pieces: Sequence[Piece], marks: Mapping[int, str]) -> tuple[str, list[Placed]]:
    """The text of the pieces that are kept, each followed by its marks, and where they stand in it.

    Args:
        pieces: The pieces of a draft.
        marks: By number of each piece to keep, what to put behind it.
    """
    blocks = [list(group) for _, group in groupby(range(len(pieces)), key=lambda number: pieces[number].block)]
    parts: list[str] = []
    placed: list[Placed] = []
    length = 0
    for block in blocks:
        kept = [number for number in block if number in marks]
        if not kept:
            if parts and "\n\n" in pieces[block[-1]].tail and not parts[-1].endswith("\n\n"):
                parts.append("\n")
                length += 1
            continue
        for number in kept:
            piece = pieces[number]
            lead = pieces[block[0]].lead if number == kept[0] else piece.lead
            tail = pieces[block[-1]].tail if number == kept[-1] else piece.tail
            behind = marks[number]
            words = f"{piece.text}\n{behind.strip()}" if behind and piece.kind == "code" else f"{piece.text}{behind}"
            placed.append(Placed(piece, length + len(lead), length + len(lead) + len(words)))
            parts += [lead, words, tail]
            length += len(lead) + len(words) + len(tail)
    return "".join(parts).rstrip(), placed
