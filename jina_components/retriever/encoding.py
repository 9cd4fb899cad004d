"""What turns documents and queries into a store's vectors, and tells whether those in the store are its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from jina_components.core.inputs import at_index
from jina_components.core.probe import PROBE, agree
from jina_components.core.progress import progress_bar
from jina_components.core.vectors import normalize
from jina_components.errors import BackendError, IndexFilesError, IndexMismatchError, InputError
from jina_components.protocols import RankingKind, Store, SupportsEmbed, SupportsMultiVector
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray

T = TypeVar("T")

# Documents embedded at a time, so that progress shows.
_SLICE = 1024
# Under which name a store's notes say what made its vectors, and what that is called in messages.
_NOTES: Mapping[RankingKind, tuple[str, str]] = {
    "dense": ("embedder", "embedder"),
    "multi_vector": ("multi_vector", "multi-vector model"),
}


class Encoder:
    """The embedder and the multi-vector model of a retriever. Thread-safe.

    Args:
        embedder: Makes a vector a text, or None.
        multi_vector: Makes a vector a token, or None.
    """

    def __init__(self, embedder: SupportsEmbed | None, multi_vector: SupportsMultiVector | None) -> None:
        self._embedder = embedder
        self._multi_vector = multi_vector
        self._checked: set[RankingKind] = set()
        self._checking = threading.Lock()

    @property
    def kinds(self) -> frozenset[RankingKind]:
        """What its vectors can rank by."""
        models: Mapping[RankingKind, object] = {"dense": self._embedder, "multi_vector": self._multi_vector}
        return frozenset(kind for kind, model in models.items() if model is not None)

    def documents(
        self, documents: Sequence[Document], positions: Sequence[int], *, show_progress: bool
    ) -> tuple[FloatArray | None, list[FloatArray] | None]:
        """Vectors of documents, and of their tokens; None where there is no model for it.

        Args:
            documents: Not blank.
            positions: Where each stands in the caller's list.
            show_progress: Draw a bar on stderr.

        Raises:
            InputError: one that a model refuses; `.index` is its position.
            BackendError: a model returned something else than finite vectors.
        """
        vectors: list[FloatArray] = []
        token_vectors: list[FloatArray] = []
        texts = [document.text for document in documents]
        with progress_bar("Indexing", unit="document", total=len(texts), show=show_progress) as bar:
            for start in range(0, len(texts), _SLICE):
                part, places = texts[start : start + _SLICE], positions[start : start + _SLICE]
                if self._embedder is not None:
                    vectors.append(_placed(self._embed, part, places))
                if self._multi_vector is not None:
                    token_vectors += _placed(self._embed_tokens, part, places)
                bar.update(len(part))
        whole = np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)
        return (
            None if self._embedder is None else whole,
            None if self._multi_vector is None else token_vectors,
        )

    def queries(self, queries: Sequence[str]) -> FloatArray:
        """Unit vectors of queries, shape [n, dimensions]; there is an embedder.

        Raises:
            InputError: one that the embedder refuses; `.index` names it where there are several.
            BackendError: it returned something else than finite vectors.
        """
        assert self._embedder is not None  # noqa: S101 (for the type checker)
        rows: list[FloatArray] = []
        for place, query in enumerate(queries):
            try:
                rows.append(self._unit(self._embedder.embed_query(query), 1, self._embedder))
            except InputError as error:
                raise _of_query(error, 0, None if len(queries) == 1 else place) from error
        return np.concatenate(rows)

    def token_queries(self, queries: Sequence[str]) -> list[FloatArray]:
        """Unit vectors of each query's tokens; there is a multi-vector model."""
        try:
            return self._embed_tokens(queries, task="retrieval.query")
        except InputError as error:
            if error.index is None:
                raise
            raise _of_query(error, error.index, None if len(queries) == 1 else error.index) from error

    def claim(self, store: Store) -> None:
        """Note in a store that has no note yet, and so no documents of ours, what made the vectors it will hold.

        Raises:
            IndexMismatchError: others have noted their models since `check`.
        """
        for kind, (name, _) in _NOTES.items():
            with self._checking:
                if kind not in self._checked and store.get_note(name) is None:
                    store.set_note(name, json.dumps(self._signature(kind)))
                    self._checked.add(kind)
        self.check(store)

    def check(self, store: Store, kinds: frozenset[RankingKind] = frozenset(_NOTES)) -> None:
        """Refuse a store whose vectors of these kinds other models made, or that has none of a kind that these make.

        Looked at once. A store that has no note of it was filled by other means, and is taken as it is.

        Raises:
            IndexMismatchError: other models did, by the vectors of a probe rather than by name: a renamed folder is the
                same model, another one of its name is not.
            IndexFilesError: the store's note is damaged.
        """
        for kind in kinds & _NOTES.keys():
            with self._checking:
                if kind not in self._checked:
                    note = store.get_note(_NOTES[kind][0])
                    if note is not None:
                        self._compare(kind, note, store)
                        self._checked.add(kind)

    def _compare(self, kind: RankingKind, note: str, store: Store) -> None:
        what = _NOTES[kind][1]
        name, stored = _read_note(note, what, store)
        own = self._probe(kind)
        if agree(stored, own):
            return
        model = self._model(kind)
        if model is None:
            raise IndexMismatchError(f"{store!r} was made with the {what} {name!r}: pass it to add documents to those.")
        if not len(stored):
            raise IndexMismatchError(
                f"{store!r} was made without a {what}, so its documents have no vectors: leave out {model!r}, "
                "or build it again with it."
            )
        raise IndexMismatchError(
            f"{store!r} was made with the {what} {name!r} ({len(stored)} dimensions); "
            f"{model!r} ({len(own)} dimensions) has another vector space. "
            "Open it with the one it was made with, or build it again."
        )

    def _signature(self, kind: RankingKind) -> dict[str, Any]:
        model = self._model(kind)
        name = None if model is None else str(getattr(model, "name", type(model).__name__))
        return {"name": name, "probe": [round(float(value), 6) for value in self._probe(kind)]}

    def _model(self, kind: RankingKind) -> object:
        return self._embedder if kind == "dense" else self._multi_vector

    def _probe(self, kind: RankingKind) -> FloatArray:
        """Where a model places the probe, shape [dimensions]; [0] without a model."""
        if self._model(kind) is None:
            return np.zeros(0, np.float32)
        if kind == "dense":
            return self._embed([PROBE])[0]
        return normalize(self._embed_tokens([PROBE])[0].mean(axis=0))

    def _embed(self, texts: Sequence[str]) -> FloatArray:
        assert self._embedder is not None  # noqa: S101 (for the type checker)
        return self._unit(self._embedder.embed_documents(texts), len(texts), self._embedder)

    def _embed_tokens(self, texts: Sequence[str], task: str = "retrieval.passage") -> list[FloatArray]:
        assert self._multi_vector is not None  # noqa: S101 (for the type checker)
        matrices = self._multi_vector.embed_multi_vector(texts, task=task).vectors
        if len(matrices) != len(texts):
            raise BackendError(f"{self._multi_vector!r} returned {len(matrices)} matrices for {len(texts)} texts.")
        return [self._unit(matrix, len(matrix), self._multi_vector) for matrix in matrices]

    def _unit(self, vectors: object, count: int, model: object) -> FloatArray:
        """What a model returned, as unit float32 rows, checked."""
        rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
        if rows.ndim != 2 or len(rows) != count or not np.isfinite(rows).all():
            raise BackendError(f"{model!r} returned no {count} finite vectors, but shape {rows.shape}.")
        return normalize(rows)


