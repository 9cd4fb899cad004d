"""Markdown that a model wrote, without what it must not bring into an answer.

Citation marks of its own, HTML, images, link targets and footnotes go, wherever they stand; links keep their text, and
addresses that no source names are cut out (`addresses`). Linear time.
"""

from __future__ import annotations

import html
import re

from jina_components.core.quotable import Span
from jina_components.deep_search.citing.addresses import KnownAddresses, cut_addresses

# Controls, characters without a width, of direction, of private use, tags, halves of pairs.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e0fff"
    "\U000f0000-\U0010ffff]"
    "|(?<=[ -\x7f])[\u200c\u200d]|[\u200c\u200d](?=[ -\x7f])"
)
_NEWLINE = re.compile(r"\r\n?|\x85")
_FENCE = re.compile(r"[ \t]{0,12}(?:>[ \t]?)*(?:[-*+][ \t]+)?(`{3,}|~{3,})")
_INLINE_CODE = re.compile(r"(?<!`)`[^`\n]+`(?!`)")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

_SECTION = re.compile(r"<!\[CDATA\[|\]\]>")
_DROPPED_ELEMENT = re.compile(
    r"<(ref|script|style|cite|template|iframe|svg|think|thinking)\b[^<>]{0,1000}>(?:(?!<\1\b)[\s\S]){0,5000}?</\1\s*>",
    re.IGNORECASE,
)
_RAISED_MARK = re.compile(r"<sup\b[^<>]{0,200}>[\s\d,;*†‡\[\]^–-]{0,40}</sup\s*>", re.IGNORECASE)
_AUTOLINK = re.compile(r"<([A-Za-z][\w+.-]{1,31}:[^\s<>]{0,2000}|[^\s<>@]{1,64}@[^\s<>]{1,255})>")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,2000}>|<[!?][^<>]{0,2000}>")
_OPEN_TAG = re.compile(r"<(?=[A-Za-z/!?])")

_IMAGE = re.compile(
    r"!\[([^\[\]]{0,1000})\](?:\([^()]{0,2000}(?:\([^()]{0,500}\)[^()]{0,500}){0,4}\)|\[[^\[\]]{0,200}\])"
)
_LINK = re.compile(
    r"\[([^\[\]]{0,2000})\](?:\([^()]{0,2000}(?:\([^()]{0,500}\)[^()]{0,500}){0,4}\)|\[[^\[\]]{0,200}\])"
)
_DEFINITION = re.compile(r"^[ \t>]*\[[^\[\]\n]{1,200}\]:[ \t]*\S.*\n?", re.MULTILINE)
_NESTED = 4

_NAMES = "sources?|refs?|references?|citations?|cited|quellen?|fuentes?|fonti|fonte|出典|来源|來源|источники?"
_UNITS = (
    "doc(?:ument)?|sources?|refs?|reference|quote|passage|evidence|citation|cite|web|search|result|page|note|fn"
    "|snippet|chunk"
)
_NUMBERS = r"\^?\d{1,4}(?:[ \t]?[,;–—-][ \t]?\^?\d{1,4}){0,20}"
_MARK = re.compile(
    rf"\\?\[\\?\[?(?:{_NUMBERS}|\^[^\[\]\n]{{1,60}}|(?:{_UNITS})[ \t:#_-]{{0,3}}{_NUMBERS}|citation needed|unverified"
    rf"|@[\w:.-]{{1,60}}(?:; ?@[\w:.-]{{1,60}}){{0,10}})\\?\]?\\?\]"
    rf"|[【〔〖][^【】〔〕〖〗\n]{{0,200}}?[\d†‡:：][^【】〔〕〖〗\n]{{0,200}}[】〕〗]"
    rf"|[(\[（](?:{_NAMES})[ \t]?[:：][^()\[\]（）\n]{{0,400}}[)\]）]"
    r"|:contentReference\[[^\[\]\n]{0,60}\](?:\{[^{}\n]{0,60}\})?|\boaicite:\d+|\{\{(?:cite|ref|sfn)[^{}]{0,400}\}\}"
    r"|\\(?:cite|ref|footnote)[a-z]{0,8}\{[^{}\n]{0,200}\}"
    r"|(?<=[.!?。！？])[¹²³⁴⁵⁶⁷⁸⁹⁰]{1,3}(?![\w⁻⁺])|\bturn\d+(?:search|view|news|fetch)\d+",
    re.IGNORECASE,
)
_ANY_MARK = re.compile(r"\[\s*(?:\^[^\[\]\n]{0,60}|unverified)\s*\]", re.IGNORECASE)
_SOURCE_LIST = re.compile(
    rf"^[ \t]*(?:#{{1,6}}[ \t]+)?[*_]{{0,3}}(?:list of )?(?:{_NAMES}|works cited|bibliography|footnotes|further reading"
    r"|literatur)[*_]{0,3}[ \t]*[:：]?[*_]{0,3}[ \t]*$",
    re.IGNORECASE,
)
_SOURCE_LINE = re.compile(rf"^[ \t]*[*_]{{0,3}}(?:{_NAMES})[*_]{{0,3}}[ \t]*[:：].*$", re.IGNORECASE)
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}(?:[ \t]|$)")
_EMPTY = re.compile(r"(?<=[ \t])(?:\([ \t]*\)|\[[ \t]*\])[ \t]?|[ \t]?\*{4}|(?<!`)``(?!`)")


