"""Retriever: documents that match a query, by meaning and by words."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from jina_components.core.inputs import as_documents, as_list, check_count, check_query
from jina_components.core.names import resolve_name
from jina_components.core.vectors import normalize
from jina_components.errors import BackendError, IndexFilesError, IndexMismatchError, InputError
from jina_components.protocols import SupportsEmbed
from jina_components.retriever.directory import read_index, read_manifest, write_index
from jina_components.retriever.filters import check_filter, matches
from jina_components.retriever.fusion import reciprocal_rank_fusion
from jina_components.retriever.index import DocumentIndex, Snapshot
from jina_components.types import Document, Ranking, ScoredDocument

if TYPE_CHECKING:
    from jina_components.types import FloatArray

Mode = Literal["hybrid", "dense", "lexical"]

# The rankings a mode asks for and their weights in the fusion.
_WEIGHTS: dict[str, dict[str, float]] = {
    "hybrid": {"dense": 1.0, "lexical": 0.75},
    "dense": {"dense": 1.0},
    "lexical": {"lexical": 1.0},
}
# Small, so that the first ranks stand out: with the customary 60, mere presence in both lists outweighs being first in
# one. Over the six sets of benchmarks/quality, nDCG@10 is .606 at 5, .598 at 2 and .589 at 60; with equal weights .599.
_FUSION_K = 5
# Candidates of each ranking that take part in the fusion.
_DEPTH = 100
# Documents embedded at a time, so that progress shows.
_SLICE = 1024
# An index belongs to an embedder that places this text where the one that made it did. Other models are
# far off; another precision of the same model stays above the limit.
_PROBE = "The quick brown fox jumps over the lazy dog near the river bank in 1984."
_PROBE_COSINE = 0.98


class Retriever:
    """Finds documents by dense (FAISS) and lexical (BM25) search, fused by reciprocal ranks.

    Everything is in memory; `save` writes a directory that survives a kill at any moment, `open` reads it.
    Thread-safe.

    Args:
        embedder: Anything with `embed_query` and `embed_documents`.

    Example:
        >>> retriever = Retriever(Embedder())
        >>> retriever.add(["Paris is the capital of France.", Document("Rain is due.", metadata={"lang": "en"})])
        >>> retriever.retrieve("french capital", top_k=1)[0].document.text
        'Paris is the capital of France.'
    """

    def __init__(self, embedder: SupportsEmbed) -> None:
        if not isinstance(embedder, SupportsEmbed):
            raise InputError(f"embedder must have embed_query and embed_documents, got {type(embedder).__name__}.")
        self._embedder = embedder
        self._index = DocumentIndex()
        self._lock = threading.RLock()
        self._generations: dict[Path, str] = {}  # what each directory held when it was last opened or saved

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, document_id: str) -> bool:
        return document_id in self._index

    def documents(self, *, filter: Mapping[str, Any] | None = None) -> list[Document]:
        """The documents held, or those that match `filter`, in the order they were added."""
        check_filter(filter)
        with self._lock:
            held = list(self._index.documents.values())
        return [document for document in held if matches(document.metadata, filter or {})]

    def add(self, documents: Sequence[str | Document], *, show_progress: bool = False) -> list[str]:
        """Add documents; one whose id is there already replaces it.

        Nothing changes unless all of them can be embedded.

        Returns:
            Their ids, in order.

        Raises:
            InputError: no list, or an item that is blank or over the embedder's context; `.index` names it.
        """
        items = as_documents(documents, what="documents")
        positions = {document.id: position for position, document in enumerate(items)}
        unique = [items[position] for position in positions.values()]
        vectors = self._embed_documents(unique, list(positions.values()), show_progress=show_progress)
        with self._lock:
            self._index.put(unique, vectors)
        return [document.id for document in items]

    async def aadd(self, documents: Sequence[str | Document], *, show_progress: bool = False) -> list[str]:
        """`add` without blocking the event loop."""
        return await asyncio.to_thread(self.add, documents, show_progress=show_progress)

    def delete(self, ids: Sequence[str] | None = None, *, filter: Mapping[str, Any] | None = None) -> int:
        """Delete documents by id, or all that match a filter (an empty one matches every document).

        Returns:
            How many were there; unknown ids are no error.

        Raises:
            InputError: neither or both are given, or `ids` is no list.
        """
        if (ids is None) == (filter is None):
            raise InputError("delete takes either ids or filter.")
        check_filter(filter)
        with self._lock:
            if ids is not None:
                rows = self._index.rows_of(as_list(ids, what="ids"))
            else:
                rows = self._index.rows_matching(filter or {}).tolist()
            self._index.remove(rows)
        return len(rows)

    def retrieve(
        self,
        query: str,
        *,
        top_k: int = 10,
        filter: Mapping[str, Any] | None = None,
        mode: Mode = "hybrid",
    ) -> Ranking:
        """The best documents for a query.

        Args:
            query: What is sought.
            top_k: How many at most.
            filter: Metadata names and the value, or list of values, each must have.
            mode: `hybrid` fuses both rankings (score: weighted reciprocal ranks), `dense` ranks by
                cosine, `lexical` by BM25.

        Raises:
            InputError: an empty query, a bad limit or filter, or a retriever without documents.
            UnknownNameError: unknown mode.
        """
        check_query(query)
        check_count(top_k, what="top_k")
        check_filter(filter)
        weights = resolve_name(_WEIGHTS, mode, what="mode")
        if not len(self):
            raise InputError("This retriever holds no documents: call add() first, or open() a saved index.")
        vector = self._unit(self._embedder.embed_query(query))[0] if "dense" in weights else None
        depth = max(_DEPTH, top_k)
        with self._lock:
            allowed = None if filter is None else self._index.rows_matching(filter)
            rankings = {}
            if vector is not None:
                rankings["dense"] = self._index.search_dense(vector, depth, allowed)
            if "lexical" in weights:
                rankings["lexical"] = self._index.search_lexical(query, depth, allowed)
            hits = rankings[mode] if mode != "hybrid" else _fuse(rankings, weights)
            return Ranking(tuple(ScoredDocument(self._index.documents[row], score) for row, score in hits[:top_k]))

    async def aretrieve(
        self,
        query: str,
        *,
        top_k: int = 10,
        filter: Mapping[str, Any] | None = None,
        mode: Mode = "hybrid",
    ) -> Ranking:
        """`retrieve` without blocking the event loop."""
        return await asyncio.to_thread(self.retrieve, query, top_k=top_k, filter=filter, mode=mode)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the index; the one that was in `directory` is replaced in one step, or not at all.

        Raises:
            IndexFilesError: not an index directory, another process is saving or has saved since this one
                was opened, or the disk failed or is full.
        """
        probe = self._probe()
        with self._lock:
            snapshot = self._index.snapshot()
        name = str(getattr(self._embedder, "name", type(self._embedder).__name__))
        embedder = {"name": name, "probe": [round(float(value), 6) for value in probe]}
        path = Path(directory)
        manifest = {"documents": len(snapshot.documents), "embedder": embedder}
        expected = self._generations.get(path.resolve())
        self._generations[path.resolve()] = write_index(path, manifest, snapshot.write, expected=expected)

    @classmethod
    def open(cls, directory: str | os.PathLike[str], embedder: SupportsEmbed) -> Retriever:
        """Read an index made with the same embedder.

        Raises:
            IndexFilesError: no index there, or a damaged one.
            IndexMismatchError: it was made with another embedder.
        """
        retriever = cls(embedder)
        path = Path(directory)
        retriever._check_embedder(path, read_manifest(path).get("embedder"))
        generation, retriever._index = read_index(
            path, lambda folder: DocumentIndex.from_snapshot(Snapshot.read(folder))
        )
        retriever._generations[path.resolve()] = generation
        return retriever

    def __reduce__(self) -> NoReturn:
        raise InputError("A retriever holds documents and does not pickle: save() it, and open() the directory there.")

    def __repr__(self) -> str:
        return f"Retriever({self._embedder!r}, {len(self)} documents)"

    def _embed_documents(
        self, documents: Sequence[Document], positions: Sequence[int], *, show_progress: bool
    ) -> FloatArray:
        """Unit vectors of documents, in slices so that progress shows; `positions` are those of the caller's list."""
        from tqdm.auto import tqdm

        parts = []
        with tqdm(total=len(documents), desc="Indexing", unit="document", disable=not show_progress) as bar:
            for start in range(0, len(documents), _SLICE):
                texts = [document.text for document in documents[start : start + _SLICE]]
                try:
                    parts.append(self._unit(self._embedder.embed_documents(texts), len(texts)))
                except InputError as error:
                    if error.index is None:
                        raise
                    position = positions[start + error.index]
                    raise InputError(f"documents[{position}] cannot be embedded: {error}", position) from error
                bar.update(len(texts))
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def _unit(self, vectors: object, count: int = 1) -> FloatArray:
        """What an embedder returned, as unit float32 rows, checked."""
        rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
        if rows.ndim != 2 or len(rows) != count or not np.isfinite(rows).all():
            raise BackendError(f"{self._embedder!r} returned no {count} finite vectors, but shape {rows.shape}.")
        return normalize(rows)

    def _probe(self) -> FloatArray:
        return self._unit(self._embedder.embed_documents([_PROBE]))[0]

    def _check_embedder(self, directory: Path, made_with: Any) -> None:  # noqa: ANN401 (read from a file)
        """Compare vectors rather than names: a renamed folder is the same model, another one of its name is not."""
        try:
            name, stored = made_with["name"], np.asarray(made_with["probe"], np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise IndexFilesError(f"{directory}: the manifest names no embedder. Build the index again.") from error
        own = self._probe()
        if stored.shape == own.shape and (np.allclose(stored, own, atol=1e-4) or float(stored @ own) >= _PROBE_COSINE):
            return
        raise IndexMismatchError(
            f"{directory} was made with the embedder {name!r} ({len(stored)} dimensions); "
            f"{self._embedder!r} ({len(own)} dimensions) has another vector space. "
            "Open it with the embedder it was made with, or build the index again."
        )


def _fuse(rankings: Mapping[str, Sequence[tuple[int, float]]], weights: Mapping[str, float]) -> list[tuple[int, float]]:
    return reciprocal_rank_fusion(
        (([row for row, _ in hits], weights[name]) for name, hits in rankings.items()), k=_FUSION_K
    )
