"""Numbers as they are written: tokens of a text, digits with separators, number words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from jina_components.grounder.units import CURRENCIES, MAGNITUDES, MONTHS, ONES, ORDINALS, TENS

_ALONE = "¹²³¼½¾⅐-⅞"  # no part of a word
_LONGEST = 40  # digits and separators of a number; what is longer is none

# Possessive throughout: no pattern begins anew inside what it has read.
_TOKEN = re.compile(
    r"(?P<iso>\d{4}-\d{2}-\d{2})(?!\d)"
    r"|(?P<dated>\d{1,2}(?P<mark>[./])\d{1,2}(?P=mark)\d{4})(?!\d)"
    r"|(?P<power>10(?:\^[-−+]?\d{1,2}(?!\d)|[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,2}))"
    r"|(?P<fraction>\d{1,3}[/⁄]\d{1,3})(?![\d/])"
    r"|(?P<number>\d{1,3}(?:[ \u00a0\u202f\u2009]\d{3}(?!\d))++(?:[.,]\d++)?+|\d++(?:[.,'’]\d++)*+)"
    rf"|(?P<word>[^\W\d_{_ALONE}]++(?:['’][^\W\d_{_ALONE}]++)*+)"
    r"|(?P<sign>[^\s])"
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?")
_POINTED = re.compile(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}\.\d{3},\d+")
_QUOTED = re.compile(r"\d{1,3}(?:['’]\d{3})+(?:[.,]\d+)?")
_SPACES = str.maketrans("", "", " \u00a0\u202f\u2009")
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--", "^+⁺")


class Token(NamedTuple):
    """A piece of a text: `text[start:end]`, of which `low` is the form to look up."""

    kind: str
    low: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """Numbers, words and other signs, without white space; linear time."""
    return [
        Token(str(found.lastgroup if found.lastgroup != "mark" else "dated"), found[0].casefold(), *found.span())
        for found in _TOKEN.finditer(text)
    ]


_COMPOUND = frozenset(("mid", "pre", "post", "early", "late", "sub", "over", "under", "to", "and", "or"))


class Cursor:
    """Looks at the tokens of a text.

    Args:
        tokens: The tokens.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens

    def _low(self, at: int) -> str:
        return self._tokens[at].low if 0 <= at < len(self._tokens) else ""

    def _touches(self, at: int) -> bool:
        """Whether no white space stands before a token."""
        return 0 < at < len(self._tokens) and self._tokens[at - 1].end == self._tokens[at].start

    def _is_part_of_name(self, at: int) -> bool:
        """COVID-19, H1N1, IL-6."""
        if not self._touches(at) or self._tokens[at].kind not in ("number", "fraction"):
            return False
        before = self._tokens[at - 1]
        if before.kind == "word":
            return before.low not in CURRENCIES
        return (
            before.low == "-"
            and self._touches(at - 1)
            and self._tokens[at - 2].kind == "word"
            and self._low(at - 2) not in _COMPOUND
            and self._low(at - 2) not in MONTHS
        )


class Numeral(NamedTuple):
    """A number that was read.

    Attributes:
        value: The number.
        step: Size of the last digit that was written: 100,000 of "3.2 million".
        next: Position of the token behind it.
        is_ordinal: "third", "21st".
        is_scaled: A magnitude was written ("million"), so that it may be rounded.
    """

    value: float
    step: float
    next: int
    is_ordinal: bool = False
    is_scaled: bool = False


def literal(text: str) -> tuple[float, float] | None:
    """Value and step of digits; None for what is no number, as a version or an address.

    A comma or a stop before exactly three digits groups thousands if it is a comma, or is repeated, or a comma
    follows; else it is a decimal mark: 1,234.5 and 1.234,5 and 1,5 and 12,50,000 and 1'234.
    """
    if len(text) > _LONGEST:
        return None
    plain = text.translate(_SPACES)
    if _QUOTED.fullmatch(plain):
        plain = re.sub("['’]", "", plain)
    elif "'" in plain or "’" in plain:  # 6'2 is feet and inches
        return None
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    elif _POINTED.fullmatch(plain):
        plain = plain.replace(".", "").replace(",", ".")
    else:
        plain = plain.replace(",", ".")
    if plain.count(".") > 1:
        return None
    decimals = len(plain.partition(".")[2])
    return float(plain), 10.0**-decimals


def numeral(tokens: Sequence[Token], at: int) -> Numeral | None:
    """The number that begins at a token, with the magnitudes behind it; None where none does."""
    token = tokens[at]
    found: Numeral | None = None
    if token.kind == "number":
        found = _digits(tokens, at)
    elif token.kind == "power":  # 10⁶
        return Numeral(_power(token), 0.0, at + 1)
    elif token.kind == "fraction":
        return _written_fraction(token, at)
    else:
        return _vulgar(token, at) or _words(tokens, at)
    return found and _scaled(tokens, found)


