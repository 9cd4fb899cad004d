"""Numbers, dates and measures of texts, and whether those of one text bear out those of another.

Every quantity is an interval in the base unit of its dimension, so that what is written in other words, units or with
another precision can be compared: "about three million", "3,012,345", "26 miles" and "42 km", "March 1932" and "1932",
"over 5" and "7". Two quantities agree where their intervals meet. English above all; digits, units and the names of
months of German, French and Spanish too. Linear in the length of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from jina_components.grounder.amounts import AmountReader
from jina_components.grounder.dates import DAYS, YEAR
from jina_components.grounder.numerals import tokenize
from jina_components.grounder.units import INFINITY

_SLIGHT = 1e-9


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount or a time that a text names.

    Attributes:
        start, end: Where, in code points.
        dimension: What kind of amount: `number`, `ordinal`, `ratio`, `date` (days), `yearday` (a date without its
            year), `money:USD`, or that of a unit (`length`, `mass`, `temperature`, …).
        low, high: From … to, in the base unit; equal for an exact number, infinite for "over" and "under".
        counted: Terms of the words behind a number, of which one may say what is counted.
    """

    start: int
    end: int
    dimension: str
    low: float
    high: float
    counted: frozenset[str] = frozenset()

    def meets(self, other: Quantity) -> bool:
        """Whether both can be true of the same thing: they are of one dimension, and their intervals meet."""
        one, two = _alike(self, other)
        slack = _SLIGHT * max(1.0, *(abs(bound) for bound in (0.0, one.low, two.low) if abs(bound) < INFINITY))
        return one.dimension == two.dimension and one.low <= two.high + slack and two.low <= one.high + slack

    def is_comparable(self, other: Quantity) -> bool:
        """Whether they seem to be about the same: of one dimension, and numbers of the same things."""
        one, two = _alike(self, other)
        if one.dimension != two.dimension:
            return False
        return one.dimension != "number" or bool(self.counted & other.counted)


class Comparison(NamedTuple):
    """What a text says of the quantities of a claim.

    Attributes:
        confirmed: Those that it names too, each as it names it.
        contradicted: Those it names another amount for, each with that.
        unmentioned: The others.
    """

    confirmed: tuple[tuple[Quantity, Quantity], ...]
    contradicted: tuple[tuple[Quantity, Quantity], ...]
    unmentioned: tuple[Quantity, ...]


def compare(claim: Sequence[Quantity], evidence: Sequence[Quantity]) -> Comparison:
    """Hold each quantity of a claim against those of a text that is about the same."""
    confirmed, contradicted, unmentioned = [], [], []
    for one in claim:
        rivals = [other for other in evidence if one.is_comparable(other)]
        same = next((other for other in evidence if one.meets(other)), None)
        if same:
            confirmed.append((one, same))
        elif rivals:
            contradicted.append((one, rivals[0]))
        else:
            unmentioned.append(one)
    return Comparison(tuple(confirmed), tuple(contradicted), tuple(unmentioned))


def find_quantities(text: str) -> tuple[Quantity, ...]:
    """The quantities of a text in order; linear time for any text."""
    return tuple(
        Quantity(one.start, one.end, one.amount.dimension, one.amount.low, one.amount.high, one.counted)
        for one in AmountReader(tokenize(text)).read()
    )


def _alike(one: Quantity, two: Quantity) -> tuple[Quantity, Quantity]:
    """A day with its year loses it where the other has none."""
    if one.dimension == "yearday":
        return one, _without_year(two)
    return (_without_year(one), two) if two.dimension == "yearday" else (one, two)


def _without_year(date: Quantity) -> Quantity:
    if date.dimension != "date" or date.high - date.low >= DAYS:
        return date
    return replace(date, dimension="yearday", low=date.low % YEAR, high=date.high % YEAR)
