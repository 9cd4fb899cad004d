"""Finding documents by late interaction: an immutable value, of which adding gives another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core.arrays import save_array
from jina_components.core.vectors import top_indices
from jina_components.errors import IndexFilesError, InputError
from jina_components.retriever.multi_vector.centroids import (
    Lists,
    approximate,
    make_lists,
    num_centroids,
    train_centroids,
)
from jina_components.retriever.multi_vector.tokens import max_sims, token_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

_EXACT_TOKENS = 1 << 16  # compared with a query in any case, in some 8 ms: all there are, or the most promising
_TRAIN_TOKENS = 1 << 17
_TAIL_TOKENS = 1 << 13  # compared with every query before they are put into the lists, which is slow for few at a time
_LEAST_CANDIDATES = 200
_CANDIDATES = 8  # for each result, at the least
_GROWTH = 2  # of the number of centroids that there should be, so of the tokens its square
_PART_RATIO = 2

_OFFSETS, _COVERED = "offsets.npy", "covered.npy"
_CENTROIDS, _STARTS, _SLOTS = "centroids.npy", "starts.npy", "slots.npy"


@dataclass(frozen=True, slots=True, eq=False)
class MultiVectorIndex:
    """Where the token vectors of documents lie in their file, and from 131,072 of them on which documents are where.

    Below that every query is compared with all documents. Above, `rebuilt` gives an index that compares it with those
    that promise most by their centroids: with as many as have 65,536 vectors together, but at least 200, and 8 for
    each result; and with those added last. The scores are exact MaxSim in both cases. Documents have slots, from 0 in
    the order they were added; one without vectors is never found. Safe to search from several threads.

    On SciFact (as in `tokens`; milliseconds of one core a query, share of the exact top 10 and top 100 found):

        documents                      all compared   pruned   top 10   top 100
        5,183 of 112 vectors                     76       13    99.9%     98.7%
        20,721 of 28 vectors                     85       17    99.9%     98.8%

    Attributes:
        offsets: Where each slot's vectors begin in the file, and where the last one's end.
        centroids: Shape [number, dimensions]; none before the first `rebuilt`.
        parts: Lists of different documents, of earlier ones first.
        covered: How many slots these lists are about.
    """

    offsets: NDArray[np.int64]
    centroids: FloatArray
    parts: tuple[Lists, ...] = ()
    covered: int = 0

    @classmethod
    def empty(cls) -> MultiVectorIndex:
        """The index of no documents."""
        return cls(np.zeros(1, np.int64), np.zeros((0, 0), np.float32))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_tokens(self) -> int:
        """Vectors of all slots: so many rows of the file count."""
        return int(self.offsets[-1])

    def with_added(self, counts: NDArray[np.int64], tokens: NDArray[np.int8]) -> MultiVectorIndex:
        """With documents in the next slots.

        Args:
            counts: How many vectors each has, of `encode_tokens`.
            tokens: Codes of all documents, theirs at the end, shape [tokens, dimensions].
        """
        grown = replace(self, offsets=np.concatenate([self.offsets, self.offsets[-1] + np.cumsum(counts)]))
        if not len(self.centroids) or grown.offsets[-1] - grown.offsets[self.covered] <= _TAIL_TOKENS:
            return grown
        return _listed(grown, tokens, None)

    def search(
        self, query: FloatArray, k: int, tokens: NDArray[np.int8], allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        """The `k` documents of the highest MaxSim with a query, as (slot, score), best first; ties by slot.

        Args:
            query: Unit vectors, shape [t, dimensions]; a query of none finds nothing.
            k: How many.
            tokens: Codes of all documents, shape [tokens, dimensions], as they lie in the file.
            allowed: Which slots may be found; None for all.

        Raises:
            InputError: a query of another shape, or not finite.
        """
        query = np.asarray(query, np.float32)
        if query.ndim != 2 or (len(tokens) and query.shape[1] != tokens.shape[1]):
            wanted = tokens.shape[1] if len(tokens) else "dimensions"
            raise InputError(f"The query must be of the shape [tokens, {wanted}], got {list(query.shape)}.")
        if not np.isfinite(query).all():
            raise InputError("The query holds NaN or infinity: embed its text again.")
        counts = np.diff(self.offsets)
        slots = np.flatnonzero(counts if allowed is None else allowed & (counts > 0))
        if not len(query) or not len(slots):
            return []
        num_tokens = int(counts[slots].sum())
        if len(self.centroids) and num_tokens > _EXACT_TOKENS:
            fitting = _EXACT_TOKENS * len(slots) // num_tokens
            slots = self._promising(query, slots, max(fitting, _LEAST_CANDIDATES, _CANDIDATES * k))
        scores = max_sims(query, np.asarray(tokens), self.offsets, slots)
        return [(int(slots[at]), float(scores[at])) for at in top_indices(scores, k)]

    def wants_rebuild(self) -> bool:
        """Whether `rebuilt` is due: at 131,072 vectors, and when there are four times as many as it was made from."""
        return self.num_tokens >= _TRAIN_TOKENS and num_centroids(self.num_tokens) >= _GROWTH * max(
            len(self.centroids), 1
        )

    def rebuilt(self, tokens: NDArray[np.int8], *, stop: Event | None = None) -> MultiVectorIndex:
        """With centroids trained anew and all documents in their lists; a core takes some 10 s for 500,000 vectors.

        Args:
            tokens: Codes of all documents, shape [tokens, dimensions].
            stop: Calls it off: once it is set, the index is returned as it was.
        """
        if not self.num_tokens:
            return self
        tokens = np.asarray(tokens)[: self.num_tokens]
        trained = replace(self, centroids=train_centroids(tokens, stop), parts=(), covered=0)
        trained = _listed(trained, tokens, stop)
        return self if stop is not None and stop.is_set() else trained

    def compacted(self, new_slots: NDArray[np.int64]) -> MultiVectorIndex:
        """Without the documents that are gone, whose vectors the new file is without: it has the `rows_of` the others.

        Args:
            new_slots: The new slot of each old one, ascending, -1 where it is gone.
        """
        kept = new_slots[: len(self)] >= 0
        return replace(
            self,
            offsets=np.concatenate([[0], np.cumsum(np.diff(self.offsets)[kept])]),
            parts=tuple(lists.compacted(new_slots) for lists in self.parts),
            covered=int(np.count_nonzero(kept[: self.covered])),
        )

    def rows_of(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the file that hold the vectors of these slots, in their order: what a compaction copies."""
        return token_rows(self.offsets[slots], self.offsets[slots + 1])

    def save(self, folder: Path) -> None:
        """Write the index, without the vectors, into a new folder.

        Raises:
            OSError: the disk failed or is full.
        """
        folder.mkdir()
        lists = reduce(Lists.with_added, self.parts, Lists.empty(len(self.centroids)))
        save_array(folder / _OFFSETS, self.offsets)
        save_array(folder / _COVERED, np.array(self.covered, np.int64))
        save_array(folder / _CENTROIDS, self.centroids)
        save_array(folder / _STARTS, lists.starts)
        save_array(folder / _SLOTS, lists.slots)

    @classmethod
    def load(cls, folder: Path) -> MultiVectorIndex:
        """What `save` wrote, mapped: it is read when it is looked at.

        Raises:
            IndexFilesError: files are missing or damaged.
        """
        try:
            found = {path.name: np.load(path, mmap_mode="r", allow_pickle=False) for path in folder.glob("*.npy")}
            offsets, covered = np.asarray(found[_OFFSETS]), int(found[_COVERED])
            lists = Lists(np.asarray(found[_STARTS]), np.asarray(found[_SLOTS]))
            centroids = np.asarray(found[_CENTROIDS])
            if (
                len(lists.starts) != len(centroids) + 1
                or lists.starts[-1] != len(lists.slots)
                or covered >= len(offsets)
            ):
                raise ValueError("its files do not fit each other")  # noqa: TRY301
        except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
            raise IndexFilesError(f"{folder} is damaged, its multi-vector index cannot be read: {error}.") from error
        return cls(offsets, centroids, (lists,), covered)

    def _promising(self, query: FloatArray, slots: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        """The `number` of the slots that are nearest by their centroids, and those in no list yet; ascending."""
        listed = slots[: np.searchsorted(slots, self.covered)]
        sums = approximate(query, self.centroids, self.parts, self.covered)
        best = listed[top_indices(sums[listed], number)]
        return np.concatenate([np.sort(best), slots[len(listed) :]])


def _listed(index: MultiVectorIndex, tokens: NDArray[np.int8], stop: Event | None) -> MultiVectorIndex:
    """With all documents in the lists, in parts of which each is at least twice as large as the next."""
    parts = [*index.parts, make_lists(np.asarray(tokens), index.offsets, index.covered, index.centroids, stop)]
    while len(parts) > 1 and len(parts[-2].slots) < _PART_RATIO * len(parts[-1].slots):
        later = parts.pop()
        parts[-1] = parts[-1].with_added(later)
    return replace(index, parts=tuple(parts), covered=len(index))
