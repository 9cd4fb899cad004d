"""Pieces of text that the typesetter broke into one: words hyphenated over a line end become whole."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from jina_components.reader.pdf.words import SOFT_HYPHEN, Word

_CJK = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
_COMPOUND = re.compile(r"[^\W\d_]++(?:-[^\W\d_]++)+")
_LAST_WORD = re.compile(r"[^\W\d_]+$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_HYPHENS = ("-", "\u2010")
_LONGEST_WORD = 50


def compounds_of(texts: Iterable[str]) -> set[str]:
    """The words that have a hyphen within a line, in lower case."""
    return {word.lower() for text in texts if "-" in text for word in _COMPOUND.findall(text)}


def join(before: str, after: str, compounds: Collection[str] = ()) -> str:
    """One text of two that a line end parts; a hyphen stays where the document has it elsewhere within a line."""
    if is_hyphenated(before):
        return _whole(before[:-1], after, compounds)
    if _CJK.match(before[-1:]) and _CJK.match(after):
        return before + after
    return f"{before} {after}"


def is_hyphenated(text: str) -> bool:
    """Whether a hyphen after a letter ends the text."""
    return text[-1:] == SOFT_HYPHEN or (text[-1:] in _HYPHENS and text[-2:-1].isalpha())


def _whole(before: str, after: str, compounds: Collection[str]) -> str:
    last, first = _LAST_WORD.search(before[-_LONGEST_WORD:]), _FIRST_WORD.match(after)
    if not last or not first:
        return f"{before}-{after}"
    kept = f"{last[0]}-{first[0]}".lower() in compounds or not first[0][0].islower()
    return f"{before}-{after}" if kept else before + after


def joined(words: Sequence[Word]) -> str:
    """The words of a cell as one text."""
    text = ""
    for word in words:
        if not text:
            text = word.text
        elif text.endswith(SOFT_HYPHEN):
            text = join(text, word.text)
        else:
            text += f" {word.text}"
    return text.replace(SOFT_HYPHEN, "-") if SOFT_HYPHEN in text else text
