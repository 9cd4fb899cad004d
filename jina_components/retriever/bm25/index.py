"""BM25 over documents that come and go."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from jina_components.errors import ConfigError, InputError
from jina_components.retriever.bm25.analysis import Analyzer
from jina_components.retriever.bm25.files import load, save
from jina_components.retriever.bm25.ranking import rank
from jina_components.retriever.bm25.segment import Segment, build, merge, renumber
from jina_components.retriever.bm25.statistics import Statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Longs: TypeAlias = NDArray[np.int64]
    Mask: TypeAlias = NDArray[np.bool_]

# Terms of texts that are turned round at once: few enough for the caches of a processor, and for memory.
_BATCH = 1 << 20
# A segment is merged with the one before unless that is larger by this factor.
_GROWTH = 4
_MOST_SLOTS = _MOST_TERMS = 2**31 - 1


class Vocabulary(dict[str, int]):
    """Numbers of terms, from 0 on. It only grows; the indexes that come from one another share it."""

    def __init__(self, terms: Sequence[str] = ()) -> None:
        super().__init__(zip(terms, range(len(terms)), strict=True))
        self.lock = threading.Lock()

    def __missing__(self, term: str) -> int:
        number = self[term] = len(self)
        return number

    def number(self, texts: Sequence[list[str]]) -> NDArray[np.int32]:
        """Numbers of all terms of the texts; new ones get the next."""
        with self.lock:
            found = np.fromiter(map(self.__getitem__, chain.from_iterable(texts)), np.int64)
        if len(self) > _MOST_TERMS:
            raise InputError(f"an index holds {_MOST_TERMS:,} different terms at most.")
        return found.astype(np.int32)

    def listed(self) -> list[str]:
        """Terms by number."""
        return list(self)  # in one step, so without the lock, which a fork might find held


class BM25Index:
    """BM25 (Robertson & Zaragoza 2009) with Lucene's idf, ln(1 + (N - df + 0.5) / (df + 0.5)), and exact lengths.

    A value: adding and deleting give a new index, which shares what it can with the old one. Scores are always those
    of the documents held, as if no other had ever been there. Any number of threads may search one.

    Postings are kept in segments whose sizes fall by a factor of 4 at least, as log-structured merge trees do (O'Neil
    et al. 1996): adding a document costs what merging it a few times does, however many there are.
    """

    def __init__(
        self, segments: Sequence[Segment], vocabulary: Vocabulary, analyzer: Analyzer, *, k1: float, b: float
    ) -> None:
        self.segments = tuple(segments)
        self.vocabulary = vocabulary
        self.analyzer, self.k1, self.b = analyzer, k1, b
        self._statistics: Statistics | None = None

    @classmethod
    def empty(cls, analyzer: Analyzer = Analyzer(), *, k1: float = 0.9, b: float = 0.4) -> BM25Index:  # noqa: B008 - a frozen value
        """An index of nothing.

        Args:
            analyzer: How texts and queries become terms.
            k1: How fast repeated terms stop counting, at least 0.
            b: How much long documents are held back, 0 to 1.

        Raises:
            ConfigError: `k1` or `b` is out of its range.
        """
        if not (math.isfinite(k1) and k1 >= 0 and 0 <= b <= 1):
            raise ConfigError(f"BM25 takes k1 >= 0 and b within 0 and 1, got k1={k1!r}, b={b!r}.")
        return cls((), Vocabulary(), analyzer, k1=k1, b=b)

    def __len__(self) -> int:
        return sum(int(np.count_nonzero(segment.held)) for segment in self.segments)

    @property
    def end(self) -> int:
        """The slot after the last one that it ever held; new ones start here or later."""
        return self.segments[-1].end if self.segments else 0

    def with_added(self, slots: Longs, texts: Sequence[str]) -> BM25Index:
        """With these texts too.

        Args:
            slots: A slot for each, ascending, from `end` on.
            texts: The texts; one without any term is held and never found.

        Raises:
            InputError: slots that do not ascend or are not as many as the texts, or one of 2^31 - 1 or more.
        """
        slots = np.asarray(slots, np.int64)
        if len(slots) != len(texts):
            raise InputError(f"{len(texts)} texts need as many slots, got {len(slots)}.")
        if not len(slots):
            return self
        if slots[0] < self.end or (np.diff(slots) <= 0).any() or slots[-1] >= _MOST_SLOTS:
            raise InputError(f"Slots must ascend from {self.end} on and stay below {_MOST_SLOTS:,}.")
        made = list(self._built(slots, texts))
        return self._with((*self.segments, merge(made) if len(made) > 1 else made[0]))

    def _built(self, slots: Longs, texts: Sequence[str]) -> Iterator[Segment]:
        batch: list[list[str]] = []
        size = done = 0
        for place, text in enumerate(texts, start=1):
            batch.append(self.analyzer.terms(text))
            size += len(batch[-1])
            if size >= _BATCH or place == len(texts):
                sizes = np.fromiter(map(len, batch), np.int64, len(batch))
                yield build(slots[done:place], sizes, self.vocabulary.number(batch))
                batch, size, done = [], 0, place

    def without(self, slots: Longs) -> BM25Index:
        """Without these slots; those that it does not hold are no matter.

        Their postings stay, and count for nothing, until their segment is merged.
        """
        slots = np.asarray(slots, np.int64)
        return self._with([segment.without(slots) for segment in self.segments], tidy=False)

    def compacted(self, new_slots: Longs) -> BM25Index:
        """With other slots, as one segment, and without what was deleted and its terms.

        Args:
            new_slots: For each old slot the new one, ascending, or -1 for one that goes.

        Raises:
            InputError: a slot that is held has no new one, or they do not ascend.
        """
        new_slots = np.asarray(new_slots, np.int64)
        if len(new_slots) < self.end:
            raise InputError(f"{self.end} slots need as many new ones, got {len(new_slots)}.")
        remaining = self.without(np.flatnonzero(new_slots[: self.end] < 0))
        if not len(remaining):
            return BM25Index.empty(self.analyzer, k1=self.k1, b=self.b)
        whole = merge(remaining.segments)
        targets = new_slots[whole.first : whole.end]
        if (np.diff(targets[whole.held]) <= 0).any() or targets.max() >= _MOST_SLOTS:
            raise InputError(f"New slots must ascend and stay below {_MOST_SLOTS:,}.")
        names = self.vocabulary.listed()
        vocabulary = Vocabulary([names[number] for number in whole.terms])
        whole = replace(renumber(whole, targets), terms=np.arange(len(whole.terms), dtype=np.int32))
        return BM25Index((whole,), vocabulary, self.analyzer, k1=self.k1, b=self.b)

    def _with(self, segments: Sequence[Segment], *, tidy: bool = True) -> BM25Index:
        kept = list(segments)
        while tidy and len(kept) > 1 and kept[-2].size < _GROWTH * kept[-1].size:
            kept[-2:] = [merge(kept[-2:])]
        return BM25Index(kept, self.vocabulary, self.analyzer, k1=self.k1, b=self.b)

    def search(self, query: str, k: int, allowed: Mask | None = None) -> list[tuple[int, float]]:
        """The `k` best (slot, score), best first, equal scores by slot; only slots that share a term with the query.

        Args:
            query: Terms to look for; a repeated one counts again.
            k: How many.
            allowed: For each slot up to `end`, or further, whether to choose it; None for all.

        Raises:
            InputError: `allowed` ends before the slots do.
        """
        if allowed is not None and len(allowed) < self.end:
            raise InputError(f"A mask over {self.end} slots is needed, got {len(allowed)}.")
        statistics = self._current()
        counted = Counter(self.analyzer.terms(query)).items()
        numbers = ((self.vocabulary.get(term), count) for term, count in counted)
        found = [(number, count) for number, count in numbers if number is not None]
        terms = statistics.terms(found)
        if not terms or k <= 0:
            return []
        slots, scores = rank(terms, statistics, k, allowed)
        return list(zip(slots.tolist(), scores.tolist(), strict=True))

    def save(self, folder: Path) -> None:
        """Write it into a folder, which is made; the caller sees to atomicity.

        Raises:
            IndexFilesError: the folder cannot be written to.
        """
        parameters = {"k1": self.k1, "b": self.b}
        save(folder, self.analyzer, parameters, self.vocabulary.listed(), self.segments)

    @classmethod
    def load(cls, folder: Path, *, mapped: bool = True) -> BM25Index:
        """An index that was saved.

        Args:
            folder: Where.
            mapped: Read postings from the files when they are needed, rather than now.

        Raises:
            IndexFilesError: a file is missing, of another version, or the files do not fit together.
        """
        settings, names, segments = load(folder, mapped=mapped)
        return cls(segments, Vocabulary(names), settings["analyzer"], k1=settings["k1"], b=settings["b"])

    def _current(self) -> Statistics:
        # Threads that come at once compute the same.
        if self._statistics is None:
            self._statistics = Statistics(self.segments, self.k1, self.b)
        return self._statistics
