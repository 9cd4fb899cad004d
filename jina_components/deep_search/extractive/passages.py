"""What of passages is compared with a question and with each other: their words and titles."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from jina_components.core.overlap import terms
from jina_components.deep_search.extractive.words import names
from jina_components.types import Document

# Words of names that a follow-up query takes from a passage.
_NAMES = 24
# A first line up to this many characters is a title; a title of fewer is too common to tell anything by.
_TITLE, _SHORT = 100, 3
_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_IN_BRACKETS = re.compile(r"\([^()]*\)")


class Passages:
    """The passages that were found for a question.

    Args:
        question: The question.
    """

    def __init__(self, question: str) -> None:
        self._asked = frozenset(terms(question))
        self._question = _plain(question)
        self._words: dict[str, frozenset[str]] = {}
        self._titles: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._frequency: Counter[str] = Counter()

    def add(self, documents: Iterable[Document]) -> None:
        """Take in passages; those that are known count once."""
        for document in documents:
            if document.id in self._words:
                continue
            title = title_of(document)
            self._words[document.id] = frozenset(terms(f"{title}\n{document.text}"))
            self._frequency.update(self._words[document.id] & self._asked)
            self._titles[document.id] = _plain(_IN_BRACKETS.sub(" ", title))
            self._texts[document.id] = _plain(document.text)

    def covers(self, one: str) -> float:
        """How much of the question a passage has the words of, the rare ones counting most, 0 to 1."""
        return self._share(self._asked & self._words[one])

    def adds(self, one: str, others: Sequence[str]) -> float:
        """How much of the question it covers that none of the others does, 0 to 1."""
        open_words = self._asked.difference(*(self._words[other] for other in others))
        return self._share(open_words & self._words[one])

    def asked_by_name(self, one: str) -> bool:
        """Whether the question holds the passage's title."""
        return self._names(self._question, one)

    def named_in(self, one: str, other: str) -> bool:
        """Whether the other passage holds its title."""
        return self._names(self._texts[other], one)

    def _names(self, text: str, one: str) -> bool:
        title = self._titles[one]
        return len(title.strip()) >= _SHORT and title in text

    def _share(self, words: Iterable[str]) -> float:
        total = math.fsum(map(self._rarity, self._asked))
        return math.fsum(map(self._rarity, words)) / total if total else 0.0

    def _rarity(self, word: str) -> float:
        count, total = self._frequency[word], len(self._words)
        return math.log(1 + (total - count + 0.5) / (count + 0.5))


def follow_up(question: str, texts: Sequence[str]) -> str:
    """What to ask next after passages that lead from one to the other: what is open, and what the last one names.

    That is the question's words that none of them has, and of the last one the names (`words.names`) that
    stand neither in the question nor in those before; in scripts that have no small letters, its first words. Empty
    where it names nothing new.
    """
    seen = frozenset(terms("\n".join(texts)))
    known = frozenset(terms("\n".join([question, *texts[:-1]])))
    fresh = list(dict.fromkeys(word for word in names(texts[-1]) if not known.issuperset(terms(word))))[:_NAMES]
    left = [word for word in _WORD.findall(question) if not seen.issuperset(terms(word))]
    return " ".join([*left, *fresh]) if fresh else ""


def title_of(document: Document) -> str:
    """The title in its metadata, or a short first line, or nothing."""
    title = document.metadata.get("title")
    if isinstance(title, str) and title:
        return title
    first, _, rest = document.text.partition("\n")
    return first if rest.strip() and len(first) <= _TITLE else ""


def _plain(text: str) -> str:
    """Its words in lower case, a space around each, so that whole words are found in it."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "
