"""Pieces of text to lines of Markdown: white space as CSS has it, marks that hug their words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from jina_components.reader.markdown import marks as m
from jina_components.reader.markdown.emphasis import hug
from jina_components.reader.markdown.escape import escape
from jina_components.reader.markdown.marks import AnyMark, Code, Link, Marks, Piece
from jina_components.reader.markdown.style import Style

# Invisible, and in the way of whoever searches the text: soft hyphens, zero-width spaces, word joiners, byte order
# marks. Joiners and marks of direction stay: they make letters. Noncharacters are ours.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\ufdd0-\ufdef]")
_BACKTICKS = re.compile("`+")
_TOKENS = re.compile(f"([{m.SENTINELS}])")
_DELIMITED = re.compile("[\ufdd0-\ufdd5]")

Atom: TypeAlias = str | Link | Code
"""What one sentinel in a line stands for: finished Markdown, the end of a link, a code span."""


def visible(text: str) -> str:
    """`text` without invisible characters."""
    return text if text.isascii() else _INVISIBLE.sub("", text)


def words_of(text: str) -> str:
    """The words of `text`, one space between them, without invisible characters."""
    return " ".join(visible(text).split())


def lines_of(pieces: Sequence[Piece], style: Style, line_break: str) -> Iterator[str]:
    """The paragraphs that `pieces` make: two line breaks end one.

    Args:
        pieces: In order.
        style: How to write.
        line_break: What a single break becomes.
    """
    if len(pieces) == 1 and not pieces[0].marks and pieces[0].kind == m.TEXT:
        text = words_of(pieces[0].text)
        if text:
            if style.escape:
                text = escape(text, style, at_start=_begins_line(style, line_break)).replace(m.ESCAPE, "\\")
            yield text
        return
    for group in _paragraphs(_spaced(pieces)):
        text = _written(group, style, line_break)
        if text:
            yield text


def _begins_line(style: Style, line_break: str) -> bool:
    """Whether a paragraph will stand at the beginning of a line, where more characters are markup.

    It does not in a cell or an ATX heading, where no line ends either.
    """
    return "\n" in line_break or style.heading == "setext"


def _spaced(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces whose spaces stand between them, each outside of the marks it only borders on."""
    result: list[Piece] = []
    space = False
    for piece in pieces:
        if piece.kind == m.TEXT:
            text = visible(piece.text)
            words = " ".join(text.split())
            if not words:
                space = space or text != ""
                continue
            leads, trails = text[0].isspace(), text[-1].isspace()
            piece = Piece(words, piece.marks)
        else:
            leads = trails = False
        if result and (space or leads) and m.BREAK not in (result[-1].kind, piece.kind):
            result.append(Piece(" ", m.common(result[-1].marks, piece.marks)))
        result.append(piece)
        space = trails and piece.kind != m.BREAK
    return result


def _paragraphs(pieces: list[Piece]) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    breaks = 0
    for piece in pieces:
        if piece.kind == m.BREAK:
            breaks += 1
            continue
        if breaks > 1 and group:
            _split(group)
            yield group
            group = []
        elif breaks and group:
            group.append(Piece("\n", m.common(group[-1].marks, piece.marks), m.BREAK))
        breaks = 0
        group.append(piece)
    if group:
        yield group


def _split(group: list[Piece]) -> None:
    if (link := m.link_of(group[-1].marks)) is not None:
        link.split = True


def _written(group: list[Piece], style: Style, line_break: str) -> str:
    line, atoms = _composed(_links_once(group), style, line_break)
    if _DELIMITED.search(line):
        line = hug(line, style)
    if style.escape:
        line = escape(line, style, at_start=_begins_line(style, line_break))
    return _assembled(line, atoms, style, line_break).strip()


def _links_once(group: list[Piece]) -> list[Piece]:
    """`group` without the marks of links that belong to another block."""
    links: dict[Link, bool] = {}  # whether any of its words are here
    for piece in group:
        if piece.marks and (link := m.link_of(piece.marks)) is not None:
            links[link] = links.get(link, False) or (piece.kind == m.TEXT and piece.text != " ")
    away = {link for link, has_words in links.items() if link.used or (link.split and link.text and not has_words)}
    for link in links.keys() - away:
        link.used = True
    if not away:
        return group
    return [piece._replace(marks=tuple(mark for mark in piece.marks if mark not in away)) for piece in group]


