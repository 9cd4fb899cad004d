"""What to search for, to find what speaks for a claim and against it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jina_components.core.overlap import terms

_NEGATION = re.compile(r"\b(?:(?:is|are|was|were|do|does|did|has|have|had)n['’]t|not|never)\b ?", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_NUMBER = re.compile(r"\b\d[\d.,:/-]*(?:st|nd|rd|th|s|%)?\b")
_FEW = 2
_LONGEST = 300


def plan_queries(claim: str, *, limit: int, web: bool) -> list[str]:
    """Up to so many different queries for a claim, the claim itself first.

    Its names come next, without the numbers and dates, which what refutes it has other; and behind that, of a negated
    claim what it denies, and of others a query as those who doubt it ask.

    Args:
        claim: The claim.
        limit: How many at most.
        web: Whether a web search is asked, for whose engines the last kind is of use.
    """
    plain = " ".join(claim.split()).rstrip(".!。")
    affirmed = _NEGATION.sub("", plain)
    doubted = [affirmed] if affirmed != plain else [f"fact check: {plain}"] if web else []
    return distinct([plain, _names(affirmed), *doubted], limit)


def distinct(queries: Iterable[str], limit: int) -> list[str]:
    """The first so many queries that differ in more than order, case and endings."""
    kept: dict[frozenset[str], str] = {}
    for query in queries:
        text = " ".join(query.split())[:_LONGEST]
        if text and (known := frozenset(terms(text))):
            kept.setdefault(known, text)
    return list(kept.values())[:limit]


def _names(claim: str) -> str:
    """The words of a claim that begin with a capital, or if these are few all of them; without numbers."""
    without = _NUMBER.sub(" ", claim)
    words = _WORD.findall(without)
    names = [word for word in words if len(word) > 1 and word[0].isupper()]
    return " ".join(names) if len(names) >= _FEW else " ".join(words)
