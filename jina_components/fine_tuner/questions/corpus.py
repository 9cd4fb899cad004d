"""How words and sentences are spread over the texts of a corpus."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from jina_components.core.boundaries import sentences
from jina_components.fine_tuner.questions.languages import DETERMINERS

# Scripts without spaces between words: katakana, and Chinese characters but for those that are mostly function words.
_KATAKANA, _HAN = "\u30a1-\u30ff", "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_FUNCTION = "的是在了与这那我你他她它们就都很从将被把或而之于吗呢吧着其"
_LETTER = rf"[^\W_\u3040-\u30ff{_HAN}]"
WORD = re.compile(rf"{_LETTER}+(?:['’.+#-]*{_LETTER}+)*|[{_KATAKANA}]+|(?:(?![{_FUNCTION}])[{_HAN}])+")
_BEFORE = re.compile(rf"([^\W_]+) (?:{'|'.join(sorted(DETERMINERS))})\b")
_LINE = re.compile(r"\n\s*")
# A word is taken for a verb if, of this many occurrences at least, this share stands right before an article.
_FEWEST, _SHARE = 4, 0.12
# Texts that have a sentence, from which on it tells nothing of any of them.
_COMMON = 3


class Span(NamedTuple):
    """A stretch of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The text there."""
        return text[self.start : self.end]


def sentence_spans(text: str) -> Iterator[Span]:
    """The sentences of a text in order; a line ends one too."""
    edges = {0, *sentences(text, 0, len(text)), *(line.end() for line in _LINE.finditer(text)), len(text)}
    for start, end in pairwise(sorted(edges)):
        if not text[start:end].isspace():
            yield Span(start, start + len(text[start:end].rstrip()))


class Corpus:
    """Document frequencies of words and sentences, and the words that what follows them shows to be verbs.

    Args:
        texts: The documents, or passages; each is read once.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._size = 0
        self._frequency: Counter[str] = Counter()
        self._count: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._said: Counter[int] = Counter()
        for text in texts:
            found = WORD.findall(text.lower())
            self._size += 1
            self._frequency.update(set(found))
            self._count.update(found)
            self._before.update(_BEFORE.findall(text.lower()))
            self._said.update({_digest(span.of(text)) for span in sentence_spans(text)})

    def idf(self, word: str) -> float:
        """ln((N + 1) / (df + 0.5)): high for a word of few texts, never below 0."""
        return self._idf(self._frequency[word.lower()])

    def _idf(self, frequency: int) -> float:
        return max(math.log((self._size + 1) / (frequency + 0.5)), 0.0)

    @property
    def rarest(self) -> float:
        """Idf of a word of a single text."""
        return self._idf(1)

    def is_verb(self, word: str) -> bool:
        """Whether what follows it often begins with an article, as after verbs: "causes a", "provides the"."""
        word = word.lower()
        return self._count[word] >= _FEWEST and self._before[word] >= _SHARE * self._count[word]

    def is_common(self, sentence: str) -> bool:
        """Whether several texts have this sentence."""
        return self._said[_digest(sentence)] >= _COMMON


def _digest(sentence: str) -> int:
    # Within one process: nothing of it is kept, and a collision costs a question.
    return hash(sentence.lower())
