"""What stands in the sources word for word, and the stretches of a text that pretend to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from jina_components.core.locating import fold

_CLOSERS = {
    **{opening: tuple(closers) for opening, closers in {
        '"': '"”“', "“": "”“", "„": "“”\"", "‟": "”“", "«": "»", "»": "«", "‹": "›", "›": "‹", "「": "」", "『": "』",
        "＂": "＂", "〝": "〞〟", "❝": "❞", "‘": "’'", "‚": "‘’", "'": "'", "´": "´",
    }.items()},
    "``": ("''", '"'), "''": ("''",),
}  # fmt: skip
# Apostrophes too.
_SINGLE = frozenset(("‘", "’", "‚", "'", "´", "''"))
_QUOTE_MARK = re.compile(r"``|''|[\"“”„‟«»‹›「」『』＂〝〞〟❝❞‘’‚'´]")
_DENSE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_PER_WORD = 2  # characters of a script without spaces that make a word
QUOTED_WORDS = 4
"""As many words between quotation marks pretend to be somebody's own; fewer are a title, a name or irony."""
_ENDS = " \t\n.,;:!?…。，、！？"


def count_words(text: str) -> int:
    """How many words a text has, in any script."""
    dense = len(_DENSE.findall(text))
    return len(_WORD.findall(_DENSE.sub(" ", text))) + dense // _PER_WORD if dense else len(_WORD.findall(text))


class Verbatim:
    """Texts, of which it can be asked whether words stand in them."""

    def __init__(self) -> None:
        self._folded: list[str] = []
        self._joined: tuple[str, str, str] | None = None

    def add(self, text: str) -> None:
        """Take in a text."""
        self._folded.append(fold(text))
        self._joined = None

    def find(self, words: str) -> str | None:
        """The words as they stand in a text, or None.

        Capitals do not count, nor does a stop at their end, nor the kind of the quotation marks in them.
        """
        exact, alike, lowered = self._texts()
        wanted = fold(words).strip().replace('"', "'")
        part = wanted.strip(_ENDS)
        small = part.lower()
        for text, one in ((alike, wanted), (alike, part), (lowered, small if len(small) == len(part) else "")):
            if part and one and (place := text.find(one)) >= 0:
                return exact[place : place + len(one)]
        return None

    def _texts(self) -> tuple[str, str, str]:
        """All texts, with one kind of quotation marks, and in small letters; each character in the same place."""
        if self._joined is None:
            joined = "\n\0\n".join(self._folded)
            alike = joined.replace('"', "'")
            lowered = alike.lower()
            self._joined = joined, alike, lowered if len(lowered) == len(alike) else alike
        return self._joined


class Settled(NamedTuple):
    """A text whose quotations were looked up.

    Attributes:
        text: With the sources' own words between its quotation marks, and without marks that have no partner.
        quoted: Start and end of each quotation, its marks included, and whether it is one.
    """

    text: str
    quoted: tuple[tuple[int, int, bool], ...]


def settle_quotes(text: str, verbatim: Verbatim) -> Settled:
    """Look up the quotations of a paragraph."""
    pieces: list[str] = []
    quoted: list[tuple[int, int, bool]] = []
    place = length = 0

    def put(piece: str) -> None:
        nonlocal length
        pieces.append(piece)
        length += len(piece)

    for start, end, opening, closing in _quotations(text):
        put(text[place:start])
        place = end
        if not closing:  # a mark without a partner
            before, behind = text[max(start - 1, 0) : start], text[end : end + 1]
            # What it kept apart stays so: two parts of an address.
            put("″" if opening == '"' and before.isdigit() else " " if before.strip() and behind.strip() else "")
            continue
        inner = text[start + len(opening) : end - len(closing)]
        before, behind = inner[: len(inner) - len(inner.lstrip())], inner[len(inner.rstrip()) :]
        begin, found = length, inner
        if count_words(inner) >= QUOTED_WORDS:
            found = verbatim.find(inner) or ""
        stop = inner.rstrip()[-1:] if found and inner.rstrip().endswith(tuple(_ENDS)) else ""
        stop = "" if stop and found.endswith(stop) else stop
        put(f"{opening}{before}{_requoted(found, opening).strip() or inner.strip()}{behind}{closing}")
        quoted.append((begin, length, bool(found)))
        put(stop if found != inner else "")
    put(text[place:])
    return Settled("".join(pieces), tuple(quoted))


def _requoted(words: str, opening: str) -> str:
    """Words to stand between marks, which they must not hold themselves."""
    return words.replace('"', "'") if opening in ('"', "“", "„", "‟") else words


def is_invented(text: str, verbatim: Verbatim) -> bool:
    """Whether a quotation in a text is none."""
    return any(not is_known for _, _, is_known in settle_quotes(text, verbatim).quoted)


def _quotations(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Start, end, opening and closing mark of each quotation; and marks without a partner, whose closing is empty."""
    marks = [(match.start(), match[0]) for match in _QUOTE_MARK.finditer(text)]
    last = {mark: place for place, mark in marks if _may_close(text, place, mark)}
    opened: tuple[int, str] | None = None
    inner = 0  # quotations that were begun within it
    for place, mark in marks:
        if opened is None:
            if mark in _CLOSERS and _may_open(text, place, mark):
                if any(last.get(closer, -1) > place for closer in _CLOSERS[mark]):
                    opened, inner = (place, mark), 0
                elif mark not in _SINGLE:
                    yield place, place + len(mark), mark, ""
            elif mark not in _SINGLE:
                yield place, place + len(mark), mark, ""
        elif mark in _CLOSERS[opened[1]] and _may_close(text, place, mark):
            if inner and any(last.get(closer, -1) > place for closer in _CLOSERS[opened[1]]):
                inner -= 1
                continue
            yield opened[0], place + len(mark), opened[1], mark
            opened = None
        elif mark == opened[1] and mark not in _SINGLE:
            inner += 1


def _may_open(text: str, place: int, mark: str) -> bool:
    before, behind = text[max(place - 1, 0) : place], text[place + len(mark) : place + len(mark) + 1]
    if mark in _SINGLE:
        return (
            not (before.isalnum() or (before in _SINGLE and before))
            and bool(behind)
            and not behind.isspace()
            and not behind.isdigit()
        )
    return not (mark == '"' and before.isdigit() and not behind.isalnum())  # inches


def _may_close(text: str, place: int, mark: str) -> bool:
    """Whether a mark may end a quotation: most that do may begin one too, as the one within another does."""
    before, behind = text[max(place - 1, 0) : place], text[place + len(mark) : place + len(mark) + 1]
    if mark in _SINGLE:
        return bool(before) and not before.isspace() and not behind.isalnum()
    return mark not in _CLOSERS or not ((not before or before.isspace()) and behind.isalnum())
