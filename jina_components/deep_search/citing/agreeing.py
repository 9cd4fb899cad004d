"""Whether a sentence and a quote say the same of the same things, as far as rules can tell.

Models of entailment let roles, dates and contraries pass where most of the words are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from jina_components.core.overlap import terms
from jina_components.deep_search.citing.figures import Number, find_names, find_numbers
from jina_components.deep_search.citing.verbatim import count_words

_NEGATIONS = frozenset(
    terms(
        "not no never neither nor none nobody nothing without cannot nicht kein keine keinen nichts nie niemals ohne"
        " jamais sans aucun nunca jamás ningún sin mai senza не нет никогда без"
    )
)
_ALSO_DENYING = re.compile(r"n['’]t\b|\bfree (?:of|from)\b", re.IGNORECASE)
# One side and the other.
_CONTRARIES = [
    (frozenset(terms(left)), frozenset(terms(right)))
    for left, right in (
        ("allowed allows allow permitted permits permit legal", "forbidden forbids forbid prohibited banned illegal"),
        ("open opens opened", "closed closes close shut"),
        ("increase increased increases rose risen rise grew", "decrease decreased decreases fell fallen fall shrank"),
        ("more larger bigger higher longer older", "less fewer smaller lower shorter younger"),
        ("before earlier", "after later"),
        ("won wins win", "lost loses lose"),
        ("accepted accepts accept approved approves", "rejected rejects reject refused refuses"),
        ("possible able safe required mandatory", "impossible unable unsafe optional"),
        ("true minimum first north eastern", "false maximum last south western"),
        ("erlaubt erlauben gestattet zulässig", "verboten verbieten untersagt unzulässig"),
        ("offen öffnet geöffnet", "geschlossen schließt"),
        ("steigt stieg gestiegen wuchs", "sinkt sank gesunken fiel"),
        ("mehr größer höher länger älter", "weniger kleiner niedriger kürzer jünger"),
        ("vor früher", "nach später"),
        ("gewann gewonnen", "verlor verloren"),
        ("angenommen genehmigt", "abgelehnt verweigert"),
        ("nördlich", "südlich"),
        ("allowed free voluntary", "must required compulsory"),
        ("built rebuilt opened founded erected", "demolished destroyed torn closed"),
        ("gebaut errichtet eröffnet betrieb", "abgerissen zerstört geschlossen"),
        ("born geboren", "died gestorben starb"),
    )
]
_JOINT = re.compile(
    r"[,;:]?\s+(?:and|while|whereas|but|und|während|aber|et|mais|y|pero)\s+|[;:,]\s+(?!\d)", re.IGNORECASE
)
# What has one of these may say something by itself.
_SAYING = re.compile(
    r"\d|\b(?:is|are|was|were|has|have|had|won|ist|sind|war|waren|hat|wurden?|[^\W\d_]{2,}ed)\b", re.IGNORECASE
)
_CLAUSE = 3  # words of the shortest
_ELLIPSIS = 5  # as many words or fewer leave out what the clause before has: "crane B 40 tonnes"
_LETTER = re.compile(r"(?<=[^\W\d_][ \t])[A-Z](?![\w.])")
# Begins a clause whose subject is that of the clause before it.
_ELIDED = re.compile(r"(?:is|are|was|were|has|have|had|ist|sind|war|hat|wurden?|[a-zäöü]{3,}(?:ed|s))\b")
_SUBJECT, _SHORT, _STEM = 3, 3, 5
_UNIT = re.compile(r"[^\W\d_]{3,}$")
_YEARS = (1000, 2100)


def contradicts(says: str, quoted: str) -> bool:
    """Whether one of two texts denies what the other says; contraries count as a denial."""
    return (_denies(says) != _denies(quoted)) != has_contrary(says, quoted)


def has_contrary(says: str, quoted: str) -> bool:
    """Whether two texts have words that mean the contrary of each other."""
    ours, theirs = set(terms(says)), set(terms(quoted))
    return any(
        _is_sided(ours, one, other) and _is_sided(theirs, other, one)
        for left, right in _CONTRARIES
        for one, other in ((left, right), (right, left))
    )


def _is_sided(words: set[str], one: frozenset[str], other: frozenset[str]) -> bool:
    return not words.isdisjoint(one) and words.isdisjoint(other)


def _denies(text: str) -> bool:
    """Whether a text denies something; what is denied twice is not."""
    found = sum(term in _NEGATIONS for term in terms(text)) + len(_ALSO_DENYING.findall(text))
    return found % 2 == 1


def clauses(says: str) -> list[str]:
    """The parts of a sentence that each say something, those without a name by the sentence's first; or itself."""
    parts = _parts(says)
    if len(parts) < 2 or not all(_SAYING.search(part) for part in parts):
        return [says]
    subject = next(find_names(says), "")
    return [part if any(find_names(f"- {part}")) or not subject else f"{subject} {part}" for part in parts]


def _parts(text: str) -> list[str]:
    """The text at its joints; what is too short stays with the next part, or else the last."""
    parts: list[str] = []
    start = 0
    for joint in _JOINT.finditer(text):
        if count_words(text[start : joint.start()]) >= _CLAUSE and count_words(text[joint.end() :]) >= _CLAUSE:
            parts.append(text[start : joint.start()].strip())
            start = joint.end()
    return [*parts, text[start:].strip()]


def tells_of_another(says: str, quoted: str) -> bool:
    """Whether a number of a sentence stands in a quote beside something else.

    So it is where the quote has another number of the same kind, and only beside that a word of the sentence:
    "repaired on 3 March" of "it broke down on 3 March and was repaired on 19 March".
    """
    theirs = list(_numbered(quoted))
    everywhere = set[tuple[str, float]]().union(*(one.numbers for one in theirs))
    kinds = {kind for kind, _ in everywhere}
    for ours in _numbered(says):
        for kind, value in ours.numbers:
            if kind in kinds and (kind, value) not in everywhere and any(value == one for _, one in everywhere):
                return True
            homes = [one for one in theirs if (kind, value) in one.numbers]
            rivals = [one for one in theirs if one not in homes and any(kind == other for other, _ in one.numbers)]
            at_home = set[str]().union(*(one.words | one.implied for one in homes))
            if homes and any(ours.words & one.words - at_home for one in rivals):
                return True
    return False


class _Clause(NamedTuple):
    """The numbers of a clause, with what they count; its words; and those that it leaves out after another."""

    numbers: set[tuple[str, float]]
    words: set[str]
    implied: set[str]


def _numbered(text: str) -> Iterator[_Clause]:
    """The clauses that have numbers."""
    before = subject = set[str]()
    for part in _parts(text):
        words = _words(part)
        implied = subject if _ELIDED.match(part) else before if count_words(part) <= _ELLIPSIS else set[str]()
        if not _ELIDED.match(part):
            subject = _words(" ".join(part.split()[:_SUBJECT]))
        before = words
        numbers = {(kind, one.values[0]) for one in find_numbers(part) if (kind := _kind(one))}
        if numbers:
            yield _Clause(numbers, words, implied)


def _words(text: str) -> set[str]:
    plain = {term[:_STEM] for term in terms(text) if len(term) > _SHORT and not term[:1].isdigit()}
    return plain | set(_LETTER.findall(text))


def _kind(number: Number) -> str:
    """What a number counts; empty where it counts nothing."""
    if _YEARS[0] <= number.values[0] < _YEARS[1] and number.written[:4].isdigit():
        return "year"
    unit = _UNIT.search(number.written)
    return next(terms(unit[0]), "").rstrip("s") if unit else ""
