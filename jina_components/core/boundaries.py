"""Where running text may be cut: sentences, lines, clauses, words, and last of all graphemes.

Each finder yields, in ascending order, the places `p` with `low < p <= high` at which a next piece may begin;
white space stays with the piece before. All take linear time: no pattern begins anew inside a run on which
it has failed. Sentences and graphemes follow Unicode Standard Annex #29, with abbreviations on top.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import TypeAlias

Finder: TypeAlias = Callable[[str, int, int], Iterator[int]]

_NOTE = r"(?:\[\d{1,3}\])*+"
_SENTENCE = re.compile(
    # What closes a quote in one language opens it in another: “ in German, « in Danish.
    r"""(?<![.!?…])(?P<stop>[.!?…]++)["'”’“‘»«›‹)\]}*_~`]*+(?:[ \u00a0\u202f]»(?=\s))?+"""
    rf"{_NOTE}\s++"
    # Stops that have no other meaning, most of them without a space behind.
    r"""|[。！？｡‼⁇⁈⁉։؟۔।॥။።፧፨។៕᠃᠉꓿꘎]++(?P<closers>["'”’»›)\]}*_~`」』】》〉）］｝]*+"""
    rf"{_NOTE})\s*+"
)
_GAP = re.compile(r"\n[ \t\r]*+\n")
_CLAUSE = re.compile(r"""[,;:—–)\]”»]["'*_`]*+\s++|[、，；：،؛၊・]\s*+""")
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(
    r"\s++"
    rf"|(?<=[{_HAN}\u3001-\u3003\u3040-\u30ff])(?=[{_HAN}])"
    r"|(?<=[\u3040-\u309f])(?=[\u30a1-\u30fa])"  # from hiragana to katakana
)
_PART = re.compile(r"[\W_](?=[^\W_])")
_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))

# In lower case without the last stop. Single letters and dotted groups (U.S., z.B.) are told by their form.
_ABBREVIATIONS = frozenset(
    """
    mr mrs ms mx dr prof sr jr st mt ft gen col lt capt cmdr sgt cpl rev hon gov sen rep pres supt messrs
    mme mlle fig figs eq eqs sec secs ch chap vol vols ed eds pp para no nos nr op cit al cf viz vs ca approx
    est dept univ inc ltd co corp bros ave blvd rd hwy lit trans ref refs resp incl excl
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri
    abb bd bzw evtl geb ggf hrsg inkl sog str tel usw vgl zzgl allg bspw etwa
    av env etc hab mgr num pág págs sra srta ud uds vd dra exmo sig sigg dott ing avv bijv blz mevr dhr
    г гг ул им руб коп см рис табл стр тыс млн млрд проф акад др
    """.split()  # noqa: SIM905 (so many are easier to read and sort as text)
)
_DOTTED = re.compile(r"[^\W\d_]|(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,3}")
_LONGEST_ABBREVIATION = 24


def sentences(text: str, low: int, high: int) -> Iterator[int]:
    """Beginnings of sentences. In doubt there is none: a false one costs more than a missed one."""
    for match in _SENTENCE.finditer(text, low, high):
        if _ends_sentence(text, match):
            yield match.end()


def lines(text: str, low: int, high: int) -> Iterator[int]:
    """Beginnings of lines."""
    position = text.find("\n", low, high) + 1
    while position:
        yield position
        position = text.find("\n", position, high) + 1


def gaps(text: str, low: int, high: int) -> Iterator[int]:
    """Beginnings of lines behind an empty line."""
    return (match.end() for match in _GAP.finditer(text, low, high))


def clauses(text: str, low: int, high: int) -> Iterator[int]:
    """Places behind commas, colons, dashes and closing brackets."""
    return (match.end() for match in _CLAUSE.finditer(text, low, high))


def words(text: str, low: int, high: int) -> Iterator[int]:
    """Beginnings of words; in Chinese and Japanese, most places where a line may be broken."""
    return (match.end() for match in _WORD.finditer(text, low, high) if match.end() > low)


def parts(text: str, low: int, high: int) -> Iterator[int]:
    """Places behind punctuation inside words: of paths, URLs, identifiers, minified code."""
    return (match.end() for match in _PART.finditer(text, low, high))


def last_grapheme(text: str, low: int, high: int) -> int:
    """The last place in `(low, high]` that parts no user-perceived character; `high` where there is none."""
    position = high
    while position > low and joins(text, low, position):
        position -= 1
    return position if position > low else high


def joins(text: str, low: int, position: int) -> bool:
    """Whether a cut at `position` parts a user-perceived character that begins at or after `low`."""
    if position >= len(text):
        return False
    before, after = text[position - 1], text[position]
    if after < "\u0300" or before in "\r\n":
        return before == "\r" and after == "\n"
    if before == "\u200d" or after in "\u200d\uff9e\uff9f" or "\U0001f3fb" <= after <= "\U0001f3ff":
        return True
    if after in _FLAG_LETTERS:  # two of them make a flag
        run = text[low:position]
        return (len(run) - len(run.rstrip(_FLAG_LETTERS))) % 2 == 1
    if "\u1160" <= after <= "\u11ff":  # vowels and finals of Hangul
        return "\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3"
    if "\udc00" <= after <= "\udfff":
        return "\ud800" <= before <= "\udbff"
    return unicodedata.category(after)[0] == "M" or "\U000e0020" <= after <= "\U000e007f"


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    following = text[match.end() : match.end() + 1]
    if match["stop"] is None:  # not in 「はい。」と言った
        return not (match["closers"] and following.isalnum() and match.end() == match.end("closers"))
    if following.islower():
        return False
    if match["stop"] != ".":
        return True
    before = text[max(match.start() - _LONGEST_ABBREVIATION, 0) : match.start()].split()
    return not before or not _is_abbreviation(before[-1].lstrip("([{\"'“‘«*_").lower())


def _is_abbreviation(word: str) -> bool:
    """Also initials, ordinals and the numbers of list items, whose stops tell as little."""
    is_short_number = word.isdigit() and len(word) <= 2
    return is_short_number or word in _ABBREVIATIONS or bool(_DOTTED.fullmatch(word))