def sanitize(text: str, known: KnownAddresses) -> str:
    """The text, safe to be attributed and shown; may be empty.

    Args:
        text: Markdown of a model.
        known: The addresses that may stay.
    """
    text = _INVISIBLE.sub("", _NEWLINE.sub("\n", text))
    pieces = []
    for start, end, is_code in _parts(text):
        piece = text[start:end]
        piece = piece if is_code else _without_source_lists(readable(_entities(piece)))
        piece = cut_addresses(_without_marks(piece) if is_code else piece, known, is_code=is_code)
        pieces.append(piece if is_code else _EMPTY.sub("", _ANY_MARK.sub("", piece)))
    return _closed("".join(pieces))


def readable(text: str) -> str:
    """Markdown as it reads: links by their text; without marks of notes, images and HTML. Code in a line stays."""
    if not _TELLTALE.search(text):
        return text
    text = _INLINE_CODE.sub(lambda code: code[0].translate(_KEPT), text)
    text = _SECTION.sub("", _without_comments(text))
    text = _RAISED_MARK.sub(_GONE, _DROPPED_ELEMENT.sub(_GONE, text))
    text = _OPEN_TAG.sub(r"\\<", _TAG.sub("", _AUTOLINK.sub(r"\1", text)))
    text = _ANY_MARK.sub(_GONE, _linked(text))
    return _ANY_MARK.sub("", _HOLE.sub("", text).translate(_RESTORED))


# Stand for what was taken out, and for brackets of code, which no rule for prose may see.
_GONE = "\0"
_HOLE = re.compile(r"[ \t]?\0+(?=[\s.,;:!?)]|$)|\0+")
_KEPT = str.maketrans("[]<>{}", "\1\2\3\4\5\6")
_RESTORED = str.maketrans("\1\2\3\4\5\6", "[]<>{}")
_TELLTALE = re.compile(r"[\[\]<【〔〖:{\\¹²³⁴-⁹⁰]|turn\d")


def _without_comments(text: str) -> str:
    if "<!--" not in text:
        return text
    pieces, place = [], 0
    while (start := text.find("<!--", place)) >= 0:
        end = text.find("-->", start)
        pieces.append(text[place:start])
        if end < 0:
            pieces.append(text[start:].replace("<!--", ""))
            return "".join(pieces)
        place = end + 3
    return "".join([*pieces, text[place:]])


def _linked(text: str) -> str:
    """Links by their text, from the inside to the outside; images and definitions of links and notes go."""
    text = _DEFINITION.sub("", text)
    for _ in range(_NESTED):
        before = text
        text = _MARK.sub(_GONE, _LINK.sub(_text_of_link, _IMAGE.sub("", text)))
        if text == before:
            break
    return text


def _text_of_link(link: re.Match[str]) -> str:
    return _GONE if _MARK.fullmatch(f"[{link[1]}]") else link[1]


def _without_marks(code: str) -> str:
    """Code without what would be taken for a mark of this library."""
    return _ANY_MARK.sub("", code)


def _entities(text: str) -> str:
    """Characters in place of their names, but for those that Markdown would read as HTML."""

    def character(match: re.Match[str]) -> str:
        found = html.unescape(match[0])
        return match[0] if found in ("<", ">", "&", "|", "`", "\n") else _INVISIBLE.sub("", found)

    return _ENTITY.sub(character, text)


def _parts(text: str) -> list[tuple[int, int, bool]]:
    """Stretches of prose and of fenced code, in turn: start, end, whether it is code."""
    parts: list[tuple[int, int, bool]] = []
    start, fence = 0, ""
    place = 0
    for line in text.splitlines(keepends=True):
        opening = _FENCE.match(line)
        if fence:
            if opening and opening[1].startswith(fence) and not line[opening.end() :].strip():
                parts.append((start, place + len(line), True))
                start, fence = place + len(line), ""
        elif opening and not (opening[1][0] == "`" and "`" in line[opening.end() :]):
            parts.append((start, place, False))
            start, fence = place, opening[1]
        place += len(line)
    parts.append((start, len(text), bool(fence)))
    return parts


def _closed(text: str) -> str:
    """The text with its last fence closed, if it was left open."""
    start, end, is_open = _parts(text)[-1]
    fence = _FENCE.match(text, start, end)
    return f"{text.rstrip()}\n{fence[1]}\n" if is_open and fence else text


def code_blocks(text: str) -> list[Span]:
    """Where the fenced blocks of a text stand, fences included."""
    return [Span(start, end) for start, end, is_code in _parts(text) if is_code]


def _without_source_lists(text: str) -> str:
    """The text without lists of sources, which a model makes up as it does marks."""
    kept: list[str] = []
    skipping = False
    for line in text.splitlines(keepends=True):
        if _SOURCE_LIST.match(line):
            skipping = True
        elif skipping and _HEADING.match(line):
            skipping = False
        if not skipping and not _SOURCE_LINE.match(line):
            kept.append(line)
    return "".join(kept)
