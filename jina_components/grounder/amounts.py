"""Numbers, dates and measures read off a text, each as an interval in the base unit of its dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from jina_components.core.overlap import terms
from jina_components.grounder.dates import FIRST_YEAR, LAST_YEAR, YEAR, Amount, DateReader, years
from jina_components.grounder.numerals import Numeral, numeral
from jina_components.grounder.units import (
    CUBED,
    CURRENCIES,
    CURRENCY_SIGNS,
    DATED_HEDGES,
    FRACTIONS,
    HEDGES,
    INFINITY,
    LONGEST_HEDGE,
    MAGNITUDES,
    PER_HOUR,
    PER_SECOND,
    SHORT_MAGNITUDES,
    SQUARED,
    UNITS,
    VAGUE,
    Hedge,
    Unit,
)

_NOUNS = 3  # words behind a number that may say what is counted
_DASHES = frozenset("-–—−‒~～")
_NOT_NOUNS = frozenset(
    ("a", "an", "and", "are", "as", "at", "be", "been", "by", "for", "from", "had", "has", "have", "in", "is", "it",
     "its", "less", "more", "of", "on", "or", "over", "per", "than", "that", "the", "this", "to", "under", "was",
     "were", "which", "who", "with")
)  # fmt: skip
_ONE_IS_NO_NUMBER = frozenset(("of", "another", "day", "who", "can", "should", "must", "that", "or", "such"))
_BEFORE_ONE = frozenset(("no", "any", "every", "each", "some", "the", "this", "that", "which", "only", "number"))


_ABOUT = frozenset({("about",), ("around",), ("circa",), ("c",), ("ca",), ("approximately",)})
_BEHIND = {
    ("or", "more"): Hedge(above=True), ("or", "less"): Hedge(below=True), ("or", "fewer"): Hedge(below=True),
    ("or", "so"): Hedge(spread=0.1), ("and", "over"): Hedge(above=True),
}  # fmt: skip


class Found(NamedTuple):
    """An amount with what is said about it.

    Attributes:
        amount: From … to as a comparison word widens it.
        start, end: Where it stands, in code points.
        counted: Terms of the words behind a number, of which one may say what is counted.
    """

    amount: Amount
    start: int
    end: int
    counted: frozenset[str]


class AmountReader(DateReader):
    """Reads quantities off tokens from left to right, each token a bounded number of times."""

    def read(self) -> Iterator[Found]:
        """The amounts and dates, in order."""
        at = 0
        while at < len(self._tokens):
            amount = self._date(at) or self._amount(at)
            if amount is None:
                at += 1
                continue
            amount = self._ranged(amount)
            yield self._found(amount)
            at = amount.next

    # Amounts

    def _amount(self, at: int) -> Amount | None:
        if self._is_part_of_name(at):
            return None
        found = self._fraction(at) or numeral(self._tokens, at)
        if found is None:
            return self._vague(at)
        if self._low(at) == "one" and found.next == at + 1 and self._is_pronoun(at):
            return None
        if found.is_ordinal:
            return self._ordinal(found, at)
        return self._money(found, at) or self._share(found, at) or self._measure(found, at)

    def _is_pronoun(self, at: int) -> bool:
        behind = self._low(at + 1)
        return behind in _ONE_IS_NO_NUMBER or self._low(at - 1) in _BEFORE_ONE or not behind[:1].isalpha()

    def _ordinal(self, found: Numeral, at: int) -> Amount | None:
        if self._low(found.next) in ("century", "jahrhundert") or (
            self._low(found.next) == "-" and self._low(found.next + 1) == "century"
        ):
            last = int(found.value) * 100
            place = found.next + 1 + (self._low(found.next) == "-")
            is_before_christ = self._low(place) in ("bc", "bce")
            first = -last if is_before_christ else last - 100
            return years(first, first + 100, at, place + is_before_christ)
        is_word_second = self._low(at) == "second" and self._low(at - 1) not in ("the", "his", "her", "its", "their")
        return None if is_word_second else Amount("ordinal", found.value, found.value, at, found.next)

    def _fraction(self, at: int) -> Numeral | None:
        """Two thirds, half, a quarter of; half a million."""
        word, behind = self._low(at), self._low(at + 1)
        if word == "half" and behind == "a" and MAGNITUDES.get(self._low(at + 2), 0) >= 1e3:
            factor = MAGNITUDES[self._low(at + 2)]
            return Numeral(factor / 2, factor / 10, at + 3, is_scaled=True)
        if [word, behind, self._low(at + 2)] == ["half", "a", "dozen"]:
            return Numeral(6.0, 1.0, at + 3)
        return None

    def _share(self, found: Numeral | None, at: int) -> Amount | None:
        """Percentages, two thirds, 1 in 5, 3/4."""
        if found is None:
            return None
        place = found.next + (self._low(found.next) == "-")
        part = FRACTIONS.get(self._low(place))
        if part and found.value < 1 / part and self._low(place) not in ("second", "seconds"):
            value = found.value * part
            return Amount("ratio", value * 0.985, value * 1.015, at, place + 1)
        if self._low(found.next) in ("in", "out") and found.step == 1 and not found.is_scaled:
            place = found.next + 1 + (self._low(found.next + 1) == "of" and self._low(found.next) == "out")
            of = numeral(self._tokens, place) if place < len(self._tokens) else None
            if of and found.value < of.value and (of.is_scaled or not FIRST_YEAR <= of.value < LAST_YEAR):
                return Amount("ratio", found.value / of.value * 0.985, found.value / of.value * 1.015, at, of.next)
        if 0 < found.value < 1 and found.step == 0:
            return Amount("ratio", found.value * 0.985, found.value * 1.015, at, found.next)
        return None

    def _vague(self, at: int) -> Amount | None:
        word = self._low(at)
        if word in VAGUE and (word not in ("couple", "pair") or self._low(at - 1) == "a"):
            factor = MAGNITUDES.get(self._low(at + 2), 0.0) if self._low(at + 1) == "of" else 0.0
            low, high = VAGUE[word]
            if factor >= 1e3:  # tens of thousands
                return Amount("number", low * factor, high * factor, at, at + 3, is_measured=False)
            return Amount("number", low, high, at, at + 1, is_measured=False)
        if word in ("half", "quarter") and (self._low(at + 1) == "of" or self._low(at + 1) in ("the", "its", "all")):
            return Amount("ratio", FRACTIONS[word] * 0.985, FRACTIONS[word] * 1.015, at, at + 1)
        return None

    def _money(self, found: Numeral, at: int) -> Amount | None:
        sign = self._low(at - 1)
        code = CURRENCIES.get(sign) if sign in CURRENCY_SIGNS or self._low(at - 1) in CURRENCIES else None
        place = found.next
        if code:
            factor = SHORT_MAGNITUDES.get(self._low(place)) if not found.is_scaled else None
            if factor:
                found = Numeral(found.value * factor, found.step * factor, place + 1, is_scaled=True)
        else:
            place += self._low(place) == "us"
            code = CURRENCIES.get(self._low(place))
            found = found._replace(next=place + 1) if code else found
        if code is None or (code == "GBP" and self._low(at - 1) != "£" and self._low(place) == "pounds"):
            return None
        return _measured(f"money:{code}", found, Unit("money"), at, found.next)

    def _measure(self, found: Numeral, at: int) -> Amount:
        negative = self._low(at - 1) in ("-", "−") and self._touches(at) and not self._touches(at - 1)
        unit, place = self._unit(found.next)
        if negative:
            found = found._replace(value=-found.value)
        if unit is None:
            spread = found.step / 2 if found.is_scaled or found.step < 1 else 0.0
            low, high = found.value - spread, found.value + spread
            return Amount("number", low, high, at, found.next, is_measured=False, said=found.value)
        return self._and_smaller(found, unit, at, place) or _measured(unit.dimension, found, unit, at, place)

    def _and_smaller(self, found: Numeral, unit: Unit, at: int, place: int) -> Amount | None:
        """5 feet 10 inches, 2 hours and 30 minutes."""
        place += self._low(place) == "and"
        rest = numeral(self._tokens, place) if place < len(self._tokens) else None
        smaller, behind = self._unit(rest.next) if rest else (None, place)
        if rest is None or smaller is None or smaller.dimension != unit.dimension or unit.offset:
            return None
        share = smaller.factor / unit.factor
        if rest.is_ordinal or share >= 1 or rest.value * share > 1:
            return None
        whole = found._replace(value=found.value + rest.value * share, step=rest.step * share)
        return _measured(unit.dimension, whole, unit, at, behind)

    def _unit(self, at: int) -> tuple[Unit | None, int]:
        """The unit that begins at a token, and the token behind it."""
        place = at + (self._low(at) == "-")
        word, behind = self._low(place), self._low(place + 1)
        if word in ("square", "sq", "cubic", "cu"):
            place += 1 + (behind == ".")
            unit = (SQUARED if word[0] == "s" else CUBED).get(self._low(place))
            return (unit, place + 1) if unit else (None, at)
        if word in ("°", "degree", "degrees"):
            named = UNITS.get(behind) if word != "°" else None
            unit = named or UNITS.get(f"°{behind[:1]}")
            return (unit, place + 2) if unit and unit.dimension == "temperature" else (None, at)
        if behind in ("²", "³") and self._touches(place + 1) and word in SQUARED:
            return (SQUARED if behind == "²" else CUBED)[word], place + 2
        if behind in ("/", "per", "an") and word in PER_HOUR and self._low(place + 2) in ("h", "hour", "s", "second"):
            return (PER_HOUR if self._low(place + 2)[0] == "h" else PER_SECOND)[word], place + 3
        unit = UNITS.get(word)
        return (unit, place + 1) if unit else (None, at)

    # What stands around

    def _ranged(self, amount: Amount) -> Amount:
        """3–5 km, between 3 and 5, from 1914 to 1918."""
        joint, begin = self._low(amount.next), self._low(amount.begin - 1)
        is_range = joint in _DASHES or joint == "to" or (joint in ("and", "bis") and begin == "between")
        if not is_range or amount.next + 1 >= len(self._tokens):
            return amount
        place = amount.next + 1
        short = self._short_year(amount, place)
        if short is not None or (joint == "-" and self._tokens[place].kind == "word"):
            return short or amount
        to = self._date(place) or self._amount(place)
        if to is None:
            return amount
        if amount.dimension.startswith("money:") and to.dimension == "number":
            to = to._replace(dimension=amount.dimension, is_measured=True)
        elif to.dimension != amount.dimension and amount.dimension == "number" and to.is_measured:
            amount = self._in_unit_of(amount, to)
        amount = self._scaled_as(amount, to)
        if to.dimension != amount.dimension or to.high < amount.low:
            return amount
        return to._replace(low=amount.low, begin=amount.begin, said=None)

    def _short_year(self, amount: Amount, at: int) -> Amount | None:
        """1914–18."""
        last = self._low(at)
        if amount.dimension != "date" or amount.next != amount.begin + 1 or len(last) != 2 or not last.isdecimal():
            return None
        century = int(amount.low // YEAR) // 100 * 100
        to = years(century + int(last), century + int(last), amount.begin, at + 1)
        return to._replace(low=amount.low) if to.low > amount.low else None

    def _in_unit_of(self, amount: Amount, to: Amount) -> Amount:
        """The 3 of "3 to 5 km" is in kilometres."""
        unit, _ = self._unit(to.next - 1)
        if unit is None or unit.dimension != to.dimension:
            return amount
        low, high = (value * unit.factor + unit.offset for value in (amount.low, amount.high))
        return amount._replace(dimension=unit.dimension, low=low, high=high, is_measured=True)

    def _scaled_as(self, amount: Amount, to: Amount) -> Amount:
        """The 3 of "3 to 5 million" is in millions."""
        for place in range(amount.begin, amount.next):
            if self._low(place) in MAGNITUDES:
                return amount
        factor = math.prod(MAGNITUDES.get(self._low(place), 1.0) for place in range(amount.next + 1, to.next))
        is_scaled = factor > 1 and amount.low * factor <= to.high
        return amount._replace(low=amount.low * factor, high=amount.high * factor) if is_scaled else amount

    def _found(self, amount: Amount) -> Found:
        low, high = _hedged(amount, self._hedge(amount))
        start, end = self._tokens[amount.begin].start, self._tokens[amount.next - 1].end
        counted = self._counted(amount.next) if amount.dimension == "number" else frozenset()
        return Found(amount._replace(low=low, high=high), start, end, counted)

    def _hedge(self, amount: Amount) -> Hedge:
        """The comparison before an amount, its currency sign left out; or "or more" behind it."""
        is_date = amount.dimension in ("date", "yearday")
        end = amount.begin - (self._low(amount.begin - 1) in CURRENCIES)
        for length in range(LONGEST_HEDGE, 0, -1):
            words = tuple(self._low(place) for place in range(end - length, end))
            if words in HEDGES and (words in DATED_HEDGES | _ABOUT if is_date else words not in DATED_HEDGES):
                return HEDGES[words]
        for place in range(amount.next, amount.next + _NOUNS):
            behind = self._low(place), self._low(place + 1)
            if behind in _BEHIND:
                return _BEHIND[behind]
        return Hedge(above=self._low(amount.next) == "+")

    def _counted(self, at: int) -> frozenset[str]:
        words: list[str] = []
        for token in self._tokens[at : at + 2 * _NOUNS]:
            if token.kind != "word" and token.low != "-":
                break
            if token.kind == "word" and token.low not in _NOT_NOUNS:
                words += terms(token.low)
            elif words:
                break
        return frozenset(words[:_NOUNS])


def _hedged(amount: Amount, hedge: Hedge) -> tuple[float, float]:
    low, high = amount.low, amount.high
    if hedge.spread:
        is_date = amount.dimension in ("date", "yearday")
        slack = 5.0 * YEAR if is_date else hedge.spread * max(abs(low), abs(high))
        return low - slack, high + slack
    if amount.said is not None and (hedge.above or hedge.below):  # what is over 5 km need not be over 5.5
        low = high = amount.said
    if hedge.above:
        return (low if hedge.included else _beyond(amount, high)), INFINITY
    if hedge.below:
        return -INFINITY, (high if hedge.included else -_beyond(amount, -low))
    return low, high


def _beyond(amount: Amount, bound: float) -> float:
    """The least that is over a bound: counts and days are whole."""
    if amount.dimension in ("number", "ordinal", "date", "yearday") and abs(bound) < 1e15 and bound == int(bound):
        return bound + 1
    return bound + abs(bound) * 1e-6


def _measured(dimension: str, found: Numeral, unit: Unit, begin: int, behind: int) -> Amount:
    spread = found.step / 2
    low, high = ((found.value + sign * spread) * unit.factor + unit.offset for sign in (-1, 1))
    # Rounded values of one unit that are neighbours must not meet.
    slight = (high - low) * 1e-3
    said = found.value * unit.factor + unit.offset
    return Amount(dimension, low + slight, high - slight, begin, behind, said=said)
