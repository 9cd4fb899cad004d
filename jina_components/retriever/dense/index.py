"""The dense index of a store: a value over the first slots of a matrix that grows."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jina_components.errors import IndexFilesError
from jina_components.retriever.dense import engines, plans
from jina_components.retriever.dense.exact import merged, nearest, nearest_among, threads_of_faiss
from jina_components.retriever.dense.plans import Exact, Plan, Storage, plan_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.retriever.dense.engines import DenseEngine
    from jina_components.retriever.dense.exact import Found, Slots
    from jina_components.types import FloatArray

# At the end of a file, behind what FAISS wrote: the facts as JSON, their length, and this.
_MAGIC = b"JCD2"
_TRAILER = struct.Struct("<Q4s")
# A tail of so many slots costs a search some 30 µs more, so it is worth a renewal; or of this part of the index.
_TAIL, _TAIL_PART = 2_000, 20
_KINDS = {kind.__name__: kind for kind in (plans.Exact, plans.Scan, plans.Lists, plans.Graph)}


@dataclass(frozen=True)
class _Facts:
    """What an index is, beside its engine.

    Attributes:
        storage: What was asked for.
        plan: What was chosen.
        slots: How many slots the index covers.
        trained: How many there were when it was built; the others were added.
        scale: The engine's.
    """

    storage: Storage
    plan: Plan
    slots: int
    trained: int
    scale: float = 1.0

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"kind": type(self.plan).__name__})

    @classmethod
    def from_json(cls, text: str) -> _Facts:
        fields = json.loads(text)
        plan = _KINDS[fields.pop("kind")](**fields.pop("plan"))
        return cls(plan=plan, **fields)


class DenseIndex:
    """Finds the nearest of unit vectors by cosine. A value: it never changes, and any number of threads may search it.

    It covers the first `len(index)` slots of a float32 matrix that its owner keeps, mapped from a file or not, and
    that may have grown since; slots beyond are compared exactly. Rows of zeros have the cosine 0. What is found is
    rescored with the matrix, so cosines are exact; which slots are found is not where `plan` is not `Exact`.

    Make one with `build` or `open`.
    """

    def __init__(self, facts: _Facts, engine: DenseEngine | None) -> None:
        self._facts, self._engine = facts, engine

    @classmethod
    def build(
        cls,
        vectors: FloatArray,
        *,
        storage: Storage = "auto",
        stop: Callable[[], bool] | None = None,
    ) -> DenseIndex:
        """An index over all of these vectors, as the table `PLANS` says, built on one thread: the same every time.

        Args:
            vectors: Unit vectors or zeros, float32, shape [slots, dimensions].
            storage: What the index keeps of a vector.
            stop: Asked about every second; True calls the building off.

        Raises:
            BuildStopped: `stop` said so.
            ConfigError: there is no such storage.
        """
        plan = plan_for(storage, len(vectors))
        with threads_of_faiss(1):
            engine = engines.build(plan, np.asarray(vectors), stop or _never)
        return cls(_Facts(storage, plan, len(vectors), len(vectors), engine.scale if engine else 1.0), engine)

    def extended(self, vectors: FloatArray, *, stop: Callable[[], bool] | None = None) -> DenseIndex:
        """An index over all of these vectors, whose first `len(self)` are those of this one.

        A copy with the others added, where that serves: the plan is still the same, and most were there when it was
        built. Else it is built anew.

        Raises:
            BuildStopped: `stop` said so.
        """
        facts, slots = self._facts, len(vectors)
        if self._engine is None or plan_for(facts.storage, slots) != facts.plan or slots > 2 * facts.trained:
            return self.build(vectors, storage=facts.storage, stop=stop)
        with threads_of_faiss(1):
            engine = engines.copied(facts.plan, self._engine)
            engines.add(engine, np.asarray(vectors)[facts.slots :], stop or _never)
        return DenseIndex(_Facts(facts.storage, facts.plan, slots, facts.trained, facts.scale), engine)

    def __len__(self) -> int:
        return self._facts.slots

    @property
    def storage(self) -> Storage:
        """What was asked for."""
        return self._facts.storage

    @property
    def plan(self) -> Plan:
        """What was chosen from `PLANS`."""
        return self._facts.plan

    @property
    def memory_bytes(self) -> int:
        """What the index holds in memory or has mapped, without the matrix of vectors."""
        return engines.memory_bytes(self._engine) if self._engine else 0

    def wants_rebuild(self, num_slots: int) -> bool:
        """Whether so many slots are worth a call of `extended`: the tail slows searches, or another plan is due."""
        if self._engine is None:
            return not isinstance(plan_for(self.storage, num_slots), Exact)
        return num_slots - len(self) > max(_TAIL, len(self) // _TAIL_PART)

    def search(
        self, queries: FloatArray, k: int, vectors: FloatArray, allowed: NDArray[np.bool_] | None = None
    ) -> Found:
        """The `k` slots of the highest cosine for each query, best first.

        Never fewer than there are or are allowed, up to `k`. One query takes one thread.

        Args:
            queries: Unit vectors, float32, shape [n, dimensions].
            k: How many.
            vectors: The matrix, shape [slots, dimensions]; at least `len(self)` rows.
            allowed: Which slots may be found, shape [slots]; None for all.

        Returns:
            Slots, int64, shape [n, k], -1 where there is none; and their cosines, float32, -inf where there is none.
        """
        queries, vectors = np.ascontiguousarray(queries, np.float32), np.asarray(vectors)
        if not len(queries) or not len(vectors) or k < 1:
            shape = (len(queries), max(k, 0))
            return np.full(shape, -1, np.int64), np.full(shape, -np.inf, np.float32)
        with threads_of_faiss(1 if len(queries) == 1 else None):
            if allowed is None:
                slots, cosines = self._search_all(queries, k, vectors)
            else:
                slots, cosines = self._search_allowed(queries, k, vectors, allowed)
        if slots[:, -1].min() < 0:
            cosines[slots < 0] = -np.inf
        return slots, cosines

    def _search_all(self, queries: FloatArray, k: int, vectors: FloatArray) -> Found:
        covered = len(self)
        if self._engine is None:
            return nearest(queries, k, vectors)
        found = nearest_among(queries, k, vectors, self._engine.candidates(queries, k, None, 1.0))
        _complete(found, min(k, covered), lambda short: nearest(queries[short], k, vectors[:covered]))
        if len(vectors) > covered:
            found = merged(found, nearest(queries, k, vectors[covered:], covered), k)
        return found

    def _search_allowed(self, queries: FloatArray, k: int, vectors: FloatArray, allowed: NDArray[np.bool_]) -> Found:
        covered = len(self)
        count = int(np.count_nonzero(allowed[:covered]))
        if self._engine is None or count <= plans.few_allowed(covered):
            return nearest_among(queries, k, vectors, np.flatnonzero(allowed))
        mask = allowed[:covered]
        found = nearest_among(queries, k, vectors, self._engine.candidates(queries, k, mask, count / covered))
        _complete(found, min(k, count), lambda short: nearest_among(queries[short], k, vectors, np.flatnonzero(mask)))
        if len(vectors) > covered:
            tail = np.flatnonzero(allowed[covered:]) + covered
            found = merged(found, nearest_among(queries, k, vectors, tail), k)
        return found

    def save(self, path: Path) -> None:
        """Write the index to a new file.

        Raises:
            IndexFilesError: it cannot be written.
        """
        facts = self._facts.to_json().encode()
        try:
            if self._engine:
                engines.write(self._engine, path)
            with path.open("ab" if self._engine else "wb") as file:
                file.write(facts + _TRAILER.pack(len(facts), _MAGIC))
        except (OSError, RuntimeError) as error:
            raise IndexFilesError(f"The dense index cannot be written to {path}: {error}") from error

    @classmethod
    def open(cls, path: Path) -> DenseIndex:
        """The index that `save` wrote; graphs and their vectors stay in the file, and are read as a search needs them.

        The file must stay as it is while the index lives.

        Raises:
            IndexFilesError: it is missing, broken, or of another format.
        """
        try:
            facts = _facts_of(path)
            engine = None if isinstance(facts.plan, Exact) else engines.opened(facts.plan, path, facts.scale)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise IndexFilesError(f"{path} does not hold a dense index, build it anew: {error}") from error
        return cls(facts, engine)


def _facts_of(path: Path) -> _Facts:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _TRAILER.size, 0))
        trailer = file.read()
        if len(trailer) != _TRAILER.size or not trailer.endswith(_MAGIC):
            raise ValueError("its end is not that of a dense index")
        (length, _) = _TRAILER.unpack(trailer)
        file.seek(size - _TRAILER.size - length)
        return _Facts.from_json(file.read(length).decode())


def _complete(found: Found, wanted: int, search: Callable[[Slots], Found]) -> None:
    """Search exactly for the queries of which fewer than `wanted` slots were found; they are rare."""
    last = found[0][:, wanted - 1]
    if last.min() < 0:
        short = np.flatnonzero(last < 0)
        found[0][short], found[1][short] = search(short)


def _never() -> bool:
    return False
