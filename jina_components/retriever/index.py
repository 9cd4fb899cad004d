"""Documents held by row number, with a dense and a lexical index over them, and their files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from jina_components.errors import InputError
from jina_components.retriever.filters import matches
from jina_components.retriever.lexical import BM25Index
from jina_components.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.retriever.stores.faiss import FaissStore
    from jina_components.types import FloatArray


class DocumentIndex:
    """The state of a retriever. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self.documents: dict[int, Document] = {}
        self._rows: dict[str, int] = {}
        self._next_row = 0
        self._lexical = BM25Index()
        self._dense: FaissStore | None = None

    def __len__(self) -> int:
        return len(self.documents)

    def __contains__(self, document_id: str) -> bool:
        return document_id in self._rows

    def put(self, documents: Sequence[Document], vectors: FloatArray) -> None:
        """Add documents of different ids, replacing those that are there.

        Args:
            documents: The documents.
            vectors: Their unit vectors, shape [len(documents), dimensions].

        Raises:
            InputError: the vectors are of another width than those held.
        """
        if not documents:
            return
        if self._dense is not None and self._dense.dimensions != vectors.shape[1]:
            raise InputError(f"The vectors have {vectors.shape[1]} dimensions, the index {self._dense.dimensions}.")
        self.remove([self._rows[document.id] for document in documents if document.id in self._rows])
        rows = range(self._next_row, self._next_row + len(documents))
        self._next_row += len(documents)
        self._lexical.add(rows, [document.text for document in documents])
        self._insert(rows, documents, vectors)

    def remove(self, rows: Sequence[int]) -> None:
        """Forget rows."""
        if not rows:
            return
        for row in rows:
            del self._rows[self.documents.pop(row).id]
        self._lexical.remove(rows)
        if self._dense is not None:
            self._dense.remove(rows)

    def rows_of(self, ids: Sequence[str]) -> list[int]:
        """Row numbers of the ids that are there."""
        return [self._rows[name] for name in dict.fromkeys(ids) if name in self._rows]

    def rows_matching(self, conditions: Mapping[str, Any]) -> NDArray[np.int64]:
        """Row numbers of the documents whose metadata meets every condition."""
        rows = [row for row, document in self.documents.items() if matches(document.metadata, conditions)]
        return np.array(rows, dtype=np.int64)

    def search_dense(self, vector: FloatArray, k: int, allowed: NDArray[np.int64] | None) -> list[tuple[int, float]]:
        """(row, cosine) of the `k` nearest, best first."""
        return self._dense.search(vector, k, allowed) if self._dense is not None else []

    def search_lexical(self, query: str, k: int, allowed: NDArray[np.int64] | None) -> list[tuple[int, float]]:
        """(row, BM25) of the `k` best that share a term with the query, best first."""
        return self._lexical.search(query, k, allowed)

    def snapshot(self) -> Snapshot:
        """A copy of the state, to be written while the index is in use."""
        if self._dense is None:
            rows, vectors = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
        else:
            rows, vectors = self._dense.to_arrays()
        documents = [self.documents[int(row)] for row in rows]
        return Snapshot(documents, rows, vectors, self._lexical.to_arrays(), self._lexical.vocabulary)

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> DocumentIndex:
        """The inverse of `snapshot`."""
        index = cls()
        index._lexical = BM25Index.from_arrays(snapshot.postings, snapshot.terms)
        rows = snapshot.rows.tolist()
        index._next_row = max(rows, default=-1) + 1
        if rows:
            index._insert(rows, snapshot.documents, snapshot.vectors)
        return index

    def _insert(self, rows: Sequence[int], documents: Sequence[Document], vectors: FloatArray) -> None:
        from jina_components.retriever.stores.faiss import FaissStore

        if self._dense is None:
            self._dense = FaissStore(vectors.shape[1])
        self._dense.add(rows, vectors)
        for row, document in zip(rows, documents, strict=True):
            self.documents[row] = document
            self._rows[document.id] = row


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A document index as plain data: what its files hold."""

    documents: list[Document]
    rows: NDArray[np.int64]
    vectors: FloatArray
    postings: Mapping[str, NDArray[np.int32]]
    terms: list[str]

    def write(self, folder: Path) -> None:
        """Write the files into an empty folder."""
        _save(folder / "vectors.npy", self.vectors)
        _save(folder / "rows.npy", self.rows)
        for name, array in self.postings.items():
            _save(folder / f"postings_{name}.npy", array)
        (folder / "terms.json").write_text(json.dumps(self.terms), encoding="utf-8")
        with (folder / "documents.jsonl").open("w", encoding="utf-8") as file:
            for document in self.documents:
                row = {"id": document.id, "text": document.text, "metadata": dict(document.metadata)}
                file.write(json.dumps(row) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Snapshot:
        """Read what `write` wrote.

        Raises:
            OSError, ValueError, KeyError, TypeError: a file is missing, broken or does not fit the others.
        """
        with (folder / "documents.jsonl").open(encoding="utf-8") as file:
            documents = [Document(**json.loads(line)) for line in file]
        names = ("rows", "lengths", "terms", "counts")
        postings = {name: np.load(folder / f"postings_{name}.npy", allow_pickle=False) for name in names}
        rows = np.load(folder / "rows.npy", allow_pickle=False)
        vectors = np.load(folder / "vectors.npy", allow_pickle=False)
        if not len(rows) == len(documents) == len(vectors) == len(postings["rows"]):
            raise ValueError("the files hold different numbers of documents")
        terms = json.loads((folder / "terms.json").read_text(encoding="utf-8"))
        return cls(documents, rows, vectors, postings, terms)


class _Writer:
    """Hides that a file is one: numpy writes real files by a call whose error does not say that the disk is full."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def _save(path: Path, array: NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.save(_Writer(file), array)