def _composed(group: list[Piece], style: Style, line_break: str) -> tuple[str, list[Atom]]:
    out: list[str] = []
    atoms: list[Atom] = []
    opened: Marks = ()
    for text, marks, kind in _with_code_joined(group):
        if marks != opened:
            kept = len(m.common(opened, marks))
            out += [_closed(mark, atoms) for mark in reversed(opened[kept:])]
            out += [_opened(mark, atoms) for mark in marks[kept:]]
            opened = marks
        if kind == m.READY:
            out.append(_atom(text, atoms))
        elif kind == m.BREAK and line_break[0] == "<":
            out.append(_atom(line_break, atoms))  # a tag, to the delimiters beside it, and no white space
        elif kind == m.CODE:
            out.append(_atom(Code(text), atoms))
        elif style.escape and marks and m.link_of(marks) is not None:
            out.append(text.replace("[", m.ESCAPE + "[").replace("]", m.ESCAPE + "]"))
        else:
            out.append(text)
    out += [_closed(mark, atoms) for mark in reversed(opened)]
    return "".join(out), atoms


def _opened(mark: AnyMark, atoms: list[Atom]) -> str:
    return m.LINK_OPENS if isinstance(mark, Link) else _delimiter(mark.opens, atoms)


def _closed(mark: AnyMark, atoms: list[Atom]) -> str:
    return _atom(mark, atoms) if isinstance(mark, Link) else _delimiter(mark.closes, atoms)


def _delimiter(text: str, atoms: list[Atom]) -> str:
    return _atom(text, atoms) if text[0] == "<" else text


def _atom(atom: Atom, atoms: list[Atom]) -> str:
    atoms.append(atom)
    return m.ATOM


def _with_code_joined(group: list[Piece]) -> Iterator[Piece]:
    """`group` with adjoining code, within the same marks, as one piece."""
    for marks, pieces in itertools.groupby(group, key=_around_code):
        if marks is None:
            yield from pieces
        else:
            yield Piece("".join(piece.text for piece in pieces), marks, m.CODE)


def _around_code(piece: Piece) -> Marks | None:
    return piece.marks[:-1] if piece.marks and isinstance(piece.marks[-1], Code) else None


def code_span(text: str) -> str:
    """`text` between backticks, more of them than it holds in a row."""
    fence = "`" * (longest_run(_BACKTICKS, text) + 1)
    edge = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{edge}{text}{edge}{fence}"


def longest_run(pattern: re.Pattern[str], text: str) -> int:
    """Length of the longest match of `pattern` in `text`."""
    return max(map(len, pattern.findall(text)), default=0)


def _assembled(line: str, atoms: list[Atom], style: Style, line_break: str) -> str:
    """`line` with what its sentinels stand for."""
    em, strong = style.emphasis, style.strong
    plain = {m.EMPHASIS_OPENS: em, m.EMPHASIS_CLOSES: em, m.STRONG_OPENS: strong, m.STRONG_CLOSES: strong,
             m.STRIKE_OPENS: "~~", m.STRIKE_CLOSES: "~~", m.ESCAPE: "\\"}  # fmt: skip
    waiting = iter(atoms)
    out: list[str | Code] = []
    link_start = 0
    for token in _TOKENS.split(line.replace("\n", line_break)):
        if token == m.LINK_OPENS:
            link_start = len(out)
        elif token == m.ATOM:
            atom = next(waiting)
            if isinstance(atom, Link):
                out[link_start:] = [atom.written(_text(out[link_start:]))]
            elif isinstance(atom, Code) and len(out) > link_start and isinstance(last := out[-1], Code):
                out[-1] = Code(last.text + atom.text)  # the marks between them have gone
            else:
                out.append(atom)
        elif token:
            out.append(plain.get(token, token))
    return _text(out)


def _text(parts: list[str | Code]) -> str:
    return "".join(code_span(part.text) if isinstance(part, Code) else part for part in parts)
