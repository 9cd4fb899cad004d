"""What is measured of a claim beside a passage, for a logistic model to weigh (`weights`)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from jina_components.core.quotable import Span, quotable_spans
from jina_components.grounder.cues import Cues, opposed, read_cues
from jina_components.grounder.passages import Passage
from jina_components.grounder.quantities import Quantity, compare, find_quantities
from jina_components.grounder.units import INFINITY
from jina_components.types import Entailment

_SENTENCES = 2  # of a passage that are judged alone: those with the most words of the claim
_CAP = 5.0  # of log odds: what a model says beyond that, it says too boldly
_LEAST = 1e-4
_CLAUSES = re.compile(r"[,;:–—]\s|\b(?:but|and|while|whereas|although|though|however)\b", re.IGNORECASE)
_SAYS_MOST = 0.7  # share of the claim's terms beside another amount, which is not among them
_CONTRARY, _AGREEING = (0.0, 0.15), (0.75, 1.0)
_GAP = 2  # characters between neighbours
_AS_THEY_ARE = frozenset(("date", "yearday", "ordinal"))
_CONTEXT = 1000  # characters of passages that are read together: what fits the bundled model beside a claim
NAMES = (
    "whole",  # log odds of entailment over contradiction, of the passage under its title
    "bold",  # how decided the most decided of the readings is, for or against
    "open",  # log probability that the claim is left open, by the reading that leaves it the least
    "covered",  # share of the claim's terms that the passage or its title has
    "sentence_covered",  # … that one sentence has
    "confirmed",  # every quantity of the claim that is spoken of is there
    "contradicted",  # another amount is there for one of them
    "denial",  # one of claim and best sentence denies something, and the other nothing
    "opposite",  # a word of the claim has its opposite there
)
"""In the order of the vector."""


class Reading(NamedTuple):
    """A stretch of a passage that is judged alone.

    Attributes:
        span: Where it stands in the passage's text.
        premise: It, under the title that says what it is about.
        hypothesis: The claim, its measures as the premise has them: a model does not know how many metres a mile has.
    """

    span: Span
    premise: str
    hypothesis: str


class Subject(NamedTuple):
    """A claim, read once for all passages."""

    text: str
    cues: Cues
    quantities: tuple[Quantity, ...]


class Evidence(NamedTuple):
    """What was found of a passage.

    Attributes:
        vector: The features, in the order of `NAMES`.
        quote: The decisive sentence; or two neighbours, where it takes both.
        low, high: How probable it is at least and at most that the claim is true, if the passage settles it: what
            amounts and negations show, whatever a model makes of them.
    """

    vector: tuple[float, ...]
    quote: Span
    low: float
    high: float


def read_claim(claim: str) -> Subject:
    """What a claim says, for `readings` and `examine`."""
    return Subject(claim, read_cues(claim), find_quantities(claim))


def contexts(passages: Sequence[Passage]) -> list[str]:
    """For each passage the text that it is read in: with those of its source that touch it, if all is short enough.

    What takes several sentences is then read together, though none of the passages has them all.
    """
    found = [passage.text for passage in passages]
    order = sorted(range(len(passages)), key=lambda number: (passages[number].url, passages[number].start))
    runs: list[tuple[list[int], str]] = []
    for number in order:
        passage = passages[number]
        if runs:
            numbers, text = runs[-1]
            first = passages[numbers[0]]
            behind = passage.start - first.start - len(text)  # negative where they overlap
            if passage.url == first.url and behind <= _GAP:
                runs[-1] = ([*numbers, number], text + " " * behind + passage.text[max(-behind, 0) :])
                continue
        runs.append(([number], passage.text))
    for numbers, text in runs:
        if len(text) <= _CONTEXT:
            for number in numbers:
                found[number] = text
    return found


def readings(claim: Subject, passage: Passage, context: str = "") -> list[Reading]:
    """What is judged: the passage in its context, and its sentences with the most words of the claim.

    Args:
        claim: The claim.
        passage: The passage.
        context: What it is read in, see `contexts`; empty for the passage alone.
    """
    text = passage.text
    spans = quotable_spans(text) or [Span(0, len(text))]
    about = _about(passage)
    found = [(_share(claim.cues.content, read_cues(text[start:end]).content), -start) for start, end in spans]
    best = sorted(range(len(spans)), key=lambda number: found[number], reverse=True)[:_SENTENCES]
    whole = Span(spans[0].start, spans[-1].end)
    read = [_reading(claim, whole, about + (context or text[slice(*whole)]))]
    return read + [_reading(claim, spans[number], about + text[slice(*spans[number])]) for number in best]


def examine(claim: Subject, read: Sequence[Reading], outcomes: Sequence[Entailment]) -> Evidence:
    """The features of a claim beside a passage.

    Args:
        claim: The claim.
        read: Readings of the passage.
        outcomes: What the entailment model made of each.
    """
    odds = [_odds(outcome) for outcome in outcomes]
    whole, best = read_cues(read[0].premise), read_cues(read[1].premise)
    comparison = compare(claim.quantities, find_quantities(read[0].premise))
    vector = (
        odds[0],
        max(map(abs, odds)),
        min(math.log(max(outcome.neutral, _LEAST)) for outcome in outcomes),
        _share(claim.cues.content, whole.content),
        _share(claim.cues.content, best.content),
        float(bool(comparison.confirmed) and not comparison.contradicted),
        float(bool(comparison.contradicted)),
        float(claim.cues.is_denial != best.is_denial),
        float(opposed(claim.cues, best) is not None),
    )
    return Evidence(vector, _quote(claim, read, odds), *_bounds(claim, read))


def differences(claim: str, quote: str) -> str:
    """In what a claim and a quote against it differ, in words for people; empty where that cannot be told."""
    found = compare(find_quantities(claim), find_quantities(quote)).contradicted
    if found:
        one, other = found[0]
        return f"{claim[one.start : one.end]} in the claim, {quote[other.start : other.end]} in the source"
    said, there = read_cues(claim), read_cues(quote)
    words = opposed(said, there)
    if words:
        return f"{words[0]} in the claim, {words[1]} in the source"
    return "one of claim and source denies what the other says" if said.is_denial != there.is_denial else ""


def _bounds(claim: Subject, read: Sequence[Reading]) -> tuple[float, float]:
    """What the sentence nearest to a claim shows by its amounts and negations, if it says all that the claim says.

    A small model takes "it does not run" for "it runs", and the price of one thing for that of another.
    """
    sought = [term for term in claim.cues.content if not term[0].isdigit()]
    nearest = max(read[1:], key=lambda part: _said(sought, part.premise))
    share = _said(sought, nearest.premise)
    held = compare(claim.quantities, find_quantities(nearest.premise))
    if held.contradicted and share >= _SAYS_MOST:
        return _CONTRARY
    clause = read_cues(
        max(
            _CLAUSES.split(nearest.premise[nearest.span.start - nearest.span.end :]),
            key=lambda clause: _said(sought, clause),
        )
    )
    if clause.is_denial != claim.cues.is_denial and share == 1:
        return _CONTRARY
    agrees = held.confirmed and share == 1 and not opposed(claim.cues, clause)
    return _AGREEING if agrees else (0.0, 1.0)


def _said(sought: Sequence[str], text: str) -> float:
    """Share of terms that a text has, in any inflection that shows at the end."""
    there = read_cues(text).content
    return sum(any(_is_alike(one, other) for other in there) for one in sought) / len(sought) if sought else 0.0


def _is_alike(one: str, other: str) -> bool:
    shorter = min(len(one), len(other))
    length = shorter if shorter < 5 else shorter - 1
    return one == other or (shorter > 2 and one[:length] == other[:length])


def _quote(claim: Subject, read: Sequence[Reading], odds: Sequence[float]) -> Span:
    """The sentence that shows most.

    That is one with another amount than the claim's; else one that says alone what all says, and not much less clearly,
    be it with an amount of the claim's; else two neighbours, or the nearest.
    """
    held = [compare(claim.quantities, find_quantities(part.premise)) for part in read]
    differing = next((part for part, found in zip(read[1:], held[1:], strict=True) if found.contradicted), None)
    if differing:
        return differing.span
    saying = [
        number for number in range(1, len(odds)) if odds[number] * odds[0] > 0 and abs(odds[number]) >= abs(odds[0]) / 2
    ]
    if saying:
        return read[max(saying, key=lambda number: (bool(held[number].confirmed), abs(odds[number])))].span
    first, last = min(part.span for part in read[1:]), max(part.span for part in read[1:])
    return Span(first.start, last.end) if last.start - first.end <= _GAP else read[1].span


def _reading(claim: Subject, span: Span, premise: str) -> Reading:
    """The claim beside a premise; what has another unit or spelling there is said as it is there.

    Not dates, which a model reads, nor "over" and "under", which would mean something else then.
    """
    hypothesis = claim.text
    for one, other in reversed(compare(claim.quantities, find_quantities(premise)).confirmed):
        if one.dimension not in _AS_THEY_ARE and one.low > -INFINITY and one.high < INFINITY:
            hypothesis = hypothesis[: one.start] + premise[other.start : other.end] + hypothesis[one.end :]
    return Reading(span, premise, hypothesis)


def _about(passage: Passage) -> str:
    title = passage.title.strip()
    return f"{title}: " if title else ""


def _odds(outcome: Entailment) -> float:
    odds = math.log(max(outcome.entailment, _LEAST) / max(outcome.contradiction, _LEAST))
    return min(max(odds, -_CAP), _CAP)


def _share(wanted: frozenset[str], there: frozenset[str]) -> float:
    return len(wanted & there) / len(wanted) if wanted else 1.0