def _placed(embed: Callable[[Sequence[str]], T], texts: Sequence[str], positions: Sequence[int]) -> T:
    """`embed(texts)`, whose error names the position in the caller's list."""
    try:
        return embed(texts)
    except InputError as error:
        if error.index is None:
            raise
        raise at_index(error, positions[error.index], what="documents") from error


def _of_query(error: InputError, index: int, place: int | None) -> InputError:
    """What a model says of its input `index`, said of the query at `place`, or of the only one."""
    name, what = f"inputs[{index}]", "query" if place is None else f"queries[{place}]"
    message = error.message.replace("segment it first, or pass truncate", "shorten it, or give its model truncate")
    return InputError(message.replace(name, what) if name in message else f"{what}: {message}", place)


def has_no_token_vectors(store: Store) -> bool:
    """Whether a store's note says that no multi-vector model was there when it was filled."""
    name, what = _NOTES["multi_vector"]
    note = store.get_note(name)
    return note is not None and _read_note(note, what, store)[0] is None


def copy_notes(source: Store, target: Store) -> None:
    """Say in one store what made the vectors of another, which it will hold.

    Raises:
        IndexMismatchError: it holds vectors of other models.
        IndexFilesError: a note is damaged.
    """
    for name, what in _NOTES.values():
        note, held = source.get_note(name), target.get_note(name)
        if note is None:
            continue
        if held is None:
            target.set_note(name, note)
            continue
        (theirs, stored), (ours, own) = _read_note(held, what, target), _read_note(note, what, source)
        if not agree(stored, own):
            raise IndexMismatchError(f"{source!r} was made with the {what} {ours!r}, {target!r} with {theirs!r}.")


def _read_note(note: str, what: str, store: Store) -> tuple[str | None, FloatArray]:
    """The name of the model that made a store's vectors, and where it places the probe."""
    try:
        made_with = json.loads(note)
        return made_with["name"], np.asarray(made_with["probe"], np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise IndexFilesError(f"{store!r} does not say which {what} it was made with. Build it again.") from error
