"""How much texts have in common with a query by their words, the rare ones counting most."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

# Scripts that part no words by spaces: there, two neighbouring characters make a term.
_DENSE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_TERM = re.compile(rf"(?P<dense>[{_DENSE}]+)|(?P<number>\d+(?:[.,]\d+)*)|[^\W\d_{_DENSE}]+")
# Words are compared by so many letters: a rough stem, in any language.
_STEM = 6
_K1, _B = 1.2, 0.75


def terms(text: str) -> Iterator[str]:
    """The terms of a text, in order: words and numbers, in lower case and cut to their first letters."""
    for match in _TERM.finditer(unicodedata.normalize("NFKC", text).casefold()):
        found = match[0]
        if match["dense"]:
            yield from map("".join, pairwise(found)) if len(found) > 1 else found
        else:
            yield found if match["number"] else found[:_STEM]


class Overlap:
    """Scores texts by BM25 over themselves, with rough stems.

    For some thousand texts of a moment; an index that lasts is `retriever.bm25`.

    Args:
        texts: The texts.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._postings: dict[str, list[tuple[int, int]]] = {}
        self._lengths: list[int] = []
        for number, text in enumerate(texts):
            counts = Counter(terms(text))
            self._lengths.append(counts.total())
            for term, count in counts.items():
                self._postings.setdefault(term, []).append((number, count))

    def scores(self, query: str) -> list[float]:
        """One for each text: 0 where it shares no term with the query, and the higher the more and the rarer."""
        total = len(self._lengths)
        mean = max(sum(self._lengths) / total, 1) if total else 1
        scores = [0.0] * total
        for term in set(terms(query)):
            postings = self._postings.get(term, ())
            weight = math.log(1 + (total - len(postings) + 0.5) / (len(postings) + 0.5))
            for number, count in postings:
                norm = _K1 * (1 - _B + _B * self._lengths[number] / mean)
                scores[number] += weight * count * (_K1 + 1) / (count + norm)
        return scores