def _digits(tokens: Sequence[Token], at: int) -> Numeral | None:
    read = literal(tokens[at].low)
    if read is None:
        return None
    if _low(tokens, at + 1) in ("×", "x", "*") and at + 2 < len(tokens) and tokens[at + 2].kind == "power":
        factor = _power(tokens[at + 2])
        return Numeral(read[0] * factor, read[1] * factor, at + 3, is_scaled=True)
    if at + 1 < len(tokens) and tokens[at + 1].start == tokens[at].end:
        behind = tokens[at + 1]
        if behind.low in ("st", "nd", "rd", "th"):
            return Numeral(*read, at + 2, is_ordinal=True)
        if part := _vulgar(behind, at + 1):  # 2½
            return Numeral(read[0] + part.value, part.step, at + 2)
    if read[1] == 1 and (part := _fraction_behind(tokens, at + 1)):  # 2 1/2
        return part._replace(value=read[0] + part.value)
    return Numeral(*read, at + 1)


def _fraction_behind(tokens: Sequence[Token], at: int) -> Numeral | None:
    """1/2, "and a half" behind a number."""
    if at < len(tokens) and tokens[at].kind == "fraction":
        part = _written_fraction(tokens[at], at)
        return part if part and part.value < 1 else None
    if [_low(tokens, place) for place in range(at, at + 3)] == ["and", "a", "half"]:
        return Numeral(0.5, 0.1, at + 3)
    return None


def _power(token: Token) -> float:
    return 10.0 ** int(token.low[2:].translate(_RAISED))


def _written_fraction(token: Token, at: int) -> Numeral | None:
    above, _, below = token.low.replace("⁄", "/").partition("/")
    return Numeral(int(above) / int(below), 0.0, at + 1) if int(below) else None


def _vulgar(token: Token, at: int) -> Numeral | None:
    """½, and letters that are numbers, such as Ⅻ; not ², nor ②."""
    value = unicodedata.numeric(token.low, None) if len(token.low) == 1 else None
    if value is None or value < 0:
        return None
    is_number = unicodedata.category(token.low) == "Nl" or unicodedata.decomposition(token.low).startswith("<fraction>")
    return Numeral(value, 0.0, at + 1) if is_number else None


def _scaled(tokens: Sequence[Token], found: Numeral) -> Numeral:
    while found.next < len(tokens) and not found.is_ordinal:
        word = tokens[found.next].low.rstrip(".")
        factor = 100.0 if word == "hundred" else MAGNITUDES.get(word)
        touching = tokens[found.next].start == tokens[found.next - 1].end
        if factor is None or (word in ("k", "万", "萬", "億", "亿") and not touching) or found.value * factor > 1e18:
            break
        found = Numeral(found.value * factor, found.step * factor, found.next + 1, is_scaled=True)
        if found.next < len(tokens) and tokens[found.next].low == "." and word in ("mio", "mrd", "tsd"):
            found = found._replace(next=found.next + 1)
    return found


def _words(tokens: Sequence[Token], at: int) -> Numeral | None:
    """Number words: "twenty-one thousand three hundred and five", "a hundred", "twenty-first"."""
    found = _below_thousand(tokens, at)
    if found is None or found.is_ordinal:
        return found
    if half := _fraction_behind(tokens, found.next):  # "two and a half million"
        found = half._replace(value=found.value + half.value)
    total, limit, step, scaled = 0.0, float("inf"), found.step, False
    while True:
        factor = MAGNITUDES.get(_low(tokens, found.next), 0.0)
        if not 1e3 <= factor < limit:
            return Numeral(total + found.value, step if found.value == 0 else found.step, found.next, is_scaled=scaled)
        total, limit, place = total + found.value * factor, factor, found.next + 1
        step = factor * found.step
        further = _below_thousand(tokens, place + (_low(tokens, place) == "and"))
        # In "two million and one", but not in "two million and one third".
        if further is None or further.is_ordinal or _low(tokens, further.next) in ORDINALS:
            return Numeral(total, step, place, is_scaled=True)
        found, scaled = further, False


def _below_thousand(tokens: Sequence[Token], at: int) -> Numeral | None:
    is_a = _low(tokens, at) == "a"
    found = Numeral(1.0, 1.0, at + 1) if is_a else _below_hundred(tokens, at)
    if found is None or found.is_ordinal:
        return found
    if _low(tokens, found.next) == "dozen":
        return found._replace(value=found.value * 12, next=found.next + 1)
    if _low(tokens, found.next) != "hundred":
        return None if is_a and MAGNITUDES.get(_low(tokens, found.next), 0.0) < 1e3 else found
    place = found.next + 1
    rest = _below_hundred(tokens, place + (_low(tokens, place) == "and"))
    if rest is None:
        return Numeral(found.value * 100, 10.0, place)
    return rest._replace(value=found.value * 100 + rest.value)


def _below_hundred(tokens: Sequence[Token], at: int) -> Numeral | None:
    word = _low(tokens, at)
    if word in ORDINALS:
        return Numeral(ORDINALS[word], 1.0, at + 1, is_ordinal=True)
    if word in ONES:
        return Numeral(ONES[word], 1.0, at + 1)
    if word not in TENS:
        return None
    place = at + 1 + (_low(tokens, at + 1) == "-")
    ahead = _low(tokens, place)
    if 0 < ONES.get(ahead, 0) < 10:
        return Numeral(TENS[word] + ONES[ahead], 1.0, place + 1)
    if ORDINALS.get(ahead, 10) < 10:
        return Numeral(TENS[word] + ORDINALS[ahead], 1.0, place + 1, is_ordinal=True)
    return Numeral(TENS[word], 1.0, at + 1)


def _low(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].low if at < len(tokens) else ""
