"""Backslashes before what CommonMark or GFM would read as markup, and before nothing else."""

from __future__ import annotations

import re
import unicodedata

from jina_components.reader.markdown import marks as m
from jina_components.reader.markdown.style import Style

_SPECIAL = re.compile(r"[\\`<&\[\]!*_~]")
_WITHIN_LINE = re.compile(
    r"\\(?=[!-/:-@\[-`{-~" + m.SENTINELS + r"])"  # a backslash that would escape
    r"|`"
    r"|<(?=[A-Za-z/!?])"  # a tag or autolink
    r"|&(?=#?\w{1,31};)"  # a character reference
    r"|(?<!" + m.ESCAPE + r")\[(?=\^)"  # a footnote
    r"|(?<!" + m.ESCAPE + r")\](?=[(\[])"  # the text of a link
    r"|!(?=[" + m.LINK_OPENS + m.ATOM + r"])"  # a link that would become an image
)
_BRACKET = re.compile(f"(?<!{m.ESCAPE})\\[")
_AFTER_LINK = re.compile(f"(?<={m.ATOM})(?=[(:])")  # where `[text]` would become another link, or a definition
_AT_START = re.compile(
    r"^(?=#{1,6}(?:[ \n]|$)|>|[-+](?:[ \n]|$)|\*[ \n]|\*$|~~~|[-=_*|:][-=_*|: ]*$|\[[ xX]\] |\[[^\]\n]{0,999}\]:)"
    r"|^(\d{1,9})(?=[.)](?:[ \n]|$))",
    re.MULTILINE,
)
_RUNS = {char: re.compile(re.escape(char) + "+") for char in "*_~"}


def escape(line: str, style: Style, *, at_start: bool = True) -> str:
    """`line`, which may hold sentinels, with `marks.ESCAPE` where a backslash must stand.

    Args:
        line: A paragraph, or a part of one.
        style: How to write.
        at_start: Whether it will begin a line, so that `1.` or `#` would begin a block.
    """
    if _SPECIAL.search(line):
        line = _WITHIN_LINE.sub(m.ESCAPE + r"\g<0>", line)
        if style.referenced:
            line = _BRACKET.sub(m.ESCAPE + "[", line)
        for char in "*_~" if style.gfm else "*_":
            if char in line:
                line = _escape_delimiters(line, char, style)
    if style.referenced:
        line = _AFTER_LINK.sub(m.ESCAPE, line)
    return _AT_START.sub(r"\1" + m.ESCAPE, line) if at_start else line


def escape_start(text: str) -> str:
    """A finished line that is to begin a block after all, with a backslash if it would begin another."""
    return _AT_START.sub(r"\1\\", text)


def escape_heading(text: str) -> str:
    """The text of an ATX heading, whose last `#` would close it."""
    return re.sub(r"(?:(?<= )|^)(?=#+$)", r"\\", text)


def is_punctuation(char: str) -> bool:
    """Whether CommonMark counts it as punctuation; markup, which sentinels stand for, is."""
    return unicodedata.category(char)[0] in "PS" or "\ufdd0" <= char <= "\ufdef"


def _escape_delimiters(line: str, char: str, style: Style) -> str:
    """Escape the runs of `char` if one of them could open emphasis that another closes."""
    runs = [
        (found.start(), found.end(), *_sides(line, found.start(), found.end())) for found in _RUNS[char].finditer(line)
    ]
    signs = ((m.EMPHASIS_OPENS, style.emphasis), (m.STRONG_OPENS, style.strong), (m.STRIKE_OPENS, "~~"))
    marked = any(char in delimiter and sentinel in line for sentinel, delimiter in signs)
    first_opening = next((index for index, run in enumerate(runs) if run[2]), len(runs))
    if not marked and not any(run[3] for run in runs[first_opening + 1 :]):
        return line
    out: list[str] = []
    at = 0
    for start, end, opens, closes in runs:
        out.append(line[at:start])
        out.append((m.ESCAPE + char) * (end - start) if opens or closes else line[start:end])
        at = end
    return "".join(out) + line[at:]


def _sides(line: str, start: int, end: int) -> tuple[bool, bool]:
    """Whether a run of delimiters can open and can close emphasis (CommonMark 0.31, section 6.2)."""
    before = line[start - 1] if start else " "
    after = line[end] if end < len(line) else " "
    left = not after.isspace() and (not is_punctuation(after) or before.isspace() or is_punctuation(before))
    right = not before.isspace() and (not is_punctuation(before) or after.isspace() or is_punctuation(after))
    if line[start] != "_":
        return left, right
    return left and (not right or is_punctuation(before)), right and (not left or is_punctuation(after))
